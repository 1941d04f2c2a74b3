package atrion

import (
	"fmt"
	"strings"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// Re-exported, so that users of the library need one import.
type (
	// Mode is the reported condition of a route.
	Mode = physics.Mode
	// Reason says which rule allowed or rejected a request.
	Reason = physics.Reason
	// Outcome says how a guarded call ended.
	Outcome = physics.Outcome
	// Terms are the parts of a resistance, in ohms.
	Terms = physics.Terms
)

// Modes, reasons and outcomes; see package physics.
const (
	Bootstrap      = physics.Bootstrap
	Operational    = physics.Operational
	Shedding       = physics.Shedding
	CircuitBreaker = physics.CircuitBreaker

	Allowed             = physics.Allowed
	InsufficientVoltage = physics.InsufficientVoltage
	Tripped             = physics.Tripped
	Faulty              = physics.Faulty

	OK      = physics.OK
	Error   = physics.Error
	Timeout = physics.Timeout
	Dropped = physics.Dropped
	Ignored = physics.Ignored
)

// Decision is the answer to one request, and everything it rests on.
type Decision struct {
	Route      string
	Allow      bool
	Reason     Reason
	Mode       Mode
	Voltage    float64 // volts the request bid, or was judged at
	Capped     bool    // it bid more: its identity's quota is used up, see Config.Quota
	Resistance float64 // ohms: Terms.Sum()
	Terms      Terms
	Break      float64       // ohms at which the route trips; 0: the law has none
	RetryAfter time.Duration // when asking again may help; 0: now, or unknown
	Revision   uint64        // of the snapshot that decided
}

// String says the decision in one line.
func (d Decision) String() string {
	verb, sign := "shed", "<="
	if d.Allow {
		verb, sign = "pass", ">"
	}
	switch d.Reason {
	case Tripped:
		sign = "against"
	case Faulty:
		sign = "whatever"
	}
	capped := ""
	if d.Capped {
		capped = " (capped)"
	}
	return fmt.Sprintf("%s %s: V=%.4g%s %s R=%.4g ohm (base %.4g + pressure %.4g + momentum %.4g + scar %.4g), %s, %s",
		d.Route, verb, d.Voltage, capped, sign, d.Resistance,
		d.Terms.Base, d.Terms.Pressure, d.Terms.Momentum, d.Terms.Scar, d.Mode, d.Reason)
}

// Explain says in plain words and numbers why the request passed or not.
func (d Decision) Explain() string {
	var b strings.Builder
	if d.Allow {
		fmt.Fprintf(&b, "A request with %.4g volts on route %q passes", d.Voltage, d.Route)
	} else {
		fmt.Fprintf(&b, "A request with %.4g volts on route %q is shed", d.Voltage, d.Route)
	}
	switch d.Reason {
	case Allowed:
		fmt.Fprintf(&b, ": its voltage is above the resistance of %.4g ohms.", d.Resistance)
	case InsufficientVoltage:
		fmt.Fprintf(&b, ": its voltage is not above the resistance of %.4g ohms.", d.Resistance)
	case Tripped:
		fmt.Fprintf(&b, ": the route is tripped (resistance %.4g ohms) and lets nothing through until it recovers.", d.Resistance)
	case Faulty:
		b.WriteString(": the route's law keeps failing, so the configured policy answers instead.")
	}
	fmt.Fprintf(&b, "\n  base      %10.4f ohm  what the route resists when it is healthy", d.Terms.Base)
	fmt.Fprintf(&b, "\n  pressure  %10.4f ohm  present stress", d.Terms.Pressure)
	fmt.Fprintf(&b, "\n  momentum  %10.4f ohm  how fast the stress is rising", d.Terms.Momentum)
	fmt.Fprintf(&b, "\n  scar      %10.4f ohm  memory of failure, decayed to this moment", d.Terms.Scar)
	fmt.Fprintf(&b, "\n  R         %10.4f ohm  the sum", d.Resistance)
	fmt.Fprintf(&b, "\nMode %s, snapshot %d", d.Mode, d.Revision)
	if d.Break > 0 {
		fmt.Fprintf(&b, ", trips at %.4g ohms", d.Break)
	}
	b.WriteByte('.')
	if d.Capped {
		b.WriteString(" It bid more, and whoever asked has used up the quota of such bids.")
	}
	if d.RetryAfter > 0 {
		fmt.Fprintf(&b, " Asking again may help in %v.", d.RetryAfter.Round(time.Millisecond))
	}
	return b.String()
}

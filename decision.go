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
	Banned              = physics.Banned
	Overridden          = physics.Overridden
	Disabled            = physics.Disabled
	Shadowed            = physics.Shadowed
	Bypassed            = physics.Bypassed

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
	Verdict    Reason // what would be the Reason if nothing but the law, or in shadow a ban, had a say
	Mode       Mode
	Voltage    float64 // volts the request bid, or was judged at
	Capped     bool    // it bid more: its identity's quota is used up, see Config.Quota
	Resistance float64 // ohms: Terms.Sum()
	Terms      Terms
	Break      float64       // ohms at which the route trips; 0: the law has none
	RetryAfter time.Duration // when asking again may help; 0: now, or unknown
	Revision   uint64        // of the snapshot that decided

	Ban       *Ban          // that rejects the request, or would; nil: none. Not to be changed
	Override  *Override     // in force on the route; nil: none. Not to be changed
	ExpiresIn time.Duration // of the ban, else of the override; 0: there is neither
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
	case Faulty, Banned, Overridden, Disabled, Shadowed, Bypassed:
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
	case Banned:
		fmt.Fprintf(&b, ": %s.", d.ban())
	case Overridden, Disabled, Shadowed:
		b.WriteString(": " + d.forced())
	case Bypassed:
		b.WriteString(": it asked to be let through.")
	}
	if d.Override != nil {
		fmt.Fprintf(&b, "\nOverride of %q: %v, by %s (%s).", d.Override.Route, d.Override.Mode, d.Override.By, d.Override.Reason)
	}
	if d.ExpiresIn > 0 {
		fmt.Fprintf(&b, " It ends in %v.", d.ExpiresIn.Round(time.Millisecond))
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
	if d.RetryAfter > 0 && d.ExpiresIn == 0 {
		fmt.Fprintf(&b, " Asking again may help in %v.", d.RetryAfter.Round(time.Millisecond))
	}
	return b.String()
}

// ban says who is banned, from what, by whom and why.
func (d Decision) ban() string {
	who, where := "everybody is banned", "from routes "+d.Ban.Route
	if d.Ban.Subject != "" {
		who = d.Ban.Subject + " is banned"
	}
	if d.Ban.Route == "" {
		where = "from every route"
	}
	return fmt.Sprintf("%s %s by %s (%s)", who, where, d.Ban.By, d.Ban.Reason)
}

// forced says what was made of the law's verdict.
func (d Decision) forced() string {
	switch {
	case d.Reason == Disabled:
		return "the route is disabled, its law neither decides nor learns."
	case d.Verdict == Banned:
		return "the route is in shadow. Otherwise it would be shed: " + d.ban() + "."
	case d.Reason == Shadowed:
		return fmt.Sprintf("the route is in shadow. Otherwise it would be shed: %v.", d.Verdict)
	case d.Allow:
		return fmt.Sprintf("the route is forced closed. Its law says: %v.", d.Verdict)
	}
	return fmt.Sprintf("the route is forced open. Its law says: %v.", d.Verdict)
}

package physics

import "fmt"

// Mode is the reported condition of a route. It explains; a law may also
// decide by it (classic does), but callers must not.
type Mode uint8

const (
	// Bootstrap: too few samples yet to say anything.
	Bootstrap Mode = iota
	// Operational: the route conducts.
	Operational
	// Shedding: load is being turned away by price (closed-loop laws only).
	Shedding
	// CircuitBreaker: the route is tripped.
	CircuitBreaker

	modes
)

var modeNames = [modes]string{"bootstrap", "operational", "shedding", "circuit_breaker"}

// String returns the mode's name as it stands on the wire and in metrics.
func (m Mode) String() string {
	if m < modes {
		return modeNames[m]
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// Reason says which rule allowed or rejected a request.
type Reason uint8

const (
	// Allowed: V > R.
	Allowed Reason = iota
	// InsufficientVoltage: V <= R.
	InsufficientVoltage
	// Tripped: the circuit breaker is open.
	Tripped
	// Faulty: the route's law keeps failing; the answer is the configured
	// policy, open or closed, and not physics.
	Faulty

	// What follows stands beside the law: it was not asked, or not obeyed.

	// Banned: the caller, or everybody, is banned from the route.
	Banned
	// Overridden: the route is forced open or closed.
	Overridden
	// Disabled: the route is switched off; its law neither decides nor learns.
	Disabled
	// Shadowed: rejected, but the route is in shadow, where that is only said.
	Shadowed
	// Bypassed: the caller asked to be let through.
	Bypassed

	reasons
)

var reasonNames = [reasons]string{"allowed", "insufficient_voltage", "tripped", "faulty",
	"banned", "override", "disabled", "shadow", "bypassed"}

// String returns the reason's name as it stands on the wire and in metrics.
func (r Reason) String() string {
	if r < reasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

package sim

import (
	"context"
	"errors"
	"math/rand/v2"
)

// Class is the importance of a request. Metrics are kept per class; what a
// controller may know of it is the attempt's voltage.
type Class uint8

// The classes, most important first.
const (
	VIP Class = iota
	Normal
	Background
	Classes
)

// Attempt is one try of a request: what a controller is asked about.
type Attempt struct {
	Class   Class
	Voltage float64 // volts
	Retry   int     // 0: the first try of its request
	ID      int     // of the logical request
}

// Kind is how an admitted attempt ended, as the gateway saw it.
type Kind uint8

// The ways an attempt can end.
const (
	OK      Kind = iota
	Fail         // the backend answered with an error
	Timeout      // the client gave up; the backend may still work on it
	Dropped      // the backend's queue was full
)

// Errors that attempts end with.
var (
	ErrFailed  = errors.New("failed")
	ErrDropped = errors.New("queue full")
)

// Err is what a caller in the gateway's place would see: nil if it is OK, and
// otherwise an error, of a deadline for Timeout.
func (k Kind) Err() error {
	switch k {
	case OK:
		return nil
	case Timeout:
		return context.DeadlineExceeded
	case Dropped:
		return ErrDropped
	}
	return ErrFailed
}

// Ticket is a controller's own mark on an admitted attempt, handed back to it
// in Done.
type Ticket uint64

// Controller stands at the gateway. The simulator calls it from one goroutine,
// every event at an instant of its own.
type Controller interface {
	// Admit decides whether the attempt is sent to the backend.
	Admit(a Attempt) (t Ticket, ok bool)
	// Done tells how an admitted attempt ended; latency in ms.
	Done(t Ticket, latency float64, k Kind)
}

// Advancer is a controller with a clock of its own: it is told of every event's
// instant (ns, Env.Now) before the event happens.
type Advancer interface{ Advance(now int64) }

// Closer is a controller that holds something.
type Closer interface{ Close() }

// Gauge is what a controller shows of itself, for the plots of a report.
type Gauge struct {
	R, Base, Pressure, Momentum, Scar float64 // ohms
	N, L                              float64 // in flight, limit; 0: not known
	Mode                              string
}

// Inspector is a controller that can be looked into.
type Inspector interface{ Inspect() Gauge }

// Env is what a controller gets from the simulator.
type Env struct {
	Now  func() int64                // virtual time, ns
	At   func(t int64, run func())   // calls run at instant t
	Rand *rand.Rand                  // the controller's own seeded stream
	Loop any                         // the *vtime.Loop: the clock and scheduler of an engine under test
	Cap  float64                     // the backend's true concurrency; for the arms that may know it
	Look func() (busy, wait float64) // busy share of servers and queueing delay of the head in ms; for privileged arms
}

// Factory makes a controller for one run.
type Factory func(env *Env) Controller

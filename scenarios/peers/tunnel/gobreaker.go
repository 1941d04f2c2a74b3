package tunnel

import (
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/atrion-io/atrion/internal/sim"
)

var errFailed = errors.New("failed")

// failure is how an outcome is told to a library that takes an error.
func failure(k sim.Kind) error {
	if k == sim.OK {
		return nil
	}
	return errFailed
}

// sony is gobreaker by its two-step interface, whose callback carries the
// generation of the admission: a late outcome of an earlier state is dropped by
// the library itself.
type sony struct {
	clock
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	calls   sim.Tickets[func(error)]
	state   gobreaker.State
}

func newSony(s gobreaker.Settings) sim.Factory {
	return func(env *sim.Env) sim.Controller {
		c := &sony{clock: newClock(env)}
		own := s // runs beside each other share the factory
		// State() would begin a new window when asked; being told does not.
		own.OnStateChange = func(_ string, _, to gobreaker.State) { c.state = to }
		c.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](own)
		return c
	}
}

// tunedSony trips when half of at least twenty requests of ten seconds failed,
// by the rule in the library's own example. Requests in flight are among them,
// so that a backend which hangs is noticed late.
func tunedSony() gobreaker.Settings {
	return gobreaker.Settings{
		MaxRequests: 10,
		Interval:    10 * time.Second,
		Timeout:     5 * time.Second,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return n.Requests >= 20 && 2*n.TotalFailures >= n.Requests
		},
	}
}

// rollingSony counts what is over and lets it slide out of the window second by
// second: the best that we know how to set up.
func rollingSony() gobreaker.Settings {
	s := tunedSony()
	s.BucketPeriod = time.Second
	s.ReadyToTrip = func(n gobreaker.Counts) bool {
		return n.TotalSuccesses+n.TotalFailures >= 20 && n.TotalFailures >= n.TotalSuccesses
	}
	return s
}

func (c *sony) Admit(sim.Attempt) (sim.Ticket, bool) {
	c.sync()
	done, err := c.breaker.Allow()
	if err != nil {
		return 0, false
	}
	return c.calls.Put(done), true
}

func (c *sony) Done(t sim.Ticket, _ float64, k sim.Kind) {
	c.sync()
	c.calls.Take(t)(failure(k))
}

func (c *sony) Inspect() sim.Gauge {
	return sim.Gauge{N: float64(c.calls.Len()), Mode: c.state.String()}
}

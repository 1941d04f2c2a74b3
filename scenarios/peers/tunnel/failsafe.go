package tunnel

import (
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/atrion-io/atrion/internal/sim"
)

// failsafe is failsafe-go's circuit breaker by its standalone interface, which
// has no mark for an admission: an outcome counts for the state in which it
// arrives.
type failsafe struct {
	clock
	breaker  circuitbreaker.CircuitBreaker[struct{}]
	inflight int
}

func newFailsafe(env *sim.Env) sim.Controller {
	c := &failsafe{clock: newClock(env)}
	c.breaker = circuitbreaker.NewBuilder[struct{}]().
		WithFailureRateThreshold(0.5, 20, 10*time.Second).
		WithDelay(5 * time.Second).
		WithSuccessThreshold(5).
		Build()
	return c
}

func (c *failsafe) Admit(sim.Attempt) (sim.Ticket, bool) {
	c.sync()
	if !c.breaker.TryAcquirePermit() {
		return 0, false
	}
	c.inflight++
	return 0, true
}

func (c *failsafe) Done(_ sim.Ticket, _ float64, k sim.Kind) {
	c.sync()
	c.inflight--
	if k == sim.OK {
		c.breaker.RecordSuccess()
	} else {
		c.breaker.RecordFailure()
	}
}

func (c *failsafe) Inspect() sim.Gauge {
	return sim.Gauge{N: float64(c.inflight), Mode: c.breaker.State().String()}
}

package tunnel

import (
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/atrion-io/atrion/internal/sim"
)

// limiter is failsafe-go's adaptive limiter. Its default greatest limit of 200
// would be below the capacity of some cases, so it is raised; the rest is
// default. As in the library's own executor every outcome is recorded: it
// learns from durations, whatever came of them.
type limiter struct {
	clock
	limiter adaptivelimiter.AdaptiveLimiter[struct{}]
	permits sim.Tickets[adaptivelimiter.Permit]
}

func newLimiter(env *sim.Env) sim.Controller {
	c := &limiter{clock: newClock(env)}
	c.limiter = adaptivelimiter.NewBuilder[struct{}]().WithLimits(1, 2000, 20).Build()
	return c
}

func (c *limiter) Admit(sim.Attempt) (sim.Ticket, bool) {
	c.sync()
	p, ok := c.limiter.TryAcquirePermit()
	if !ok {
		return 0, false
	}
	return c.permits.Put(p), true
}

func (c *limiter) Done(t sim.Ticket, _ float64, _ sim.Kind) {
	c.sync()
	c.permits.Take(t).Record()
}

func (c *limiter) Inspect() sim.Gauge {
	return sim.Gauge{N: float64(c.limiter.Inflight()), L: float64(c.limiter.Limit())}
}

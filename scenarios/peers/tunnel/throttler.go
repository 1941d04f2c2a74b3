package tunnel

import (
	"math/rand/v2"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivethrottler"
	"github.com/failsafe-go/failsafe-go/priority"

	"github.com/atrion-io/atrion/internal/sim"
)

// throttler is failsafe-go's adaptive throttler with its defaults. It throws
// its dice with a source that cannot be seeded. Asking it for a permit changes
// nothing but the rate that it shows, so the permit is asked for, its answer
// ignored, and the die thrown again with the run's own source and that rate.
type throttler struct {
	clock
	throttler adaptivethrottler.AdaptiveThrottler[struct{}]
	rand      *rand.Rand
	inflight  int
}

func newThrottler(env *sim.Env) sim.Controller {
	c := &throttler{clock: newClock(env), rand: env.Rand}
	c.throttler = adaptivethrottler.NewWithDefaults[struct{}]()
	return c
}

func (c *throttler) Admit(sim.Attempt) (sim.Ticket, bool) {
	c.sync()
	c.throttler.TryAcquirePermit()
	if p := c.throttler.RejectionRate(); p > 0 && p >= c.rand.Float64() {
		return 0, false
	}
	c.inflight++
	return 0, true
}

// recorder is what both forms of the throttler learn by.
type recorder interface {
	RecordSuccess()
	RecordFailure()
}

func record(r recorder, k sim.Kind) {
	if k == sim.OK {
		r.RecordSuccess()
	} else {
		r.RecordFailure()
	}
}

func (c *throttler) Done(_ sim.Ticket, _ float64, k sim.Kind) {
	c.sync()
	c.inflight--
	record(c.throttler, k)
}

func (c *throttler) Inspect() sim.Gauge { return throttled(c.inflight, c.throttler) }

func throttled(inflight int, m adaptivethrottler.Metrics) sim.Gauge {
	g := sim.Gauge{N: float64(inflight), Mode: "open"}
	if m.RejectionRate() > 0 {
		g.Mode = "throttling"
	}
	return g
}

// calibration is how often the prioritized throttler finds its threshold. The
// library leaves that to its user and offers a goroutine for it; an event of
// the simulator keeps its order with the others.
const calibration = 500 * time.Millisecond

// prioritized is the same throttler in its form with priorities, over ten
// seconds and at least twenty executions: the default minute would outlast most
// cases. Classes take the library's levels; dice as above.
type prioritized struct {
	clock
	throttler   adaptivethrottler.PriorityThrottler[struct{}]
	prioritizer priority.Prioritizer
	rand        *rand.Rand
	inflight    int
}

func newPrioritized(env *sim.Env) sim.Controller {
	c := &prioritized{clock: newClock(env), rand: env.Rand, prioritizer: adaptivethrottler.NewPrioritizer()}
	c.throttler = adaptivethrottler.NewBuilder[struct{}]().
		WithFailureRateThreshold(0.1, 20, 10*time.Second).
		BuildPrioritized(c.prioritizer)
	var calibrate func()
	calibrate = func() {
		c.Advance(env.Now())
		c.sync()
		c.prioritizer.Calibrate()
		env.At(env.Now()+int64(calibration), calibrate)
	}
	env.At(env.Now()+int64(calibration), calibrate)
	return c
}

// ranks are the priorities of the classes.
var ranks = [sim.Classes]priority.Priority{
	sim.VIP:        priority.VeryHigh,
	sim.Normal:     priority.Medium,
	sim.Background: priority.VeryLow,
}

// trickle is the share that the throttler lets through below its threshold: one
// less its greatest rejection rate, which is the default.
const trickle = 1 - 0.9

func (c *prioritized) Admit(a sim.Attempt) (sim.Ticket, bool) {
	c.sync()
	p := ranks[a.Class]
	level := p.MinLevel() + c.rand.IntN(p.MaxLevel()-p.MinLevel()+1)
	if level < c.prioritizer.RejectionThreshold() {
		if c.rand.Float64() >= trickle {
			return 0, false
		}
		// Won here, but the library throws again. A lost throw leaves no trace
		// in it, so it throws until it wins too.
		for !c.throttler.TryAcquirePermitWithLevel(level) {
		}
	} else if !c.throttler.TryAcquirePermitWithLevel(level) {
		return 0, false
	}
	c.inflight++
	return 0, true
}

func (c *prioritized) Done(_ sim.Ticket, _ float64, k sim.Kind) {
	c.sync()
	c.inflight--
	record(c.throttler, k)
}

func (c *prioritized) Inspect() sim.Gauge { return throttled(c.inflight, c.throttler) }

package tunnel

import (
	"math"
	"time"

	"github.com/zeromicro/go-zero/core/collection"

	"github.com/atrion-io/atrion/internal/sim"
)

// What go-zero's shedder has for defaults.
const (
	shedWindow    = 5 * time.Second
	shedBuckets   = 50
	shedBucket    = shedWindow / shedBuckets
	shedThreshold = 900 // of the processor, in thousandths
	shedCooling   = time.Second
	shedSlowest   = 1000 // ms; the fastest response while there is none
	shedInertia   = 0.9
	shedLeast     = 0.1 // share of the allowed flight that is left in any load
)

type shedCounts = collection.RollingWindow[int64, *collection.Bucket[int64]]

func newShedCounts() *shedCounts {
	return collection.NewRollingWindow(
		func() *collection.Bucket[int64] { return new(collection.Bucket[int64]) },
		shedBuckets, shedBucket,
		collection.IgnoreCurrentBucket[int64, *collection.Bucket[int64]]())
}

// shedder is the law of go-zero's load.AdaptiveShedder over the library's own
// rolling windows. The library cannot be used itself: it reads the utilization
// of the processor from one number per process, which is measured, so that runs
// beside each other would share it and none would repeat. A test puts it beside
// the library, on the same traffic and at a utilization that can be forced.
type shedder struct {
	clock
	cpu      func() int64
	passes   *shedCounts
	times    *shedCounts // ms
	starts   sim.Tickets[time.Time]
	flying   float64
	smooth   float64 // flying, smoothed over completions
	overload time.Time
	dropped  bool // since the last overload
}

func newShedder(env *sim.Env) sim.Controller { return makeShedder(env, newProcessor(env).millis) }

func makeShedder(env *sim.Env, cpu func() int64) *shedder {
	c := &shedder{clock: newClock(env), cpu: cpu}
	c.passes, c.times = newShedCounts(), newShedCounts()
	return c
}

// allowed is the greatest flight by Little's law: the most passes of a bucket
// times the least mean time of one, less when the processor is nearly full.
func (c *shedder) allowed() float64 {
	most, least := int64(1), float64(shedSlowest)
	c.passes.Reduce(func(b *collection.Bucket[int64]) { most = max(most, b.Sum) })
	c.times.Reduce(func(b *collection.Bucket[int64]) {
		if b.Count > 0 {
			least = min(least, math.Round(float64(b.Sum)/float64(b.Count)))
		}
	})
	const perMilli = float64(time.Second/shedBucket) / 1000
	return max(float64(most)*least*perMilli, 1)
}

// room is the part of the allowed flight that the processor leaves.
func (c *shedder) room() float64 {
	return min(max((1000-float64(c.cpu()))/(1000-shedThreshold), shedLeast), 1)
}

// hot tells whether the processor is overloaded, or was within a second in
// which something was dropped.
func (c *shedder) hot() bool {
	if c.cpu() >= shedThreshold {
		c.overload = time.Now()
		return true
	}
	if !c.dropped || c.overload.IsZero() {
		return false
	}
	c.dropped = time.Since(c.overload) < shedCooling
	return c.dropped
}

func (c *shedder) Admit(sim.Attempt) (sim.Ticket, bool) {
	c.sync()
	if c.hot() {
		if limit := c.allowed() * c.room(); c.smooth > limit && c.flying > limit {
			c.dropped = true
			return 0, false
		}
	}
	c.flying++
	return c.starts.Put(time.Now()), true
}

// Done counts passes as the framework's middleware does, which leaves out
// timeouts and 503; errors are taken for the latter, to the shedder's advantage.
func (c *shedder) Done(t sim.Ticket, _ float64, k sim.Kind) {
	c.sync()
	c.flying--
	c.smooth = shedInertia*c.smooth + (1-shedInertia)*c.flying
	start := c.starts.Take(t)
	if k == sim.OK {
		ms := float64(time.Since(start)) / float64(time.Millisecond)
		c.times.Add(int64(math.Ceil(ms)))
		c.passes.Add(1)
	}
}

func (c *shedder) Inspect() sim.Gauge {
	return sim.Gauge{N: c.flying, L: c.allowed() * c.room()}
}

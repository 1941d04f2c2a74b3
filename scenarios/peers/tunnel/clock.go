package tunnel

import (
	"time"

	"github.com/atrion-io/atrion/internal/sim"
)

// epochs is how far a bubble's clock is set forward before a library is made.
// A bubble begins in the year 2000; a library that measures from an instant of
// its own process (go-zero: the start of the process less thirteen months)
// would find itself before it and take its own times for "never".
const epochs = 100 * 365 * 24 * time.Hour

// clock keeps the fake clock of a bubble at the simulator's instants. A library
// is asked only after sync, so that time.Now within it is the simulated time,
// and its timers and goroutines have had their turn on the way there. Events
// that do not touch the controller cost no sleep: Advance only remembers.
type clock struct{ now, at int64 }

// newClock must be called before the library is made. The part of a second
// that it adds is the run's own: libraries that seed their dice by the clock
// get another seed in every run, and the same one in its repetition.
func newClock(env *sim.Env) clock {
	time.Sleep(epochs + time.Duration(env.Rand.Int64N(int64(time.Second))))
	now := env.Now()
	return clock{now: now, at: now}
}

// Advance implements sim.Advancer.
func (c *clock) Advance(now int64) { c.now = now }

// sync sleeps until the bubble's clock shows the simulator's instant.
func (c *clock) sync() {
	if d := c.now - c.at; d > 0 {
		time.Sleep(time.Duration(d))
		c.at = c.now
	}
}

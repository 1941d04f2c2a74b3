package tunnel

import (
	"testing/synctest"
	"time"

	"github.com/eapache/go-resiliency/breaker"

	"github.com/atrion-io/atrion/internal/sim"
)

// resiliencyOpen is how long go-resiliency's breaker stays open.
const resiliencyOpen = 5 * time.Second

// resiliency is eapache/go-resiliency's breaker, which runs a function and
// blocks. Admission is the check with which Run begins; the rest of Run follows
// when the attempt is over, with the state of its admission: a success that was
// let in by a closed breaker is never counted.
type resiliency struct {
	clock
	breaker *breaker.Breaker
	states  sim.Tickets[breaker.State]
}

func newResiliency(env *sim.Env) sim.Controller {
	c := &resiliency{clock: newClock(env)}
	c.breaker = breaker.New(3, 1, resiliencyOpen) // as in its README
	return c
}

// settle lets the goroutine that half-opens the breaker finish, if this is its
// instant.
func (c *resiliency) settle() {
	c.sync()
	synctest.Wait()
}

func (c *resiliency) Admit(sim.Attempt) (sim.Ticket, bool) {
	c.settle()
	s := c.breaker.GetState()
	if s == breaker.Open {
		return 0, false
	}
	return c.states.Put(s), true
}

func (c *resiliency) Done(t sim.Ticket, _ float64, k sim.Kind) {
	c.settle()
	err := failure(k)
	if c.states.Take(t) == breaker.Closed && err == nil {
		return
	}
	// Refused if open meanwhile, when the library would not count it either.
	_ = c.breaker.Run(func() error { return err })
}

func (c *resiliency) Inspect() sim.Gauge {
	mode := "closed"
	switch c.breaker.GetState() {
	case breaker.Open:
		mode = "open"
	case breaker.HalfOpen:
		mode = "half-open"
	}
	return sim.Gauge{N: float64(c.states.Len()), Mode: mode}
}

// Close waits for the goroutine that half-opens the breaker; the library has no
// other end for it.
func (c *resiliency) Close() {
	time.Sleep(resiliencyOpen)
	synctest.Wait()
}

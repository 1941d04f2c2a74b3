package windtunnel

import "github.com/atrion-io/atrion/internal/sim"

// gauged returns the factory of a controller that can be looked into: as it is
// if it can already, and else with a count of what is in flight.
func gauged(f sim.Factory) sim.Factory {
	return func(env *sim.Env) sim.Controller {
		c := f(env)
		if _, ok := c.(sim.Inspector); ok {
			return c
		}
		// What else a controller is decides how the simulator treats it.
		n := &counted{Controller: c}
		a, advances := c.(sim.Advancer)
		q, queues := c.(sim.Queuer)
		switch {
		case advances && queues:
			return struct {
				*counted
				sim.Advancer
				sim.Queuer
			}{n, a, q}
		case advances:
			return struct {
				*counted
				sim.Advancer
			}{n, a}
		case queues:
			return struct {
				*counted
				sim.Queuer
			}{n, q}
		}
		return n
	}
}

// counted counts what its controller has admitted and was not told the end of.
type counted struct {
	sim.Controller
	inflight int
}

func (c *counted) Admit(a sim.Attempt) (sim.Ticket, bool) {
	t, ok := c.Controller.Admit(a)
	if ok {
		c.inflight++
	}
	return t, ok
}

func (c *counted) Done(t sim.Ticket, latency float64, k sim.Kind) {
	c.inflight--
	c.Controller.Done(t, latency, k)
}

func (c *counted) Inspect() sim.Gauge { return sim.Gauge{N: float64(c.inflight)} }

func (c *counted) Close() {
	if closer, ok := c.Controller.(sim.Closer); ok {
		closer.Close()
	}
}

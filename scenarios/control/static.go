package control

import "github.com/atrion-io/atrion/internal/sim"

// static is a limit on the attempts in flight, set once, at the number of
// servers the backend has in full health: the knee of its load curve. It is
// what somebody who knows the backend, and takes it for constant, configures.
type static struct{ inflight, limit int }

func newStatic(env *sim.Env) sim.Controller { return &static{limit: int(env.Cap)} }

func (s *static) Admit(sim.Attempt) (sim.Ticket, bool) {
	if s.inflight >= s.limit {
		return 0, false
	}
	s.inflight++
	return 0, true
}

func (s *static) Done(sim.Ticket, float64, sim.Kind) { s.inflight-- }

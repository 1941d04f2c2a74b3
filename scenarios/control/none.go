package control

import "github.com/atrion-io/atrion/internal/sim"

// none admits everything. It is the control arm in the sense of an experiment:
// a verdict that it passes proves nothing.
type none struct{}

func newNone(*sim.Env) sim.Controller { return none{} }

func (none) Admit(sim.Attempt) (sim.Ticket, bool) { return 0, true }
func (none) Done(sim.Ticket, float64, sim.Kind)   {}

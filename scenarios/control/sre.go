package control

import "github.com/atrion-io/atrion/internal/sim"

// sre is adaptive throttling at the client, from the chapter "Handling
// Overload" of Beyer et al., Site Reliability Engineering: of the last two
// minutes' attempts, those beyond K times the successful ones are rejected at
// random, with probability (attempts - K successes)/(attempts + 1).
type sre struct {
	env    *sim.Env
	recent window // attempts, and successes
}

const (
	sreK      = 2
	sreWindow = 120 // s
)

func newSRE(env *sim.Env) sim.Controller { return &sre{env: env, recent: newWindow(sreWindow)} }

func (s *sre) Admit(sim.Attempt) (sim.Ticket, bool) {
	now := s.env.Now()
	s.recent.roll(now)
	n := s.recent.total
	p := float64(n.all-sreK*n.some) / float64(n.all+1)
	admitted := s.env.Rand.Float64() >= p
	s.recent.add(now, 1, 0) // rejected ones count too: that is what the algorithm rests on
	return 0, admitted
}

func (s *sre) Done(_ sim.Ticket, _ float64, k sim.Kind) {
	if k == sim.OK {
		s.recent.add(s.env.Now(), 0, 1)
	}
}

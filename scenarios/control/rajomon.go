package control

import "github.com/atrion-io/atrion/internal/sim"

// rajomon is the market of Xing et al., Rajomon: Decentralized and Coordinated
// Overload Control for Latency-Sensitive Microservices, NSDI 2025, at a single
// service: requests carry tokens, the interface has a price, and who carries
// less is rejected. Every 10 ms the price rises in proportion to the queueing
// delay over a threshold, each rise in a row by less, and falls in proportion
// to what the delay is under it.
//
// Clients attach a random part of what they have, which is the strategy
// "uniform" of the published code; what they have is the voltage. Threshold and
// step are settings that the authors tune for every application; these are the
// best of a coarse search over the closed-loop cases with one seed.
//
// It is privileged: it reads the delay off the queue.
type rajomon struct {
	env   *sim.Env
	price float64
	rises int     // in a row
	damp  float64 // rajomonDecay to the power of rises
}

const (
	rajomonEvery     = int64(10e6)
	rajomonThreshold = 10.0 // ms
	rajomonStep      = .5   // price per ms of delay and update
	rajomonDecay     = .8   // of each rise beyond the second in a row
)

func newRajomon(env *sim.Env) sim.Controller {
	r := &rajomon{env: env, damp: 1}
	r.arm()
	return r
}

func (r *rajomon) arm() {
	r.env.At(r.env.Now()+rajomonEvery, func() {
		_, delay := r.env.Look()
		r.update(delay)
		r.arm()
	})
}

func (r *rajomon) update(delay float64) {
	change := rajomonStep * (delay - rajomonThreshold)
	if change <= 0 {
		r.rises, r.damp = 0, 1
	} else {
		if r.rises >= 2 {
			change *= r.damp
		}
		r.rises++
		r.damp *= rajomonDecay
	}
	r.price = max(0, r.price+change)
}

func (r *rajomon) Admit(a sim.Attempt) (sim.Ticket, bool) {
	return 0, a.Voltage*r.env.Rand.Float64() >= r.price
}

func (*rajomon) Done(sim.Ticket, float64, sim.Kind) {}

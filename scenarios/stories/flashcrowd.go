package stories

import (
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// FlashCrowd is the listing of a coin: an exchange that is half idle is asked for
// twenty times as much at once, for 20 s, and then for what it was asked
// before.
//
// Model: 32 servers, exponential service of 50 ms, one queue without a bound,
// congestion that slows service down by up to a half: C = 640 requests a second.
// Open-loop Poisson arrivals at .5 C, 10 C and .5 C again; three classes of
// clients, three tries, a deadline of one second a try. A client that gave up
// leaves its work behind.
//
// Oracle: serves what is offered or C, whichever is less.
//
// Promises: .95 of the capacity turned into answers in time while the crowd is
// there; .9 of the oracle again within 2 s after it has left, and nobody turned
// away from then on; never a second in which a healthy backend is locked.
func FlashCrowd() scenarios.Scenario {
	s := &story{
		name:  "flash-crowd",
		about: "half of the capacity, twenty times as much for 20 s, half of it again",
		promises: []promise{
			atLeast(.95, "goodput_crowd", "capacity used in the crowd").mean(),
			atLeast(.93, "goodput_crowd", "capacity used in the crowd, worst seed"),
			atMost(2, "recover_s", "full admission after the crowd"),
			atMost(.01, "false_shed", "turned away without need"),
			atMost(0, "lockout_s", "lock-outs"),
		},
	}
	const from, to, end = 15, 35, 55
	sc := sim.Scenario{
		Duration: end,
		Clients:  sim.Clients{Load: during(.5, 10, from, to)},
		Backend:  sim.Backend{Servers: 32, Service: sim.Exponential(50), Slow: .5},
		Fault:    sim.Interval{From: from, To: to},
		Healthy:  []sim.Interval{{From: 0, To: from}, {From: to + 2, To: end}},
	}
	s.play = func(arm scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, error) {
		out, _, err := s.closed(sc, arm, seed, o)
		r := &out.Result
		put(&out, "goodput_crowd", float64(r.GoodputFault), "1")
		put(&out, "recover_s", float64(r.Recover), "s")
		put(&out, "false_shed", float64(r.FalseShed), "1")
		put(&out, "lockout_s", float64(r.Lockout), "s")
		return out, err
	}
	return s
}

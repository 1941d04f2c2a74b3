package stories

import (
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// CBRecovery is the service that goes to pieces for half a minute and comes back:
// twenty times slower, and half of the answers are errors. In the original the
// client never asked the gate; this one obeys it.
//
// Model: 32 servers, exponential service of 20 ms, C = 1600 requests a second, of
// which .6 are asked for; deadline of one second, three tries. In the fault
// service takes 20 times as long and fails with even odds; then it is well again.
//
// Oracle: knows capacity and error rate at every moment.
//
// Promises: half of the attempts turned away within 2 s of the fault; .95 of the
// oracle within 2 s of its end, in every seed; a healthy backend is never locked.
// Not promised is the goodput in the fault (measured as goodput_fault): a service
// 20 times slower and no smaller looks like a queue at first, and the limit falls
// below what the servers could still work on until a dip has measured it anew.
func CBRecovery() scenarios.Scenario {
	s := &story{
		name:  "cb-recovery",
		about: "20 times slower with half of the answers errors for 30 s, to a client that obeys the gate",
		promises: []promise{
			atMost(2, "trip_s", "from the fault to shedding"),
			atMost(2, "recover_s", "from the end of the fault to .95 of the goodput"),
			atMost(0, "lockout_s", "lock-outs"),
			atMost(.01, "false_shed", "turned away without need"),
		},
	}
	const from, to, end = 20, 50, 75
	sc := sim.Scenario{
		Duration: end,
		Clients:  sim.Clients{Load: sim.Const(.6)},
		Backend: sim.Backend{
			Servers: 32, Service: sim.Exponential(20), ErrorCost: 1, Slow: .5,
			Slowness: during(1, 20, from, to),
			Errors:   during(.02, .5, from, to),
		},
		Fault:   sim.Interval{From: from, To: to},
		Healthy: []sim.Interval{{From: 0, To: from}, {From: to + 2, To: end}},
	}
	s.play = func(arm scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, error) {
		out, t, err := s.closed(sc, arm, seed, o)
		if err != nil {
			return out, err
		}
		trip := float64(to - from)
		for at := float64(from); at+1 <= to; at += .1 {
			if shedShare(t, at, at+1) >= .5 {
				trip = at - from
				break
			}
		}
		put(&out, "trip_s", trip, "s")
		put(&out, "recover_s", reaches(allOf(t.Good), possible(t), .95, to, end), "s")
		put(&out, "lockout_s", float64(out.Lockout), "s")
		put(&out, "false_shed", float64(out.FalseShed), "1")
		put(&out, "goodput_fault", float64(out.GoodputFault), "1")
		return out, nil
	}
	return s
}

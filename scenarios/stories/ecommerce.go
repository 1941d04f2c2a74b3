package stories

import (
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// Ecommerce is the day of the sale: checkouts and searches share one database, and
// what is asked of it goes from .8 of its capacity to twice that for 40 s.
//
// Model: 32 connections that the database works on at a time, 50 ms each on
// average, up to a half slower when many wait: C = 640 queries a second. A fifth
// of the requests are checkouts, worth 150 dollars each and bidding 100 V; the
// others are searches, 20 V. Both must be answered within 500 ms and ask three
// times. Arrivals do not slow down because answers do.
//
// Oracle: serves checkouts first and searches with what is left of C.
//
// Promises: checkouts served within the SLO, revenue against the oracle's,
// searches served with what is left, which is never nothing, and all as it was
// within 2 s.
func Ecommerce() scenarios.Scenario {
	s := &story{
		name:  "ecommerce",
		about: "checkouts and searches share a database, .8 of its capacity and then twice that",
		promises: []promise{
			atLeast(.99, "checkouts", "checkouts served within the SLO in the sale"),
			atLeast(.95, "revenue", "revenue of what a clairvoyant had made, in the whole run"),
			atLeast(.9, "searches", "searches served in the sale, of what checkouts leave of the capacity"),
			atMost(0, "search_dark_s", "longest time without any search served"),
			atMost(2, "recover_s", "recovery after the sale"),
			atMost(.01, "false_shed", "turned away without need").mean(),
		},
	}
	const from, to, end = 20, 60, 80
	sc := sim.Scenario{
		Duration: end,
		Clients: sim.Clients{
			Load: during(.8, 2, from, to), Mix: [sim.Classes]float64{.2, 0, .8}, Timeout: 500,
		},
		Backend: sim.Backend{Servers: 32, Service: sim.Lognormal{Average: 50, Sigma: .5}, Slow: .5},
		Fault:   sim.Interval{From: from, To: to},
		Healthy: []sim.Interval{{From: 0, To: from}, {From: to + 2, To: end}},
	}
	s.play = func(arm scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, error) {
		out, t, err := s.closed(sc, arm, seed, o)
		if err != nil {
			return out, err
		}
		bought, wanted := t.Good[sim.VIP], t.Offered[sim.VIP]
		left := 0.0
		for i := from * 10; i < to*10; i++ {
			left += float64(t.Capacity[i]) - float64(wanted[i])
		}
		found := t.Good[sim.Background]
		put(&out, "checkouts", float64(out.VIP), "1")
		put(&out, "revenue", ratio(total(bought, 0, end), total(wanted, 0, end)), "1")
		put(&out, "searches", ratio(total(found, from, to), left), "1")
		put(&out, "search_dark_s", dark(found, from, to), "s")
		put(&out, "recover_s", float64(out.Recover), "s")
		put(&out, "false_shed", float64(out.FalseShed), "1")
		return out, nil
	}
	return s
}

// dark returns the longest stretch of whole seconds (s) without a count.
func dark(counts []uint32, from, to float64) float64 {
	most, run := 0.0, 0.0
	for t := from; t < to; t++ {
		if total(counts, t, t+1) > 0 {
			run = 0
		} else if run++; run > most {
			most = run
		}
	}
	return most
}

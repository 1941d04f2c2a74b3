package stories

import (
	"math"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// Chaos is a backend that answers at random with errors and late, at five rates of
// requests from 1 to 10,000 a second. In the original the rate decided what became
// of it: the same backend was never shed at a low rate and locked out for ever at
// ten times that rate.
//
// Model: at each rate a backend of the same kind and of the size that the rate
// wants (service of 60 ms on average, one request in ten takes six times the
// usual, and an error takes as long as an answer). First the trip point: error
// rates of 1, 40, 80 and 1 % in turn, everybody asks once and nothing else is
// wrong, so that a request is turned away for the errors only. Then the step: 1 %
// to 40 % for 6 s and back, with clients that ask three times, at .8 of the
// capacity: the tries that errors add are more than the backend can take. The
// lower the rate the longer it all takes, since there is little to count.
//
// Oracle: knows the error rate and the capacity.
//
// Promises: a route counts as tripped where more than a tenth is turned away. At
// every rate it is not at 1 % and at 40 % of errors, and is at 80 %: the trip
// point, 60 % with the product's usual settings, does not move with the rate. (At
// 1 request a second the memory of one second holds one or two calls, which is why
// the tenth is needed.) From 100 requests a second on, where the step is more than
// the backend can take: it is met by shedding within 5 s, for the load that errors
// make and not for the errors; .9 of the oracle within 2 s of its end.
func Chaos() scenarios.Scenario {
	s := &story{
		name:  "chaos",
		about: "random errors and slowness at 1 to 10,000 requests a second",
		promises: []promise{
			atMost(.01, "shed_1", "turned away at 1 % of errors, at the worst of all rates"),
			atMost(.1, "shed_40", "turned away at 40 % of errors, at the worst of all rates"),
			atLeast(.1, "shed_80", "turned away at 80 % of errors, at the least of all rates"),
			atMost(5, "detect_s", "from the step of 1 to 40 % to shedding, at the slowest rate"),
			atMost(2, "recover_s", "recovery from it, at the slowest rate"),
			atLeast(.8, "goodput", "of what could succeed in the step, at the worst rate").mean(),
		},
	}
	s.play = func(arm scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, error) {
		out := s.outcome(arm, seed)
		var shed [3]float64
		shed[2] = math.Inf(1)
		detect, recovery, worst := 0.0, 0.0, math.Inf(1)
		for _, c := range chaosRates {
			sc := c.backend(.4)
			sc.Clients.Attempts = 1
			k := c.unit
			sc.Backend.Errors = sim.Steps(at(0, .01), at(k, .4), at(2*k, .8), at(3*k, .01))
			sc.Duration = 4 * k
			_, t, err := s.closed(sc, arm, seed, sim.Options{})
			if err != nil {
				return out, err
			}
			shed[0] = max(shed[0], shedShare(t, k/2, k))
			shed[1] = max(shed[1], shedShare(t, 1.4*k, 2*k))
			shed[2] = min(shed[2], shedShare(t, 2.4*k, 3*k))
			if c.rate < 100 {
				continue
			}
			sc = c.backend(.8)
			sc.Fault = sim.Interval{From: 3, To: 9}
			sc.Backend.Errors = during(.01, .4, 3, 9)
			sc.Duration = 13
			var traced sim.Options
			if c.rate == 1000 {
				traced.Trace = o.Trace
			}
			step, t, err := s.closed(sc, arm, seed, traced)
			if err != nil {
				return out, err
			}
			detect = max(detect, firstShed(t, 3, 9))
			recovery = max(recovery, float64(step.Recover))
			worst = min(worst, float64(step.GoodputFault))
		}
		out.Recover, out.GoodputFault = number(recovery), number(worst)
		put(&out, "shed_1", shed[0], "1")
		put(&out, "shed_40", shed[1], "1")
		put(&out, "shed_80", shed[2], "1")
		put(&out, "detect_s", detect, "s")
		put(&out, "recover_s", recovery, "s")
		put(&out, "goodput", worst, "1")
		return out, nil
	}
	return s
}

// firstShed returns how long (s) after an instant a second ends of which more than
// one per cent was turned away, and all the time there is if none does.
func firstShed(t *sim.Trace, from, to float64) float64 {
	for at := 0.0; from+at+1 <= to; at += .1 {
		if shedShare(t, from+at, from+at+1) > .01 {
			return at + 1
		}
	}
	return to - from
}

// chaosRate is a rate of requests per second, and how long (s) a phase at it is.
type chaosRate struct{ rate, unit float64 }

var chaosRates = [...]chaosRate{{1, 600}, {10, 60}, {100, 10}, {1000, 5}, {10000, 2}}

// backend is one for that rate, which is load of its capacity unless it is too
// small for that.
func (c chaosRate) backend(load float64) sim.Scenario {
	service := sim.Mixture{Share: .1, Rare: sim.Exponential(240), Ordinary: sim.Exponential(40)}
	b := sim.Backend{Service: service, ErrorCost: 1}
	b.Servers = max(4, int(math.Round(c.rate*service.Mean()/1000/load)))
	return sim.Scenario{Clients: sim.Clients{Load: sim.Const(c.rate / b.Capacity())}, Backend: b}
}

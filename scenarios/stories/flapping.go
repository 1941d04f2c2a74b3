package stories

import (
	"math"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
	"github.com/atrion-io/atrion/scenarios/control"
)

// Flapping is the error rate that hovers where breakers trip and then steps. The
// original counted the transitions of a gate that saw every outcome, whether it
// let the call through or not, and its engine won by never closing again.
//
// Model: 32 servers, 50 ms, an error takes as long as an answer; .65 of the
// capacity is asked for, three tries. The error rate is 1 %; from second 15 to 45
// it swings around 50 %, where a standard breaker trips, by 5 %; from 65 to 85 it
// is 60 %; else 1 %. A gate learns only of the calls it let through. With errors
// the tries add up to more than the backend can do.
//
// Oracle: knows capacity and error rate.
//
// Promises: at most one transition (from most requests admitted to most turned
// away, and back) per real change of which there are four; more goodput than the
// standard breaker in the same seed; after each of the two faults sooner back than
// the breaker, and within 2 s.
func Flapping() scenarios.Scenario {
	s := &story{
		name:  "flapping",
		about: "error rate around the trip point, then 1 % to 60 % and back",
		promises: []promise{
			atMost(4, "transitions", "transitions for four real changes"),
			atLeast(.05, "goodput_ahead", "goodput above the standard breaker's"),
			atLeast(.001, "recovery_ahead_s", "recovery sooner than the breaker's"),
			atMost(2, "recover_s", "recovery, the slower of two"),
		},
	}
	const end = 105
	errors := []sim.Point{at(0, .01)}
	for i := range 120 {
		t := 15 + float64(i)/4
		errors = append(errors, at(t, .5+.05*swing(t/4)))
	}
	errors = append(errors, at(45, .01), at(65, .6), at(85, .01))
	sc := sim.Scenario{
		Duration: end,
		Clients:  sim.Clients{Load: sim.Const(.65)},
		Backend: sim.Backend{
			Servers: 32, Service: sim.Exponential(50), ErrorCost: 1, Slow: .5, Errors: sim.Steps(errors...),
		},
		Fault:   sim.Interval{From: 65, To: 85},
		Healthy: []sim.Interval{{From: 0, To: 15}, {From: 50, To: 65}, {From: 90, To: end}},
	}
	s.play = func(arm scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, error) {
		out, t, err := s.closed(sc, arm, seed, o)
		if err != nil {
			return out, err
		}
		standard, _ := control.Lookup("breaker")
		b := scenarios.Arm{Name: standard.Name, Factory: standard.New}
		other, theirs, err := s.closed(sc, b, seed, sim.Options{})
		if err != nil {
			return out, err
		}
		recovery := flapRecovery(t, end)
		put(&out, "transitions", float64(out.Transitions), "1")
		put(&out, "goodput_ahead", float64(out.Goodput-other.Goodput), "1")
		put(&out, "recovery_ahead_s", flapRecovery(theirs, end)-recovery, "s")
		put(&out, "recover_s", recovery, "s")
		put(&out, "goodput", float64(out.Goodput), "1")
		return out, nil
	}
	return s
}

// flapRecovery returns the slower one of the two recoveries.
func flapRecovery(t *sim.Trace, end float64) float64 {
	good, want := allOf(t.Good), possible(t)
	return math.Max(reaches(good, want, .9, 45, 65), reaches(good, want, .9, 85, end))
}

// swing is a wave between -1 and 1 of period 1, of straight lines, which need no
// sine that each machine rounds in its own way.
func swing(x float64) float64 {
	f := x - math.Floor(x)
	return 1 - 4*math.Abs(f-.5)
}

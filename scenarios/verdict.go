package scenarios

import (
	"fmt"
	"math"

	"github.com/atrion-io/atrion/internal/sim"
)

// Floors are the promises of a case, over all seeds together. Zero: nothing is
// promised.
type Floors struct {
	Goodput   float64 // at least, mean of the seeds
	Worst     float64 // goodput of each seed, at least
	VIP       float64 // success of VIP requests in the fault window, at least, mean
	FalseShed float64 // at most, mean
	Recover   float64 // s, at most, mean
	Lockout   float64 // s, at most, in each seed
	Failing   float64 // failing admits, at most, mean
}

// usual returns what is promised in every case.
func usual() Floors { return Floors{Goodput: .93, Worst: .85, Recover: 2, Lockout: 2} }

// vip adds a promise to VIPs. Where the capacity is enough for their demand
// alone it is .95. At five times the capacity a fifth is all of it, which
// leaves no room for chance, and four cold servers have to be learned first:
// there it is .85. Where even that cannot be, as at ten times the capacity or
// where every attempt fails with even odds, there is none.
func (c Case) vip(least float64) Case {
	c.Floors.VIP = least
	return c
}

// Failure is a promise that was not kept.
type Failure struct {
	Case    string
	Promise string
	Got     float64
}

// String says what was promised and what was got.
func (f Failure) String() string {
	return fmt.Sprintf("%s: %s, got %.4g", f.Case, f.Promise, f.Got)
}

// Verdict returns the promises that the results, one per seed, do not keep.
func (c *Case) Verdict(results []sim.Result) []Failure {
	if len(results) == 0 {
		return []Failure{{c.Name, "results", 0}}
	}
	var failures []Failure
	fail := func(kept bool, got float64, promise string, bound float64) {
		if !kept {
			failures = append(failures, Failure{c.Name, fmt.Sprintf(promise, bound), got})
		}
	}
	// The comparisons are such that NaN, a number that should be there and is
	// not, keeps no promise.
	atLeast := func(bound, got float64, promise string) {
		if bound > 0 {
			fail(got >= bound, got, promise, bound)
		}
	}
	atMost := func(bound, got float64, promise string) {
		if bound > 0 {
			fail(got <= bound, got, promise, bound)
		}
	}
	f := &c.Floors
	mean := func(of func(*sim.Result) sim.Number) float64 { return average(results, of) }
	atLeast(f.Goodput, mean(func(r *sim.Result) sim.Number { return r.Goodput }), "mean goodput >= %v")
	worst, longest := math.Inf(1), 0.0
	for i := range results {
		worst = min(worst, float64(results[i].Goodput))
		longest = max(longest, float64(results[i].Lockout))
	}
	atLeast(f.Worst, worst, "goodput of the worst seed >= %v")
	atLeast(f.VIP, mean(func(r *sim.Result) sim.Number { return r.VIP }), "VIP success >= %v")
	atMost(f.FalseShed, mean(func(r *sim.Result) sim.Number { return r.FalseShed }), "false shed <= %v")
	if !c.Fault.Empty() {
		atMost(f.Recover, mean(func(r *sim.Result) sim.Number { return r.Recover }), "recovery <= %v s")
	}
	atMost(f.Lockout, longest, "lock-out of the worst seed <= %v s")
	atMost(f.Failing, mean(func(r *sim.Result) sim.Number { return r.FailingAdmits }), "failing admits <= %v")
	return failures
}

func average(results []sim.Result, of func(*sim.Result) sim.Number) float64 {
	sum := 0.0
	for i := range results {
		sum += float64(of(&results[i]))
	}
	return sum / float64(len(results))
}

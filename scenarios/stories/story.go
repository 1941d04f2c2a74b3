package stories

import (
	"fmt"
	"math"
	"slices"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// story is what the stories have in common: a name, promises, and how it is
// played. Every number that a promise is about is a measure of the outcome.
type story struct {
	name, about string
	promises    []promise
	notYet      []string // what is promised of the finished product and needs parts that it does not have today
	play        func(arm scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, error)
}

var nan = math.NaN()

// promise is a bound on a measure over the seeds.
type promise struct {
	what    string // in words
	measure string
	over    over
	least   bool // the bound is a lower one
	bound   float64
}

type over uint8

const (
	everySeed over = iota // the worst seed
	onAverage
)

// atLeast and atMost promise a bound in every seed.
func atLeast(bound float64, measure, what string) promise {
	return promise{what: what, measure: measure, least: true, bound: bound}
}

func atMost(bound float64, measure, what string) promise {
	return promise{what: what, measure: measure, bound: bound}
}

// mean turns a promise on every seed into one on the mean of the seeds.
func (p promise) mean() promise {
	p.over = onAverage
	return p
}

// got returns the number that the promise is judged by; NaN if a seed has none.
func (p promise) got(outcomes []scenarios.Outcome) float64 {
	sum, worst := 0.0, math.Inf(1)
	if !p.least {
		worst = math.Inf(-1)
	}
	for i := range outcomes {
		v := float64(outcomes[i].Measure(p.measure))
		sum += v
		if p.least {
			worst = min(worst, v) // NaN stays
		} else {
			worst = max(worst, v)
		}
	}
	if p.over == onAverage {
		return sum / float64(len(outcomes))
	}
	return worst
}

// kept reports whether got keeps the promise; NaN keeps none.
func (p promise) kept(got float64) bool {
	if p.least {
		return got >= p.bound
	}
	return got <= p.bound
}

// Promises returns what the story promises, a line each.
func (s *story) Promises() []string {
	var lines []string
	for _, p := range s.promises {
		lines = append(lines, p.String())
	}
	return lines
}

// NotYet returns what is to be promised when the product has the parts for it.
func (s *story) NotYet() []string { return slices.Clone(s.notYet) }

func (p promise) String() string {
	sign, who := "<=", "every seed"
	if p.least {
		sign = ">="
	}
	if p.over == onAverage {
		who = "mean"
	}
	return fmt.Sprintf("%s: %s %s %v (%s)", p.what, p.measure, sign, p.bound, who)
}

// Name returns the story's name, that of the original.
func (s *story) Name() string { return s.name }

// About returns what happens, in a line.
func (s *story) About() string { return s.about }

// Run plays the story.
func (s *story) Run(arm scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, error) {
	out, err := s.play(arm, seed, o)
	if err != nil {
		return out, fmt.Errorf("stories: %s with %s: %w", s.name, arm.Name, err)
	}
	out.Scenario, out.Controller, out.Seed = s.name, arm.Name, seed
	return out, nil
}

// Verdict returns the promises that the outcomes do not keep.
func (s *story) Verdict(outcomes []scenarios.Outcome) []scenarios.Failure {
	if len(outcomes) == 0 {
		return []scenarios.Failure{{Case: s.name, Promise: "outcomes"}}
	}
	var failures []scenarios.Failure
	for _, p := range s.promises {
		if got := p.got(outcomes); !p.kept(got) {
			failures = append(failures, scenarios.Failure{Case: s.name, Promise: p.String(), Got: got})
		}
	}
	return failures
}

// outcome begins an outcome of which nothing is known yet.
func (s *story) outcome(arm scenarios.Arm, seed uint64) scenarios.Outcome {
	return scenarios.Outcome{Result: scenarios.Unknown(s.name, arm.Name, seed)}
}

// put adds a measure, rounded so that it reads well.
func put(o *scenarios.Outcome, name string, value float64, unit string) {
	o.Measures = append(o.Measures, scenarios.Measure{Name: name, Value: number(value), Unit: unit})
}

// setResult fills in the numbers of the result that are measures of the same name.
func setResult(o *scenarios.Outcome, goodput float64) {
	o.Goodput = number(goodput)
	o.Recover = o.Measure("recover_s")
	o.FalseShed = o.Measure("false_shed")
}

func number(x float64) sim.Number { return sim.Number(math.Round(x*1e6) / 1e6) }

func ratio(a, b float64) float64 {
	if b == 0 {
		return nan
	}
	return a / b
}

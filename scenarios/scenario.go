package scenarios

import (
	"math"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics"
)

// Scenario is a closed-loop case or a story: something that happens, to be
// lived through by every arm, and a verdict on it.
type Scenario interface {
	Name() string  // one word, unique
	About() string // what happens, in a line

	// Run plays the scenario with an arm and a seed. It is called from several
	// goroutines at once; the same arm, seed and options give the same outcome.
	// o.Trace, if the scenario can fill it, shows what happened over time.
	Run(arm Arm, seed uint64, o sim.Options) (Outcome, error)

	// Verdict returns the promises that outcomes of one arm, one per seed, do
	// not keep.
	Verdict(outcomes []Outcome) []Failure
}

// Outcome is what an arm made of a scenario with one seed. A story sets those
// numbers of Result that mean something in it, and the others to NaN (see
// Unknown); Scenario, Controller and Seed are always set.
type Outcome struct {
	sim.Result
	Measures []Measure `json:"measures,omitempty"` // what only this story measures, always the same in the same order
}

// Measure is a number with a name.
type Measure struct {
	Name  string     `json:"name"`
	Value sim.Number `json:"value"`
	Unit  string     `json:"unit,omitempty"` // "s", "ms", "1": a share or ratio
}

// Measure returns the value of the measure of that name; NaN: there is none.
func (o *Outcome) Measure(name string) sim.Number {
	for _, m := range o.Measures {
		if m.Name == name {
			return m.Value
		}
	}
	return unknown
}

// unknown is no number.
var unknown = sim.Number(math.NaN())

// Unknown returns a result of which nothing is known but what it is about.
func Unknown(scenario, controller string, seed uint64) sim.Result {
	return sim.Result{
		Scenario: scenario, Controller: controller, Seed: seed,
		Goodput: unknown, GoodputFault: unknown, VIP: unknown, Normal: unknown, Background: unknown,
		Value: unknown, Inversions: unknown, FalseShed: unknown, Protect: unknown, Recover: unknown,
		Lockout: unknown, Waste: unknown, P50: unknown, P99: unknown, FailingAdmits: unknown,
	}
}

// Arm is a controller under a name, as in the arms of an experiment.
type Arm struct {
	Name       string
	Factory    sim.Factory
	Privileged bool // sees or rules what a gateway cannot

	// Product tells that the factory's controller is an engine under Law, nil
	// for the engine's default. A story that needs more of it than a
	// controller, such as several routes, builds the engine itself.
	Product bool
	Law     physics.Law
}

// Looped is a scenario that is one of the closed-loop cases. Programs that
// know only the cases can play it, too.
type Looped interface {
	Scenario
	Case() Case
}

// All returns the cases as scenarios. The stories are in a package of their own.
func All() []Scenario {
	var all []Scenario
	for _, c := range Cases() {
		all = append(all, looped{c})
	}
	return all
}

// looped makes a scenario of a case.
type looped struct{ c Case }

func (l looped) Name() string  { return l.c.Name }
func (l looped) About() string { return l.c.Story }
func (l looped) Case() Case    { return l.c }

func (l looped) Run(arm Arm, seed uint64, o sim.Options) (Outcome, error) {
	r, err := sim.Run(&l.c.Scenario, arm.Name, arm.Factory, seed, o)
	return Outcome{Result: r}, err
}

func (l looped) Verdict(outcomes []Outcome) []Failure {
	results := make([]sim.Result, len(outcomes))
	for i := range outcomes {
		results[i] = outcomes[i].Result
	}
	return l.c.Verdict(results)
}

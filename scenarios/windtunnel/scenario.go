package windtunnel

import (
	"github.com/atrion-io/atrion/scenarios"
	"github.com/atrion-io/atrion/scenarios/stories"
)

// Scenarios returns everything that can be played: the closed-loop cases, which
// are compared by their numbers, and the stories, each of which has numbers of
// its own.
func Scenarios() []scenarios.Scenario { return append(scenarios.All(), stories.All()...) }

func isCase(s scenarios.Scenario) bool {
	_, ok := s.(scenarios.Looped)
	return ok
}

// cases returns the places of the cases in the plan.
func (s *Sheet) cases() (all []int) {
	for i, sc := range s.Plan.Scenarios {
		if isCase(sc) {
			all = append(all, i)
		}
	}
	return all
}

// stories returns the places of the stories in the plan.
func (s *Sheet) stories() (all []int) {
	for i, sc := range s.Plan.Scenarios {
		if !isCase(sc) {
			all = append(all, i)
		}
	}
	return all
}

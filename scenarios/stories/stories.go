package stories

import "github.com/atrion-io/atrion/scenarios"

// All returns the stories, in the order of the original's list.
func All() []scenarios.Scenario {
	return []scenarios.Scenario{
		Chaos(), Fintech(), FlashCrowd(), Security(), LLMRouter(),
		GameLOD(), GameLOD2(), CBRecovery(), PredictiveLOD(), Ecommerce(),
		IoT(), Microservices(), Autotuner(), Flapping(), LongRunning(),
	}
}

// Find returns the story of that name.
func Find(name string) (scenarios.Scenario, bool) {
	for _, s := range All() {
		if s.Name() == name {
			return s, true
		}
	}
	return nil, false
}

// Frank is a story that says what it promises and what it does not promise yet.
type Frank interface {
	scenarios.Scenario
	Promises() []string
	NotYet() []string
}

// Miss is a promise that the product does not keep today, with the number that
// was measured over the seeds of the tests, and why.
type Miss struct {
	Story   string
	Measure string
	Got     float64
	Cause   string
}

// Misses returns the promises that the product does not keep today. The tests
// demand that each is still missed by about that number, and that there are no
// others, so that the list can neither rot nor hide anything.
func Misses() []Miss {
	return []Miss{
		{"microservices", "waste", .109,
			"calls to a callee that is dead and slow fill the seats that the route has learned, for as long as each takes: " +
				"failure memory bounds the rate of probes, not how many are under way"},
		{"llm-router", "return_s", 5.3,
			"a model that was hardly asked while it failed is believed again when its failures are forgotten and its calls, of seconds each, come back well"},
	}
}

package tunnel

import (
	"github.com/sony/gobreaker/v2"

	"github.com/atrion-io/atrion/internal/sim"
)

var controllers = []struct {
	name    string
	factory sim.Factory
}{
	{"gobreaker", newSony(tunedSony())},
	{"gobreaker-rolling", newSony(rollingSony())},
	{"gobreaker-default", newSony(gobreaker.Settings{})},
	{"go-resiliency", newResiliency},
	{"failsafe-breaker", newFailsafe},
	{"failsafe-adaptive", newLimiter},
	{"failsafe-throttler", newThrottler},
	{"failsafe-throttler-prio", newPrioritized},
	{"gozero-breaker", newGozero},
	{"gozero-shedder", newShedder},
	{"kratos-bbr", newKratos},
}

// Names returns the names of the peers, in the order of tables.
func Names() []string {
	names := make([]string, len(controllers))
	for i, c := range controllers {
		names[i] = c.name
	}
	return names
}

// Lookup returns the factory of a peer; it must be called, and its controller
// used, within a bubble.
func Lookup(name string) (sim.Factory, bool) {
	for _, c := range controllers {
		if c.name == name {
			return c.factory, true
		}
	}
	return nil, false
}

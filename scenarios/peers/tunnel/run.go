package tunnel

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/atrion-io/atrion/internal/sim"
)

// Run plays a scenario with the named peer in a bubble of its own. Runs may
// happen beside each other, on goroutines of the caller: a bubble that fails
// ends its goroutine, so it gets one that is its own.
func Run(t *testing.T, s *sim.Scenario, name string, seed uint64, o sim.Options) (r sim.Result, err error) {
	f, known := Lookup(name)
	if !known {
		return r, fmt.Errorf("tunnel: unknown controller %q", name)
	}
	whole := t.Run(fmt.Sprintf("%s/%s/%d", s.Name, name, seed), func(t *testing.T) {
		synctest.Test(t, func(*testing.T) { r, err = sim.Run(s, name, f, seed, o) })
	})
	if !whole {
		return r, fmt.Errorf("tunnel: the bubble of %s, %s, seed %d failed", s.Name, name, seed)
	}
	return r, err
}

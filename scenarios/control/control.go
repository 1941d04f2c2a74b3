// Package control holds the controllers that the product is compared with and
// that have no library of their own in Go: each is written here from the
// published description of its algorithm, which its comment names.
//
// Controllers that know what only the backend can know, such as the true delay
// in its queue, are marked as privileged; a gateway could not run them.
package control

import "github.com/atrion-io/atrion/internal/sim"

// Named is a controller with its name.
type Named struct {
	Name       string
	Privileged bool // sees or rules what a gateway cannot
	New        sim.Factory
}

// All returns the controllers, the simplest first.
func All() []Named {
	return []Named{
		{"none", false, newNone},
		{"static", true, newStatic}, // nobody tells a gateway the true capacity
		{"breaker", false, newBreaker},
		{"sre", false, newSRE},
		{"gradient2", false, newGradient2},
		{"vegas", false, newVegas},
		{"dagor", true, newDagor},
		{"codel", true, newCodel},
		{"rajomon", true, newRajomon},
	}
}

// Lookup returns the controller of that name.
func Lookup(name string) (Named, bool) {
	for _, c := range All() {
		if c.Name == name {
			return c, true
		}
	}
	return Named{}, false
}

package main

import (
	"context"
	"io"
	"testing"
)

// The example does what it says: the guard sheds while the service is ill and
// lets everything pass before and, after it, again.
func TestCheckout(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for 20 seconds")
	}
	results, err := run(context.Background(), io.Discard, 0.4)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 {
		t.Fatalf("%d ways of guarding, want 2", len(results))
	}
	for name, phases := range results {
		before, slow, broken, after := phases[0], phases[1], phases[3], phases[4]
		if before.offered == 0 || 20*before.shed > before.offered {
			t.Errorf("%s: %d of %d shed while healthy", name, before.shed, before.offered)
		}
		for what, p := range map[string]tally{"slow": slow, "broken": broken} {
			if 2*p.shed < p.offered {
				t.Errorf("%s: %d of %d shed while %s, want most", name, p.shed, p.offered, what)
			}
		}
		// Unguarded, all of what is offered fails.
		if 2*broken.errors > broken.offered {
			t.Errorf("%s: %d of %d failed while broken", name, broken.errors, broken.offered)
		}
		if after.admitted == 0 {
			t.Errorf("%s: nothing admitted after the fault", name)
		}
		if after.resistance >= broken.resistance {
			t.Errorf("%s: R %v after the fault, %v in it", name, after.resistance, broken.resistance)
		}
	}
}

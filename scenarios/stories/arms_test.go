package stories

import (
	"testing"

	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/scenarios"
	"github.com/atrion-io/atrion/scenarios/control"
)

// arm returns the arm of that name.
func arm(t testing.TB, name string) scenarios.Arm {
	t.Helper()
	switch name {
	case "ohmic":
		return scenarios.Arm{Name: name, Factory: scenarios.Product(nil), Product: true}
	case "classic":
		law, err := classic.New(classic.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		return scenarios.Arm{Name: name, Factory: scenarios.Product(law), Product: true, Law: law}
	}
	c, ok := control.Lookup(name)
	if !ok {
		t.Fatalf("no arm %q", name)
	}
	return scenarios.Arm{Name: name, Factory: c.New, Privileged: c.Privileged}
}

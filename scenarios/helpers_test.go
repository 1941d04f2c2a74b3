package scenarios

import (
	"testing"

	"github.com/atrion-io/atrion/physics/ohmic"
)

// lawOf is the default law with another gamma.
func lawOf(t *testing.T, gamma float64) *ohmic.Law {
	t.Helper()
	c := ohmic.DefaultConfig()
	c.Gamma = gamma
	l, err := ohmic.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

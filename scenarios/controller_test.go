package scenarios

import (
	"context"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
)

// controller decides which calls of a story reach the backend.
type controller interface {
	// acquire admits a call or not; the returned function ends it.
	acquire(voltage float64) (done func(error), ok bool)
	// observe tells of a health check, which nobody gates.
	observe(latency time.Duration, err error)
}

// none is the control arm: it does nothing.
type none struct{}

func (none) acquire(float64) (func(error), bool) { return func(error) {}, true }
func (none) observe(time.Duration, error)        {}

// guarded is the product, with the law it has by default.
type guarded struct {
	route *atrion.Route
	eng   *atrion.Engine
}

func newGuarded(t *testing.T) guarded {
	t.Helper()
	eng, err := atrion.New(atrion.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	route, err := eng.Route("backend")
	if err != nil {
		t.Fatal(err)
	}
	return guarded{route, eng}
}

func (g guarded) acquire(voltage float64) (func(error), bool) {
	p, err := g.route.Acquire(context.Background(), atrion.Voltage(voltage))
	if err != nil {
		return nil, false
	}
	return p.Done, true
}

func (g guarded) observe(latency time.Duration, err error) {
	_ = g.route.Observe(atrion.Telemetry{Latency: latency, Outcome: atrion.Classify(err)})
}

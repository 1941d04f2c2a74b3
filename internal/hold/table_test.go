package hold

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/vtime"
)

// A hold returns its seat once: to the report that names it, or to time. What
// the law learns as its latency is how long the seat was held.
func TestHolds(t *testing.T) {
	loop := vtime.New()
	eng, err := atrion.New(atrion.Config{Clock: loop})
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	defer func() { _ = eng.Close(context.Background()) }()
	route, err := eng.Route("r")
	if err != nil {
		t.Fatal(err)
	}
	table := New(2, int64(2*time.Second))
	add := func() (string, error) {
		p, err := route.Acquire(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return table.Add(loop.Now(), &p)
	}
	first, err := add()
	if err != nil {
		t.Fatal(err)
	}
	second, err := add()
	if err != nil || first == second {
		t.Fatalf("%q and %q, %v", first, second, err)
	}
	if _, err := add(); !errors.Is(err, ErrFull) || route.Inflight() != 2 {
		t.Errorf("a third of two: %v, %d in flight", err, route.Inflight())
	}

	loop.Run(loop.Now() + int64(300*time.Millisecond))
	for _, foreign := range []string{"", "x", first + "0", "00000000-0", first[:8]} {
		if table.End(foreign, atrion.Telemetry{}) {
			t.Errorf("%q ended a hold", foreign)
		}
	}
	if !table.End(first, atrion.Telemetry{Latency: time.Millisecond}) || table.End(first, atrion.Telemetry{}) {
		t.Error("a hold must end once")
	}
	loop.Run(loop.Now() + int64(time.Second))
	if n := route.Inflight(); n != 1 || table.Count() != 1 || eng.Stats().Samples != 1 {
		t.Errorf("%d in flight, %d held, %d samples: want one, one, one", n, table.Count(), eng.Stats().Samples)
	}

	if n := table.Expire(loop.Now()); n != 0 {
		t.Errorf("%d expired before their time", n)
	}
	loop.Run(loop.Now() + int64(time.Second))
	if n := table.Expire(loop.Now()); n != 1 || route.Inflight() != 0 || eng.Stats().Samples != 1 {
		t.Errorf("%d expired, %d in flight, %d samples: want one, none, and nothing learned", n, route.Inflight(), eng.Stats().Samples)
	}
	if table.End(second, atrion.Telemetry{}) {
		t.Error("a hold ended after it expired")
	}
	if _, err := add(); err != nil {
		t.Errorf("room again, but %v", err)
	}
	table.DropAll()
	if table.Count() != 0 || route.Inflight() != 0 {
		t.Errorf("%d held, %d in flight after all were dropped", table.Count(), route.Inflight())
	}
}

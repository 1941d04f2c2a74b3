package tunnel

import (
	"slices"
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
)

// Half an hour of health is admitted whole by every peer, and costs the test
// no such time.
func TestHealthyPasses(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			onBed(t, name, 1, func(t *testing.T, b *bed) {
				inside := time.Now()
				b.busy = 0.3
				all, _ := b.play(30*time.Minute, 10)
				wantShare(t, "healthy", all, 1, 1)
				b.admit(sim.VIP) // brings the clocks together
				if got := time.Since(inside); got != 30*time.Minute {
					t.Errorf("%v passed in the bubble, want 30m", got)
				}
			})
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%v passed outside", took)
			}
		})
	}
}

// The breakers and throttlers stop a backend that fails, and open when it heals.
func TestFailureTrips(t *testing.T) {
	for _, test := range []struct {
		name   string
		failed float64 // greatest share admitted after ten seconds of failures
		slow   time.Duration
	}{
		{"gobreaker", 0.05, 7 * time.Second},
		{"gobreaker-rolling", 0.05, 7 * time.Second},
		{"gobreaker-default", 0.001, 62 * time.Second},
		{"go-resiliency", 0.01, 7 * time.Second},
		{"failsafe-breaker", 0.05, 7 * time.Second},
		{"failsafe-throttler", 0.8, 10 * time.Minute},
		{"failsafe-throttler-prio", 0.5, time.Minute},
		{"gozero-breaker", 0.1, 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBed(t, test.name, 1, func(t *testing.T, b *bed) {
				all, _ := b.play(time.Minute, 100)
				wantShare(t, "before", all, 1, 1)
				b.fate = sim.Fail
				b.play(10*time.Second, 100)
				all, _ = b.play(20*time.Second, 100)
				wantShare(t, "failing", all, 0, test.failed)
				b.fate = sim.OK
				b.play(test.slow, 100)
				all, _ = b.play(10*time.Second, 100)
				wantShare(t, "healed", all, 1, 1)
			})
		})
	}
}

// Failing traffic, thrown dice, open and closed states: the same decisions
// again.
func TestSameAgain(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			run := func(seed uint64) (log []byte) {
				onBed(t, name, seed, func(_ *testing.T, b *bed) {
					for i := range 8 {
						b.fate = sim.Kind(i % 2)
						b.busy = float64(i%2) * 0.97
						b.wait = time.Duration(40+i) * time.Millisecond
						b.play(5*time.Second, 500)
					}
					log = slices.Clone(b.log.Bytes())
				})
				return log
			}
			first := run(1)
			if !slices.Equal(first, run(1)) {
				t.Error("another history for the same seed")
			}
			dice := name == "gozero-breaker" || name == "failsafe-throttler" || name == "failsafe-throttler-prio"
			if dice && slices.Equal(first, run(2)) {
				t.Error("the same history for another seed")
			}
		})
	}
}

func TestUnknown(t *testing.T) {
	if _, ok := Lookup("hystrix"); ok {
		t.Error("found what is not there")
	}
}

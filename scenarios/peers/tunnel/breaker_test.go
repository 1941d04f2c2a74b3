package tunnel

import (
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
)

// trip lets twenty requests fail.
func trip(t *testing.T, b *bed) {
	t.Helper()
	b.fate = sim.Fail
	b.play(time.Second, 100)
	if _, ok := b.admit(sim.VIP); ok {
		t.Fatal("not open after a second of failures")
	}
	b.fate = sim.OK
}

// What was admitted before the trip and fails after it is no probe's failure.
func TestLateOutcomeIsNoProbe(t *testing.T) {
	onBed(t, "gobreaker", 1, func(t *testing.T, b *bed) {
		late, _ := b.admit(sim.VIP)
		trip(t, b)
		b.rest(5 * time.Second)
		probe, ok := b.admit(sim.VIP)
		if !ok {
			t.Fatal("no probe after five seconds")
		}
		b.done(late, 6*time.Second, sim.Fail)
		if _, ok := b.admit(sim.VIP); !ok {
			t.Fatal("opened by an outcome that is not of a probe")
		}
		b.done(probe, time.Millisecond, sim.Fail)
		if _, ok := b.admit(sim.VIP); ok {
			t.Fatal("a failed probe did not open it")
		}
	})
	onBed(t, "go-resiliency", 1, func(t *testing.T, b *bed) {
		late, _ := b.admit(sim.VIP)
		trip(t, b)
		b.rest(5 * time.Second)
		probe, ok := b.admit(sim.VIP)
		if !ok {
			t.Fatal("no probe after five seconds")
		}
		b.done(late, 6*time.Second, sim.OK) // one success of a probe would close it
		if got := b.c.(sim.Inspector).Inspect().Mode; got != "half-open" {
			t.Fatalf("%s by an outcome that is not of a probe", got)
		}
		b.done(probe, time.Millisecond, sim.OK)
		if got := b.c.(sim.Inspector).Inspect().Mode; got != "closed" {
			t.Fatalf("%s after a good probe", got)
		}
	})
}

// Probes are as many as was said.
func TestProbes(t *testing.T) {
	for name, want := range map[string]int{"gobreaker": 10, "gobreaker-rolling": 10, "gobreaker-default": 1, "failsafe-breaker": 5} {
		onBed(t, name, 1, func(t *testing.T, b *bed) {
			trip(t, b)
			b.rest(61 * time.Second)
			got := 0
			for range 50 {
				if _, ok := b.admit(sim.VIP); ok {
					got++
				}
			}
			if got != want {
				t.Errorf("%s: %d probes, want %d", name, got, want)
			}
		})
	}
}

// Two runs of one factory have nothing in common.
func TestApart(t *testing.T) {
	for _, name := range Names() {
		onBed(t, name, 1, func(t *testing.T, b *bed) {
			factory, _ := Lookup(name)
			other := factory(b.env).(sim.Inspector)
			before := other.Inspect()
			b.fate = sim.Fail
			b.play(5*time.Second, 100)
			if after := other.Inspect(); after != before {
				t.Errorf("%s: %+v became %+v by another's failures", name, before, after)
			}
		})
	}
}

// Looking at a breaker must not move it.
func TestInspectIsPure(t *testing.T) {
	for _, name := range Names() {
		var logs [2]string
		for look := range logs {
			onBed(t, name, 1, func(_ *testing.T, b *bed) {
				if look == 1 {
					var peek func()
					peek = func() {
						b.c.(sim.Advancer).Advance(b.loop.Now())
						b.c.(sim.Inspector).Inspect()
						b.env.At(b.env.Now()+int64(300*time.Millisecond), peek)
					}
					peek()
				}
				for i := range 10 {
					b.fate = sim.Kind(i % 2)
					b.busy = float64(i % 2)
					b.play(3*time.Second, 300)
				}
				logs[look] = b.log.String()
			})
		}
		if logs[0] != logs[1] {
			t.Errorf("%s decides otherwise when looked at", name)
		}
	}
}

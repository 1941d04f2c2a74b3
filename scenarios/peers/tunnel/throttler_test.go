package tunnel

import (
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
)

// A third of failures in the past minute: the rate is known, and the dice of
// the run follow it.
func TestThrottlerDice(t *testing.T) {
	onBed(t, "failsafe-throttler", 1, func(t *testing.T, b *bed) {
		c := b.c.(*throttler)
		for i := range 3000 {
			k := sim.OK
			if i%3 == 0 {
				k = sim.Fail
			}
			c.inflight++
			b.done(0, 0, k)
		}
		admitted := 0.0
		for range 10_000 {
			if _, ok := b.admit(sim.Normal); ok {
				admitted++
			}
		}
		rate := c.throttler.RejectionRate()
		if want := (3000 - 2000/0.9) / 3001; rate < want-1e-9 || rate > want+1e-9 {
			t.Errorf("rejection rate %.4f, want %.4f", rate, want)
		}
		wantShare(t, "dice", admitted/10_000, 1-rate-0.02, 1-rate+0.02)
	})
}

// The prioritized form takes the least first, and nobody is starved.
func TestPriorities(t *testing.T) {
	onBed(t, "failsafe-throttler-prio", 1, func(t *testing.T, b *bed) {
		b.play(10*time.Second, 200)
		b.fate = sim.Fail
		b.play(2*time.Second, 200)
		b.fate = sim.OK
		_, class := b.play(time.Second, 200)
		wantShare(t, "VIP", class[sim.VIP], 1, 1)
		wantShare(t, "background", class[sim.Background], 0.01, 0.9)
	})
}

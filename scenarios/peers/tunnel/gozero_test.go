package tunnel

import (
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
)

// go-zero's breaker lets one request a second through however bad it looks. Its
// clock is measured from the start of the process: before that instant the rule
// never holds.
func TestForcedPass(t *testing.T) {
	onBed(t, "gozero-breaker", 1, func(t *testing.T, b *bed) {
		b.fate = sim.Fail
		b.play(30*time.Second, 2)
		longest, last := int64(0), b.loop.Now()
		for range 3000 {
			b.rest(10 * time.Millisecond)
			ticket, ok := b.admit(sim.Normal)
			if ok {
				longest, last = max(longest, b.loop.Now()-last), b.loop.Now()
				b.done(ticket, 0, sim.Fail)
			}
		}
		longest = max(longest, b.loop.Now()-last)
		if got := time.Duration(longest); got > 1100*time.Millisecond {
			t.Errorf("nothing let through for %v", got)
		}
	})
}

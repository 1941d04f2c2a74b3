package tunnel

import (
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
)

// The limit holds the flight, grows while responses are fast and shrinks while
// they slow down.
func TestLimitFollowsLatency(t *testing.T) {
	onBed(t, "failsafe-adaptive", 1, func(t *testing.T, b *bed) {
		limit := func() float64 { return b.c.(sim.Inspector).Inspect().L }
		all, _ := b.play(time.Second, 1000)
		if b.most < 20 || b.most > 22 { // it may have grown by then
			t.Errorf("%d in flight at most, want the initial limit of 20", b.most)
		}
		wantShare(t, "above the limit", all, 0.3, 0.5)
		b.play(2*time.Minute, 1000)
		grown := limit()
		if grown <= 30 {
			t.Errorf("limit %v after two fast minutes", grown)
		}
		b.wait *= 8
		b.play(20*time.Second, 1000)
		if limit() >= grown {
			t.Errorf("limit %v, was %v before eightfold latency", limit(), grown)
		}
	})
}

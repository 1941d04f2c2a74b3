package control

import (
	"math"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
)

// second plays a second in which the limit is always used up and every attempt
// takes the given latency.
func second(b *bed, c sim.Controller, latency float64) {
	tickets := admit(c, 5000, sim.Attempt{})
	finish(c, tickets, latency, sim.OK)
	b.after(1.001)
}

func TestGradient2GrowsAndShrinks(t *testing.T) {
	b := newBed()
	c := newGradient2(b.env).(*gradient2)
	wantAdmitted(t, "initial limit", admit(c, 100, sim.Attempt{}), 20)
	c.inflight = 0
	for range 11 { // the first sample only opens a window
		second(b, c, 50)
	}
	if got := c.limit; math.Abs(got-28) > 1e-9 {
		t.Errorf("limit %v after ten seconds of constant latency, want 20 + 10*.2*4", got)
	}
	for range 4 { // three times the latency: half the limit, were it not smoothed
		second(b, c, 150)
	}
	if got := c.limit; got > 27 || got < 20 {
		t.Errorf("limit %v after latency rose to three times, want less than before, not under 20", got)
	}
}

func TestGradient2IgnoresIdleWindowsAndErrors(t *testing.T) {
	b := newBed()
	c := newGradient2(b.env).(*gradient2)
	for range 20 {
		for range 15 { // one in flight at a time
			finish(c, admit(c, 1, sim.Attempt{}), 50, sim.OK)
		}
		finish(c, admit(c, 20, sim.Attempt{}), 1, sim.Fail)
		b.after(1.001)
	}
	if c.limit != gradientInitial || c.inflight != 0 {
		t.Errorf("limit %v, %d in flight; want %v, 0", c.limit, c.inflight, gradientInitial)
	}
}

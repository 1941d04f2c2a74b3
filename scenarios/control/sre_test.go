package control

import (
	"math"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
)

func TestSREThrottlesFailures(t *testing.T) {
	b := newBed()
	c := newSRE(b.env)
	for range 1000 { // one in two succeeds: just enough
		tickets := admit(c, 2, sim.Attempt{})
		if len(tickets) > 0 {
			c.Done(tickets[0], 10, sim.OK)
		}
	}
	before := len(admit(c, 100, sim.Attempt{}))
	if before < 85 {
		t.Errorf("%d of 100 admitted when half of all succeed, want nearly all", before)
	}
	// Nothing succeeds any more: after 8000 further attempts the bound stands at
	// 1000*K/9100.
	admit(c, 7000, sim.Attempt{})
	got := float64(len(admit(c, 1000, sim.Attempt{}))) / 1000
	if math.Abs(got-.23) > .05 {
		t.Errorf("%.2f admitted when nothing succeeds, want about .23", got)
	}
	b.after(200)
	if got := len(admit(c, 1, sim.Attempt{})); got != 1 {
		t.Error("two minutes later it still remembers")
	}
}

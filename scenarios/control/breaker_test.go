package control

import (
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
)

func TestBreakerOpensAndCloses(t *testing.T) {
	b := newBed()
	c := newBreaker(b.env)
	finish(c, admit(c, 9, sim.Attempt{}), 10, sim.OK)
	finish(c, admit(c, 10, sim.Attempt{}), 10, sim.Fail)
	wantAdmitted(t, "19 attempts are too few to judge", admit(c, 1, sim.Attempt{}), 1)
	late := admit(c, 3, sim.Attempt{})
	finish(c, admit(c, 1, sim.Attempt{}), 10, sim.Timeout) // 11 of 20
	wantAdmitted(t, "open", admit(c, 100, sim.Attempt{}), 0)
	b.after(4.9)
	wantAdmitted(t, "still open", admit(c, 100, sim.Attempt{}), 0)

	b.after(.2)
	probes := admit(c, 100, sim.Attempt{})
	wantAdmitted(t, "half open", probes, 5)
	finish(c, late, 10, sim.Fail) // from before: says nothing now
	finish(c, probes[:4], 10, sim.OK)
	finish(c, probes[4:], 10, sim.Fail)
	wantAdmitted(t, "a probe failed", admit(c, 100, sim.Attempt{}), 0)

	b.after(5.1)
	finish(c, admit(c, 5, sim.Attempt{}), 10, sim.OK)
	wantAdmitted(t, "all probes passed", admit(c, 100, sim.Attempt{}), 100)
}

func TestBreakerForgets(t *testing.T) {
	b := newBed()
	c := newBreaker(b.env)
	finish(c, admit(c, 19, sim.Attempt{}), 10, sim.Fail)
	b.after(11)
	finish(c, admit(c, 9, sim.Attempt{}), 10, sim.Fail)
	wantAdmitted(t, "the 19 are forgotten", admit(c, 10, sim.Attempt{}), 10)
}

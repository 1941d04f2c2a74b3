package control

import (
	"math/rand/v2"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/internal/vtime"
)

// bed is an environment whose clock and queue the test sets.
type bed struct {
	loop *vtime.Loop
	wait float64 // ms, what Look tells
	env  *sim.Env
}

func newBed() *bed {
	b := &bed{loop: vtime.New()}
	b.env = &sim.Env{
		Now:  b.loop.Now,
		At:   b.loop.At,
		Rand: rand.New(rand.NewPCG(1, 2)),
		Loop: b.loop,
		Cap:  8,
		Look: func() (float64, float64) { return 1, b.wait },
	}
	return b
}

// after moves the clock by so many seconds.
func (b *bed) after(seconds float64) { b.loop.Run(b.loop.Now() + int64(seconds*1e9)) }

// admit asks n times and returns the tickets of what was admitted.
func admit(c sim.Controller, n int, a sim.Attempt) []sim.Ticket {
	var tickets []sim.Ticket
	for range n {
		if t, ok := c.Admit(a); ok {
			tickets = append(tickets, t)
		}
	}
	return tickets
}

func wantAdmitted(t *testing.T, what string, got []sim.Ticket, want int) {
	t.Helper()
	if len(got) != want {
		t.Errorf("%s: %d admitted, want %d", what, len(got), want)
	}
}

func finish(c sim.Controller, tickets []sim.Ticket, latency float64, k sim.Kind) {
	for _, t := range tickets {
		c.Done(t, latency, k)
	}
}

func TestLookup(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range All() {
		if seen[c.Name] || c.New == nil {
			t.Errorf("%q: twice, or without a factory", c.Name)
		}
		seen[c.Name] = true
		if got, ok := Lookup(c.Name); !ok || got.Privileged != c.Privileged {
			t.Errorf("Lookup(%q) = %v, %v", c.Name, got, ok)
		}
	}
	if _, ok := Lookup("nobody"); ok {
		t.Error("Lookup finds a controller that is not there")
	}
}

func TestNoneAdmitsAll(t *testing.T) {
	c := newNone(newBed().env)
	wantAdmitted(t, "always", admit(c, 1000, sim.Attempt{}), 1000)
}

func TestStaticHoldsItsLimit(t *testing.T) {
	c := newStatic(newBed().env)
	first := admit(c, 20, sim.Attempt{})
	wantAdmitted(t, "from idle", first, 8)
	finish(c, first[:3], 10, sim.Timeout)
	wantAdmitted(t, "after three ended", admit(c, 20, sim.Attempt{}), 3)
}

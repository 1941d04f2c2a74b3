package control

import (
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
)

// mixture asks 100 times for every class and returns what was admitted.
func mixture(c sim.Controller, id int) (admitted [sim.Classes]int) {
	for range 100 {
		for class := range sim.Classes {
			id++
			if _, ok := c.Admit(sim.Attempt{Class: class, ID: id}); ok {
				admitted[class]++
			}
		}
	}
	return admitted
}

func TestDagorShedsTheLowestFirst(t *testing.T) {
	b := newBed()
	c := newDagor(b.env)
	for range 7 {
		mixture(c, 0)
		b.wait = 100
		b.after(1.001)
	}
	got := mixture(c, 0)
	if got[sim.VIP] != 100 || got[sim.Normal] != 100 {
		t.Errorf("admitted %v, want all but the background", got)
	}
	if got[sim.Background] > 50 {
		t.Errorf("admitted %v: seven windows at 5 %% of all take the background's half", got)
	}
	b.wait = 0
	for range 100 {
		mixture(c, 0)
		b.after(1.001)
	}
	if got := mixture(c, 0); got != [sim.Classes]int{100, 100, 100} {
		t.Errorf("admitted %v a hundred windows later, want all", got)
	}
}

func TestDagorKeepsARequestsLevel(t *testing.T) {
	for id := range 1000 {
		a, b := sim.Attempt{ID: id, Class: sim.Normal}, sim.Attempt{ID: id, Class: sim.Normal, Retry: 2}
		if l := dagorLevel(a); l != dagorLevel(b) || l < dagorUsers || l >= 2*dagorUsers {
			t.Fatalf("request %d has the levels %d and %d", id, l, dagorLevel(b))
		}
	}
}

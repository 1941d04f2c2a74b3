package control

import (
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
)

func TestVegasFollowsTheQueue(t *testing.T) {
	c := newVegas(newBed().env).(*vegas)
	finish(c, admit(c, 20, sim.Attempt{}), 50, sim.OK) // the first sets the least latency
	if c.limit <= vegasInitial {
		t.Errorf("limit %v without any queue, want more than %v", c.limit, vegasInitial)
	}
	high := c.limit
	for range 3 {
		finish(c, admit(c, 1000, sim.Attempt{})[int(c.limit)/2:], 100, sim.OK)
		c.inflight = 0
	}
	if c.limit >= high {
		t.Errorf("limit %v with a queue as long as itself, want less than %v", c.limit, high)
	}
	low := c.limit
	c.Done(1, 1000, sim.Timeout)
	if c.limit != low-1 {
		t.Errorf("limit %v after a timeout, want %v", c.limit, low-1)
	}
}

func TestRoot(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 9: 1, 10: 1, 99: 1, 100: 2, 999: 2, 1000: 3} {
		if got := root(n); got != want {
			t.Errorf("root(%d) = %d, want %d", n, got, want)
		}
	}
}

package ohmic

import (
	"math"
	"testing"
	"time"
)

// after is a state whose dip is over, with a cohort of n successes of that mean
// ln latency, and seats in flight where there were before.
func after(n, mean, seats, before, lnBefore float64) *State {
	s := must(New(DefaultConfig())).NewState().(*State)
	s.demand = new(demand)
	s.supply = supply{limit: 40, hold: 40, known: true, lnT: 3, lnT0: 3, knownT0: 100}
	s.probe = probe{
		stage: steady, step: closed, epoch: 4, own: 3, admitted: n, done: n, successes: successes{timed: n, lnLatency: n * mean, counted: n, lnSeats: n * math.Log(seats)},
		preLnSeats: math.Log(before), preLnLatency: lnBefore, gap: int64(2 * time.Second),
	}
	return s
}

// A dip moves the unloaded latency by what chance does not explain, and the more
// the more it saw; one that saw hardly anything does not. Where it moved far,
// the next comes sooner, else later.
func TestDipsMoveTheBaseline(t *testing.T) {
	c := DefaultConfig()
	for _, x := range []struct {
		what  string
		s     *State
		moved float64
		gap   time.Duration
	}{
		{"four", after(4, 5, 20, 40, 5), 0, 4 * time.Second},
		{"five", after(5, 5, 20, 40, 5), 5.0 / 21 * (2 - 0.85/math.Sqrt(5)), time.Second},
		{"slower", after(48, 4, 24, 40, 4), 0.75 * (1 - 0.85/math.Sqrt(48)), time.Second},
		{"quicker", after(48, 2, 24, 40, 4), -0.75 * (1 - 0.85/math.Sqrt(48)), time.Second},
		{"chance", after(48, 3.1, 24, 40, 4), 0, 4 * time.Second},
		{"a little", after(48, 3.2, 24, 40, 4), 0.75 * (0.2 - 0.85/math.Sqrt(48)), 4 * time.Second},
		// N fell by 1 in ln, and ln T by a half: half of it is the load's.
		{"elastic", after(48, 4, 40/math.E, 40, 4.5), 0.5 * 0.75 * (1 - 0.85/math.Sqrt(48)), time.Second},
		{"all of it the load's", after(48, 4, 40/math.E, 40, 5.5), 0, 4 * time.Second},
		{"not the load's", after(48, 4, 40/math.E, 40, 3.5), 0.75 * (1 - 0.85/math.Sqrt(48)), time.Second},
		{"elastic, but quicker", after(48, 2, 40/math.E, 40, 2.5), -0.75 * (1 - 0.85/math.Sqrt(48)), time.Second},
	} {
		now := int64(time.Hour)
		x.s.judgeDip(now)
		gap := min(max(x.gap, c.DipEvery), c.DipAtMost)
		if got := x.s.supply.lnT0 - 3; math.Abs(got-x.moved) > 1e-9 || x.s.probe.due != now+int64(gap) || x.s.probe.step != idle {
			t.Errorf("%s: moved by %v, next in %v, want %v, %v", x.what, got, time.Duration(x.s.probe.due-now), x.moved, gap)
		}
	}
}

// The cohort of a dip is admitted from the instant on at which what was in flight
// has drained, and not before.
func TestDipsSettle(t *testing.T) {
	for late, want := range map[int64]step{-1: settling, 0: open, 1: open} {
		s := after(48, 4, 24, 40, 4)
		now := int64(time.Hour)
		s.probe.step, s.probe.until, s.refreshed, s.window.opened = settling, now, now, now
		r := routeOf(s)
		r.advance(nil, now+late, 0)
		if got := r.state.probe.step; got != want {
			t.Errorf("%d ns late: step %v, want %v", late, got, want)
		}
	}
}

// A dip in a fault is repeated rather than believed, if it went deep enough to
// show that the callee is slow for another reason than the load.
func TestDipsInAFault(t *testing.T) {
	for _, x := range []struct {
		what          string
		before        bool
		failed, seats float64
		believed      bool
	}{
		{"healthy", false, 0, 15, true},
		{"one failed", false, 1, 15, true},
		{"several failed", false, 3, 15, false},
		{"failing before", true, 0, 15, false},
		{"failing, and not deep", true, 3, 24, true},
	} {
		s := after(48, 4, x.seats, 40, 4)
		s.probe.preFault, s.probe.failed = x.before, x.failed
		s.judgeDip(int64(time.Hour))
		if moved := s.supply.lnT0 != 3; moved != x.believed {
			t.Errorf("%s: ln T0 moved by %v", x.what, s.supply.lnT0-3)
		}
		if due := time.Duration(s.probe.due - int64(time.Hour)); due != s.law.cfg.DipEvery {
			t.Errorf("%s: the next in %v", x.what, due)
		}
	}
}

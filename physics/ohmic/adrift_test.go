package ohmic

import (
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// A report is of the call that was admitted when its latency says, or of the
// nearest, of those before it first.
func TestReportsFindTheirCalls(t *testing.T) {
	at := func(slot int64) int64 { return slot*refreshEvery + 7 }
	l := &ledger{upTo: 100}
	for _, x := range []struct {
		until int64
		n     int32
		out   float64
	}{{101, 2, 2}, {103, 3, 5}, {104, 1, 6}, {104, 1, 7}, {110, 0, 7}} {
		if got := l.enter(at(x.until), x.n); got != x.out {
			t.Fatalf("%v in flight at %d, want %v", got, x.until, x.out)
		}
	}
	// Now 2 were admitted in slot 100, 3 in 101, 1 in 103 and 1 in 104.
	for i, x := range []struct{ began, found int64 }{
		{102, 101}, {101, 101}, {100, 100}, {99, 100}, {99, 101}, {50, 103}, {109, 104},
		{109, 110}, {20, 110}, {110, 110}, {111, 110}, // nobody is out: those not entered yet
	} {
		if got := l.strike(at(x.began)); got != x.found {
			t.Fatalf("report %d, of a call that began in %d, is found in %d, want %d", i, x.began, got, x.found)
		}
	}
	if got := l.enter(at(111), 4); got != 0 {
		t.Errorf("%v in flight when all are back", got)
	}
}

// A report that is lost costs a seat for the lease and no longer, whether time
// goes by in small steps or at once.
func TestLostReportsAreForgotten(t *testing.T) {
	const last = int64(lease / refreshEvery)
	for _, step := range []int64{1, 3, last, last + 1, slots, 10 * slots} {
		l := &ledger{upTo: 100}
		l.enter(101*refreshEvery, 5)
		for now := 101 + step; now < 101+20*slots; now += step {
			want := 5.0
			if now-100 > last {
				want = 0
			}
			if got := l.enter(now*refreshEvery, 0); got != want {
				t.Fatalf("steps of %d: %v in flight %d later, want %v", step, got, now-100, want)
			}
		}
	}
}

// Those who ask without taking a seat are held to the cap like all others, once
// somebody reports.
func TestAskersMeetTheCap(t *testing.T) {
	r := newRoute(DefaultConfig())
	now := int64(time.Hour)
	ask := func() bool {
		q := physics.Query{Voltage: 100, Now: now, U: 0.5}
		allow := r.state.Allow(q)
		r.state.Note(q, allow, false)
		return allow
	}
	for range 20 { // the first calls come back one by one
		ask()
		now += 1e7
		r.advance([]physics.Sample{{Time: now, Latency: 10}}, now, 0)
	}
	_, held := r.state.Limit()
	passed := 0
	for ask() {
		passed++
	}
	if most := (1 + r.state.law.cfg.Headroom) * held; float64(passed) < held-2 || float64(passed) > most+1 {
		t.Errorf("%d ask and pass at once, %v are held", passed, held)
	}
	if ask() {
		t.Error("one more passes")
	}
	for range 50 { // nobody reports any of them
		now += refreshEvery
		r.advance(nil, now, 0)
	}
	if !ask() {
		t.Error("nobody passes, though all that are out are out of their lease")
	}
}

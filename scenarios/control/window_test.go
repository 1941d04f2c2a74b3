package control

import "testing"

func TestWindowForgetsWhatIsOld(t *testing.T) {
	w := newWindow(3)
	at := func(seconds float64) int64 { return int64(seconds * 1e9) }
	w.add(at(100.5), 5, 1)
	w.add(at(101.5), 7, 2)
	w.add(at(102.9), 11, 3)
	if w.total != (tally{23, 6}) {
		t.Errorf("total %v, want {23 6}", w.total)
	}
	w.roll(at(103))
	if w.total != (tally{18, 5}) {
		t.Errorf("total %v, want {18 5}: second 100 is over three seconds ago", w.total)
	}
	w.roll(at(500))
	if w.total != (tally{}) {
		t.Errorf("total %v, want none", w.total)
	}
}

package vtime

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// diary collects what happened when.
type diary struct {
	l     *Loop
	lines []string
}

func (d *diary) note(what string) {
	d.lines = append(d.lines, fmt.Sprintf("%d %s", d.l.Now()-Start, what))
}

func (d *diary) want(t *testing.T, lines ...string) {
	t.Helper()
	if !reflect.DeepEqual(d.lines, lines) {
		t.Errorf("got %q, want %q", d.lines, lines)
	}
}

func TestEventsHappenInOrder(t *testing.T) {
	l := New()
	d := &diary{l: l}
	l.At(Start+20, func() { d.note("c") })
	l.At(Start+10, func() { d.note("a"); l.After(15, func() { d.note("d") }) })
	l.At(Start+10, func() { d.note("b"); l.At(Start, func() { d.note("late") }) })
	l.At(Start+31, func() { d.note("beyond") })
	l.Run(Start + 30)
	d.want(t, "10 a", "10 b", "10 late", "20 c", "25 d")
	if got := l.Now() - Start; got != 30 {
		t.Errorf("clock stands at %d, want 30", got)
	}
	if l.Pending() != 1 {
		t.Errorf("%d events pending, want 1", l.Pending())
	}
}

func TestDistinctEventsShareNoInstant(t *testing.T) {
	l := New()
	l.Distinct()
	d := &diary{l: l}
	for _, what := range []string{"a", "b", "c"} {
		l.At(Start+10, func() { d.note(what) })
	}
	l.At(Start+11, func() { d.note("d"); l.At(0, func() { d.note("e") }) })
	l.At(Start, func() { d.note("first") })
	l.Run(Start + 30)
	d.want(t, "1 first", "10 a", "11 b", "12 c", "13 d", "14 e")
}

// TestHeapAgainstSorting compares the heap with a sorted slice over a random
// mixture of pushes and pops.
func TestHeapAgainstSorting(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var h heap
	var want []event
	seq := uint64(0)
	for range 20000 {
		if rnd.IntN(5) < 3 || len(want) == 0 {
			seq++
			e := event{at: rnd.Int64N(50), seq: seq}
			h.push(e)
			i, _ := slices.BinarySearchFunc(want, e, func(a, b event) int {
				if a.before(&b) {
					return -1
				}
				return 1
			})
			want = slices.Insert(want, i, e)
			continue
		}
		if got := h.pop(); got.at != want[0].at || got.seq != want[0].seq {
			t.Fatalf("popped (%d, %d), want (%d, %d)", got.at, got.seq, want[0].at, want[0].seq)
		}
		want = want[1:]
	}
}

type counter struct {
	sum uint64
	n   int
}

func (c *counter) Fire(arg uint64) { c.sum += arg; c.n++ }

func TestPostAllocatesNothing(t *testing.T) {
	l := New()
	c := new(counter)
	l.events = make(heap, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		for i := range uint64(10) {
			l.Post(l.Now()+int64(i), c, i)
		}
		l.Run(l.Now() + 10)
	}); n != 0 {
		t.Errorf("%v allocations for ten events", n)
	}
	if c.n != 1010 || c.sum != 101*45 {
		t.Errorf("fired %d times, sum %d; want 1010, %d", c.n, c.sum, 101*45)
	}
}

func TestAfterForEver(t *testing.T) {
	l := New()
	l.After(math.MaxInt64, func() { t.Error("for ever is over") })
	l.After(-5, func() {})
	l.Run(Start + int64(time.Hour))
	if l.Pending() != 1 {
		t.Errorf("%d pending, want 1", l.Pending())
	}
}

func BenchmarkLoop(b *testing.B) {
	l := New()
	rnd := rand.New(rand.NewPCG(1, 2))
	c := &tick{l: l, rnd: rnd}
	for range 1000 {
		l.Post(Start+rnd.Int64N(1000), c, 0)
	}
	b.ReportAllocs()
	for c.n < b.N {
		l.Run(l.Now() + 1000)
	}
}

type tick struct {
	l   *Loop
	rnd *rand.Rand
	n   int
}

func (c *tick) Fire(uint64) { c.n++; c.l.Post(c.l.Now()+c.rnd.Int64N(2000), c, 0) }

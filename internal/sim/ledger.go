package sim

import (
	"math"

	"github.com/atrion-io/atrion/internal/vtime"
)

// bin is the span over which counts are kept, and perSecond the number of bins
// in a second.
const (
	bin       = int64(1e8)
	perSecond = 10
)

// count is what happened in one bin.
type count struct {
	offered  [Classes]uint32 // logical requests
	good     [Classes]uint32 // logical successes
	attempts uint32
	admitted uint32
	rejected uint32 // by the controller
	dropped  uint32 // by the backend's queue, though admitted
	swaps    uint32 // see inversion
}

// resolution is the width of a step of the latency histogram, in ns.
const resolution = int64(1e5)

// ledger counts what happens, for the result.
type ledger struct {
	bins  []count
	now   int // the present bin
	start int64

	latency []uint32 // of what was admitted and has ended, by resolution
	ended   [Dropped + 1]int
	lost    int // requests given up

	window [Classes]struct{ offered, good int } // by arrival in the fault window

	busy, wasted float64 // service time given, and that of it which helped nobody, ns

	order    inversion
	trace    *Trace
	capacity []float64 // see oracle
}

func (l *ledger) open(r *run) {
	l.start = vtime.Start
	l.bins = make([]count, (r.end-l.start+bin-1)/bin)
	l.latency = make([]uint32, r.pending.patience/resolution+1)
	l.order.ranked = r.opt.Voltages.discrete()
	if l.trace = r.opt.Trace; l.trace != nil {
		*l.trace = Trace{}
	}
}

// recount closes the bins that are over. What happens at the very end of the
// run belongs to the last one.
func (r *run) recount(now int64) {
	l := &r.ledger
	for b := min(int((now-l.start)/bin), len(l.bins)-1); l.now < b; l.now++ {
		r.closeBin()
	}
}

func (r *run) closeBin() {
	l := &r.ledger
	l.bins[l.now].swaps = uint32(l.order.close())
	if l.trace != nil {
		l.trace.note(r.ctl)
	}
}

// offer counts an arrival by its own instant t.
func (l *ledger) offer(t int64, q *request) {
	l.bins[(t-l.start)/bin].offered[q.class]++
	if q.fault {
		l.window[q.class].offered++
	}
}

func (l *ledger) decide(q *request, admitted bool) {
	b := &l.bins[l.now]
	b.attempts++
	if admitted {
		b.admitted++
	} else {
		b.rejected++
	}
	l.order.note(q, admitted)
}

func (l *ledger) serve(span float64, vain bool) {
	l.busy += span
	if vain {
		l.wasted += span
	}
}

func (l *ledger) end(k Kind, latency int64) {
	l.ended[k]++
	if k == Dropped {
		l.bins[l.now].dropped++
	}
	l.latency[min(int(latency/resolution), len(l.latency)-1)]++
}

func (l *ledger) succeed(q *request) {
	l.bins[l.now].good[q.class]++
	if q.fault {
		l.window[q.class].good++
	}
}

// quantile returns the latency (ms) that the share q of what was admitted did
// not exceed, and NaN if nothing was.
func (l *ledger) quantile(q float64) float64 {
	total := 0
	for _, n := range l.latency {
		total += int(n)
	}
	if total == 0 {
		return math.NaN()
	}
	rank, seen := int(math.Ceil(q*float64(total))), 0
	for i, n := range l.latency {
		if seen += int(n); seen >= rank {
			return float64(int64(i)*resolution) / 1e6
		}
	}
	return math.NaN()
}

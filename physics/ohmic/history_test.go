package ohmic

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// history is a random life of a route: clients, a callee that slows down with
// its load and now and then changes, and somebody who reports what comes of it,
// more or less well. What it brings depends on the decisions, as in life.
type history struct {
	rng *rand.Rand
	now int64

	calm bool // nothing breaks, and there is about as much to do as can be done

	// What clients and callee do at present.
	until    int64
	idle     bool
	rate     float64
	capacity float64
	latency  float64 // ms, unloaded
	failing  float64

	voltage func() float64
	// How completions are reported.
	asking  float64 // share of requests that take no seat: what comes of them is reported without saying of which
	sloppy  float64 // share of them that lacks something
	summary bool    // some report the share of many calls that failed
	grain   int64   // ns, of the clock
	want    int     // completions that make a delivery
	linger  int64   // ns, that one waits for more

	inflight int64
	pending  calls
	waiting  []physics.Sample
	since    int64 // the first of those waiting came
	arrival  int64
}

// call is one under way.
type call struct {
	start, end int64
	asked      bool // without a seat
	inflight   int64
	voltage    float64
	epoch      uint32
}

type calls []call

func (c calls) Len() int           { return len(c) }
func (c calls) Less(i, j int) bool { return c[i].end < c[j].end }
func (c calls) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *calls) Push(x any)        { *c = append(*c, x.(call)) }
func (c *calls) Pop() any {
	old := *c
	x := old[len(old)-1]
	*c = old[:len(old)-1]
	return x
}

// between is uniform on a logarithmic scale.
func between(rng *rand.Rand, low, high float64) float64 {
	return low * math.Exp(rng.Float64()*math.Log(high/low))
}

func newHistory(rng *rand.Rand) *history {
	h := &history{rng: rng, now: int64(time.Hour) + rng.Int64N(1e9)}
	switch rng.IntN(3) {
	case 0:
		h.voltage = func() float64 { return []float64{400, 100, 100, 100, 25}[rng.IntN(5)] }
	case 1:
		h.voltage = func() float64 { return between(rng, 1e-6, 1e9) }
	default:
		h.voltage = func() float64 { return 20 + math.Round(rng.ExpFloat64()*30) }
	}
	if rng.IntN(2) == 0 {
		h.sloppy = 0.2 * rng.Float64()
	}
	h.summary = rng.IntN(4) == 0
	h.asking = []float64{0, 0, 0, 0.5, 1}[rng.IntN(5)]
	h.grain = []int64{1, 1, 1000, 1e6}[rng.IntN(4)]
	h.want = int(between(rng, 1, physics.MaxBatch+1))
	h.linger = int64(between(rng, 1e4, 3e8))
	if h.calm = rng.IntN(2) == 0; h.calm {
		h.sloppy, h.summary, h.linger = min(h.sloppy, 0.02), false, h.linger/100
	}
	h.phase()
	h.arrival = h.now
	return h
}

// phase changes what goes on.
func (h *history) phase() {
	h.until = h.now + int64(between(h.rng, 5e7, 4e9))
	h.idle = h.rng.IntN(10) == 0
	if h.capacity == 0 || h.rng.IntN(2) == 0 && !h.calm {
		h.capacity = between(h.rng, 2, 300)
		h.latency = between(h.rng, 0.05, 200)
	}
	// From a hundredth of what the callee can do to ten times that.
	h.rate = min(h.capacity/h.latency*1000*between(h.rng, 0.01, 10), 3e4)
	if h.calm {
		h.idle, h.failing = false, 0
		h.capacity, h.latency = max(h.capacity, 5), max(h.latency, 2)
		h.rate = min(h.capacity/h.latency*1000*between(h.rng, 0.2, 4), 3e4)
		return
	}
	h.failing = []float64{0, 0, 0, 0.01, 0.7, 1}[h.rng.IntN(6)]
}

// serve is how long a call takes that is one of n.
func (h *history) serve(n int64) int64 {
	ms := h.latency * max(1, float64(n)/h.capacity) * (0.5 + h.rng.ExpFloat64()/2)
	return int64(ms * 1e6)
}

// report is the sample of a call that ended.
func (h *history) report(c call) physics.Sample {
	rng := h.rng
	s := physics.Sample{
		Time: c.end, Latency: float64(c.end-c.start) / 1e6, Voltage: c.voltage,
		Inflight: float64(c.inflight), Epoch: c.epoch,
	}
	if c.asked {
		s.Inflight, s.Epoch = 0, 0
	}
	if rng.Float64() < h.failing {
		s.Outcome, s.ErrorRate = physics.Outcome(1+rng.IntN(3)), 1
	}
	if h.summary && rng.IntN(3) == 0 {
		s.Outcome, s.ErrorRate = physics.OK, rng.Float64()
	}
	if rng.Float64() < h.sloppy {
		switch rng.IntN(6) {
		case 0:
			s.Latency = math.NaN()
		case 1:
			s.Inflight = 0
		case 2:
			s.Epoch = 0
		case 3:
			s.Epoch = uint32(rng.IntN(20))
		case 4:
			s.Outcome = physics.Ignored
		case 5:
			s.Latency = []float64{0, 1e-9, 1e7}[rng.IntN(3)]
		}
	}
	return s
}

// audience is who lives through a history.
type audience interface {
	epoch() uint32
	request(q physics.Query, seated bool) (admit bool)
	// deliver hands over completions; seats are the calls in flight after them.
	// Without any it is a tick.
	deliver(s []physics.Sample, now, seats int64) (wake time.Duration)
}

// play goes on until that many requests were made.
func (h *history) play(a audience, requests int) {
	wake := int64(math.MaxInt64)
	for requests > 0 {
		due := wake
		if len(h.waiting) > 0 {
			due = min(due, h.since+h.linger)
		}
		next := min(h.arrival, due)
		if len(h.pending) > 0 {
			next = min(next, h.pending[0].end)
		}
		h.now = max(h.now, next-next%h.grain)
		if h.now >= h.until {
			h.phase()
		}
		switch {
		case due <= next, len(h.waiting) >= h.want:
			wake = math.MaxInt64
			if d := a.deliver(h.waiting, h.now, h.inflight); d > 0 {
				wake = h.now + int64(d)
			}
			h.waiting = h.waiting[:0]
		case len(h.pending) > 0 && h.pending[0].end <= next:
			c := heap.Pop(&h.pending).(call)
			c.end = h.now
			if !c.asked {
				h.inflight--
			}
			if len(h.waiting) == 0 {
				h.since = h.now
			}
			h.waiting = append(h.waiting, h.report(c))
		default:
			h.arrive(a)
			requests--
		}
	}
}

// arrive is one request.
func (h *history) arrive(a audience) {
	h.arrival = h.now + int64(h.rng.ExpFloat64()/h.rate*1e9)
	if h.idle {
		h.arrival = max(h.arrival, h.until)
	}
	q := physics.Query{Voltage: h.voltage(), Now: h.now, Inflight: h.inflight, U: h.rng.Float64()}
	if h.sloppy > 0.15 && h.rng.IntN(100) == 0 {
		q.Voltage = []float64{0, -1, math.NaN(), math.Inf(-1)}[h.rng.IntN(4)]
	}
	asked := h.rng.Float64() < h.asking
	if !a.request(q, !asked) {
		return
	}
	if !asked {
		h.inflight++
	}
	if asked && h.sloppy > 0.1 && h.rng.IntN(4) == 0 {
		return // nobody ever tells
	}
	heap.Push(&h.pending, call{start: h.now, end: h.now + h.serve(int64(len(h.pending)+1)), asked: asked, inflight: h.inflight, voltage: q.Voltage, epoch: a.epoch()})
}

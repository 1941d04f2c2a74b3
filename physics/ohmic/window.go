package ohmic

import (
	"math"
	"time"

	"github.com/atrion-io/atrion/vec"
)

// window is one cohort of completions, from which T, L and T0 are learned.
type window struct {
	opened int64
	shed   uint32 // load rejections at its opening

	tally
	most float64 // calls in flight
}

// tally is sums over completions, which add.
type tally struct {
	all, good, failed float64
	successes
	held, seatTime float64 // all with a latency, ms
}

func (a *tally) merge(b *tally) { a.plus(b, 1) }
func (a *tally) less(b *tally)  { a.plus(b, -1) }

// plus adds b, or with a sign of -1 takes it away.
func (a *tally) plus(b *tally, sign float64) {
	a.all += float64(sign * b.all)
	a.good += float64(sign * b.good)
	a.failed += float64(sign * b.failed)
	a.successes.plus(&b.successes, sign)
	a.held += float64(sign * b.held)
	a.seatTime += float64(sign * b.seatTime)
}

func (w *window) add(c *completion) {
	w.all++
	w.good += c.good
	w.failed += 1 - c.good
	w.most = max(w.most, c.inflight)
	if c.timed {
		w.held++
		w.seatTime += c.latency
	}
	w.successes.add(c)
}

// successes are the sums over those of a cohort that succeeded.
type successes struct {
	timed, lnLatency float64 // with a latency
	counted, lnSeats float64 // of them: calls in flight at admission are known
}

func (w *successes) plus(o *successes, sign float64) {
	w.timed += float64(sign * o.timed)
	w.lnLatency += float64(sign * o.lnLatency)
	w.counted += float64(sign * o.counted)
	w.lnSeats += float64(sign * o.lnSeats)
}

func (w *successes) add(c *completion) {
	if !c.works() {
		return
	}
	w.timed++
	w.lnLatency += c.lnLatency
	if c.counted {
		w.counted++
		w.lnSeats += c.lnSeats
	}
}

// due reports whether it has seen enough: 100 ms and 10 successes, 50
// completions, or 1 s.
func (w *window) due(t int64) bool {
	age := t - w.opened
	return age >= int64(100*time.Millisecond) && w.timed >= 10 || w.all >= 50 || age >= int64(time.Second)
}

// learn closes the window, its own and that of the fleet.
func (s *State) learn(t int64) {
	w, p, c := s.window, &s.supply, &s.law.cfg
	limited := s.demand.shed.Load() != w.shed
	s.closeWindow(t)
	if f := &s.fleet; f.live > 0 {
		limited = limited || f.shed
		w.merge(&f.pending)
		w.most = max(w.most, f.busiest)
		s.taken()
	}
	p.learnLatency(&w)
	if w.timed == 0 || s.probe.stage == slowStart || s.probe.under() {
		return
	}
	mean := w.lnLatency / w.timed
	switch {
	case limited && w.counted > 0:
		seats := w.lnSeats / w.counted
		p.learnLimit(c, seats, w.good/w.all)
		if f := &s.fleet; f.ceiling > 0 {
			// What a dip would see is the others' load.
			p.limit = min(p.limit, f.ceiling)
			p.hold = p.limit
			return
		}
		if t >= s.probe.due || p.limit < fallen*s.probe.lastLimit {
			s.dip(t, seats, mean, faulty(w.failed, w.all))
		}
	case !limited && w.failed <= 0.02*w.all && w.most < c.DipDepth*p.limit:
		// (9): what a route far from its limit takes is its unloaded latency.
		dt := float64(t-w.opened) / 1e9
		p.lnT0 += float64((1 - fade(dt, 5*time.Second)) * w.timed / (w.timed + 10) * clip(mean-p.lnT0, -1, 1))
	}
}

// learnLimit moves the limit towards the knee (8): x = N K_T T0/T, L <- max(Lmin,
// L sqrt(clip(x/L, 0.5, 1.25)) + share of successes). By Little's law N T0/T
// calls are at work when N are in flight, the rest wait. N and T are of one
// cohort, which makes the loop stable for every delay while T grows slower than
// N squared.
func (p *supply) learnLimit(c *Config, lnSeats, good float64) {
	knee := vec.Exp1(lnSeats+p.lnT0-p.lnT) * c.Knee
	p.limit = max(c.LeastLimit, float64(p.limit*math.Sqrt(clip(knee/p.limit, 0.5, 1.25)))+good)
	p.hold = p.limit
}

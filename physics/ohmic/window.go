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

	all, good, failed float64
	timed, lnLatency  float64 // successes with a latency
	counted, lnSeats  float64 // successes whose calls in flight are known
	most              float64 // of calls in flight
}

func (w *window) add(c *completion) {
	w.all++
	w.good += c.good
	w.failed += 1 - c.good
	w.most = max(w.most, c.inflight)
	if c.works() {
		w.timed++
		w.lnLatency += c.latency
		if c.counted {
			w.counted++
			w.lnSeats += c.seats
		}
	}
}

// due reports whether it has seen enough (7): 100 ms and 10 successes, 50
// completions, or 1 s.
func (w *window) due(t int64) bool {
	age := t - w.opened
	return age >= int64(100*time.Millisecond) && w.timed >= 10 || w.all >= 50 || age >= int64(time.Second)
}

// learn closes the window.
func (s *State) learn(t int64) {
	w, p, c := &s.window, &s.supply, &s.law.cfg
	dt := float64(t-w.opened) / 1e9
	shed := s.demand.shed.Load()
	limited := shed != w.shed
	if w.timed > 0 {
		mean := w.lnLatency / w.timed
		if p.known {
			p.lnT += float64(w.timed / (w.timed + 64) * (mean - p.lnT)) // (7)
		} else {
			p.lnT, p.known = mean, true
		}
		switch {
		case s.probe.stage == slowStart || s.probe.dips():
		case limited:
			s.load(w)
		case w.failed <= 0.02*w.all && w.most < c.DipDepth*p.limit:
			// (9): what a route far from its limit takes is its unloaded latency.
			p.lnT0 += float64((1 - fade(dt, 5*time.Second)) * w.timed / (w.timed + 10) * clip(mean-p.lnT0, -1, 1))
		}
		if limited && s.probe.stage == steady && !s.probe.under() && t >= s.probe.due {
			s.dip(t, w.most)
		}
	}
	*w = window{opened: t, shed: shed}
}

// load moves the limit towards the knee (8): by Little's law N T0/T calls are at
// work when N are in flight, the rest wait. N and T are of one cohort, which is
// what makes the loop stable for every delay while T grows slower than N^2.
func (s *State) load(w *window) {
	if w.counted == 0 {
		return
	}
	p, c := &s.supply, &s.law.cfg
	knee := vec.Exp1(w.lnSeats/w.counted+p.lnT0-p.lnT) * c.Knee
	p.limit = max(c.LeastLimit, p.limit*math.Sqrt(clip(knee/p.limit, 0.5, 1.25))+w.good/w.all)
	p.hold = p.limit
}

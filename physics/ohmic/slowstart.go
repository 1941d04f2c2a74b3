package ohmic

import (
	"math"

	"github.com/atrion-io/atrion/vec"
)

// startSize is the size of a cohort of slow start.
func (s *State) startSize() float64 { return min(64, math.Ceil(s.supply.limit)) }

// judgeStart ends a cohort of slow start (11). L doubles while the cohort used
// more than 0.6 of it and
//
//	ln T_c - ln T0 <= ln kappa + 2*1.3 sqrt(1/n_c + 1/n_0)
//
// which is to say that it was not significantly slower than kappa times those
// before. Those not back yet are taken at 1.5 times their age, unless they are
// overdue: to leave them out would be to listen to the quick ones only. At the
// first congestion L = (K_T N T0/T)^0.4 N^0.6, and a dip follows. T0 is the
// running mean of the cohorts before, of those that did not fail: nothing is
// learned of a callee in a fault, whose successes are not its usual ones.
func (s *State) judgeStart(t int64, late bool) {
	p, q, c := &s.probe, &s.supply, &s.law.cfg
	p.step = idle
	if p.timed == 0 {
		// All that it says is that so many are too many. A lone node never gets
		// there in doublings; several that have not met yet may.
		if s.fleet.live > 0 && faulty(p.failed, p.done) {
			q.limit = max(c.StartLimit, q.limit/2)
			q.hold = q.limit
		}
		return
	}
	n, sum := p.timed, p.lnLatency
	if missing := p.admitted - p.done; missing > 0 && !late {
		// The missing of a cohort that took long are not as old as its middle.
		age := (float64(t-p.closed) + float64(min(p.closed-p.opened, patience))/2) / 1e6
		n, sum = n+missing, sum+float64(missing*max(vec.Ln1(1.5*age), leastLn))
	}
	mean, lnSeats := sum/n, vec.Ln1(q.limit)
	if p.counted > 0 {
		lnSeats = p.lnSeats / p.counted
	}
	p.judged++
	switch {
	case q.knownT0 == 0:
		q.lnT0, q.knownT0 = mean, min(n, 400)
	case mean-q.lnT0 > vec.Ln1(c.Congested)+float64(2*1.3*math.Sqrt(1/n+1/q.knownT0)):
		lnKnee := lnSeats + q.lnT0 - mean + vec.Ln1(c.Knee)
		q.limit = max(c.LeastLimit, vec.Exp1(float64(0.4*lnKnee)+float64(0.6*lnSeats)))
		p.stage, p.gap = steady, int64(c.DipEvery)
		s.dip(t, lnSeats, mean, faulty(p.failed, p.done))
		return
	case faulty(p.failed, p.done):
	default:
		q.knownT0 = min(q.knownT0+n, 400)
		q.lnT0 += float64(n / q.knownT0 * (mean - q.lnT0))
	}
	if vec.Exp1(lnSeats) > 0.6*q.limit {
		q.limit *= 2
		q.hold = q.limit
	}
}

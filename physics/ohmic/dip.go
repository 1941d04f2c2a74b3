package ohmic

import (
	"math"
	"time"

	"github.com/atrion-io/atrion/vec"
)

const (
	dipSize   = 48                     // admissions that make a dip's cohort
	dipAtMost = int64(2 * time.Second) // that it may take to get them
)

// fallen is the share of its value at the last dip below which the limit calls
// for another one at once: either the callee lost capacity, or it only got
// slower and the baseline is out of date, which pulls the limit down for ever.
const fallen = 0.8

// dip holds theta L until a cohort has gone through at that depth (10). What is
// in flight needs time to drain: 1.5 max(1-theta, 1-theta L/N) 1.5 T, between 5
// and 500 ms. fault says that calls fail as it begins.
func (s *State) dip(t int64, lnSeats, lnLatency float64, fault bool) {
	p, q, c := &s.probe, &s.supply, &s.law.cfg
	p.step, p.preLnSeats, p.preLnLatency, p.preFault = settling, lnSeats, lnLatency, fault
	p.lastLimit, q.hold = q.limit, c.DipDepth*q.limit
	depth := max(1-c.DipDepth, 1-float64(q.hold*vec.Exp1(-lnSeats)))
	f, settle := &s.fleet, int64(clip(1.5*depth*1.5*vec.Exp1(q.lnT), 5, 500)*1e6)
	f.from = t
	if f.live > 0 {
		// Every node must have heard of it before it begins, and how long it
		// takes must be known before it has.
		f.from, q.hold = t+f.every+f.every/4+soon, q.limit
		pace := c.DipDepth * q.limit / vec.Exp1(q.lnT) * 1000
		f.until = f.from + settle + int64(clip(1.25*dipSize/pace, 0.02, float64(dipAtMost)/1e9)*1e9)
	}
	p.until = f.from + settle
}

// farDip is how much ln N must have fallen for the elasticity of the latency to
// be told from chance.
const farDip = 0.8

// judgeDip moves the unloaded latency towards what the dip saw, less the part
// that chance explains:
//
//	ln T0 <- ln T0 + n/(n+16) (1-e) soft(ln T_dip - ln T0, 0.85/sqrt n)
//	soft(x, z) = sign(x) max(0, |x|-z)
//
// Where N fell far and T_dip is still above T0, e is the elasticity d ln T/d ln N
// between before the dip and in it, within [0,1], else 0: what falls with the
// load is not the unloaded latency. And if calls failed besides, the dip is
// repeated rather than believed: those that timed out may still be at work in
// the callee, where no count of calls in flight sees them. Without the two, a
// callee that loses half its servers under a high limit teaches the route its
// own queue.
func (s *State) judgeDip(t int64) {
	p, q, c := &s.probe, &s.supply, &s.law.cfg
	p.step = idle
	moved := 0.0
	if n := p.timed; n >= 5 {
		mean := p.lnLatency / n
		x := mean - q.lnT0
		moved = float64(n / (n + 16) * math.Copysign(max(0, math.Abs(x)-0.85/math.Sqrt(n)), x))
		if fell := p.preLnSeats - p.lnSeats/max(p.counted, 1); x > 0 && p.counted > 0 && fell > farDip {
			moved *= 1 - clip((p.preLnLatency-mean)/fell, 0, 1)
			if p.preFault || faulty(p.failed, p.done) {
				moved, p.gap = 0, 0
			}
		}
		q.lnT0 += moved
	}
	if math.Abs(moved) > 0.15 {
		p.gap /= 2
	} else {
		p.gap *= 2
	}
	p.gap = min(max(p.gap, int64(c.DipEvery)), int64(c.DipAtMost))
	p.due = t + p.gap
	s.fleet.past.merge(&s.window.tally)
	s.window = window{opened: t, shed: s.demand.shed.Load()}
	s.taken()
}

// faulty reports whether so many failures of so many calls are more than a
// healthy callee has.
func faulty(failed, of float64) bool { return failed > 1+float64(0.02*of) }

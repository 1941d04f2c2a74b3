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

// dip holds theta L until a cohort has gone through at that depth (10). What is
// in flight needs time to drain: 1.5 max(1-theta, 1-theta L/N) 1.5 T, between 5
// and 500 ms.
func (s *State) dip(t int64, lnSeats, lnLatency float64) {
	p, q, c := &s.probe, &s.supply, &s.law.cfg
	p.step, p.preLnSeats, p.preLnLatency = settling, lnSeats, lnLatency
	q.hold = c.DipDepth * q.limit
	depth := max(1-c.DipDepth, 1-float64(q.hold*vec.Exp1(-lnSeats)))
	p.until = t + int64(clip(1.5*depth*1.5*vec.Exp1(q.lnT), 5, 500)*1e6)
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
// e is the elasticity d ln T/d ln N between before the dip and in it, within
// [0,1], where N fell far and T_dip is above T0, and else 0: what still falls
// with the load is not the unloaded latency. Without it a callee that loses
// half its servers under a high limit teaches the route its own queue.
func (s *State) judgeDip(t int64) {
	p, q, c := &s.probe, &s.supply, &s.law.cfg
	p.step = idle
	moved := 0.0
	if n := p.timed; n >= 5 {
		mean := p.lnLatency / n
		x := mean - q.lnT0
		moved = float64(n / (n + 16) * math.Copysign(max(0, math.Abs(x)-0.85/math.Sqrt(n)), x))
		if x > 0 && p.counted > 0 {
			if fell := p.preLnSeats - p.lnSeats/p.counted; fell > farDip {
				moved *= 1 - clip((p.preLnLatency-mean)/fell, 0, 1)
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
	s.window = window{opened: t, shed: s.demand.shed.Load()}
}

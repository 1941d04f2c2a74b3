package ohmic

import (
	"math"
	"time"

	"github.com/atrion-io/atrion/vec"
)

type stage uint8

const (
	slowStart stage = iota
	steady
)

type step uint8

const (
	idle     step = iota
	settling      // a dip holds and its effect is awaited
	open          // the cohort is being admitted
	closed        // and awaited
)

// probe is a measurement with a cohort of its own: the requests admitted under
// one epoch. Slow start (11) is a row of them, a dip (10) is one.
type probe struct {
	stage stage
	step  step
	epoch uint32 // of those admitted now
	own   uint32 // of the cohort
	until int64  // settling: end
	due   int64  // earliest next dip
	gap   int64  // between dips, ns

	opened, closed   int64
	size, admitted   float64 // wanted, got
	done, timed      float64
	lnLatency        float64
	counted, lnSeats float64
	judged           float64 // cohorts of slow start judged so far
}

func (p *probe) under() bool { return p.step != idle }
func (p *probe) dips() bool  { return p.stage == steady && p.step != idle }

// counts reports whether admissions must be counted now.
func (p *probe) counts() bool { return p.step == open }

// first is the cohort of a route never seen: it is under way before anything
// has completed.
func (p *probe) first() { p.step, p.epoch, p.own = open, 1, 1 }

// start opens a cohort of at least size admissions.
func (s *State) startCohort(t int64, size float64) {
	p := &s.probe
	p.epoch++
	p.step, p.own, p.opened, p.size = open, p.epoch, t, size
	p.admitted, p.done, p.timed, p.lnLatency, p.counted, p.lnSeats = 0, 0, 0, 0, 0, 0
	s.demand.admitted[p.own&1].Store(0)
}

// startSize is that of a cohort of slow start.
func (s *State) startSize() float64 { return min(64, math.Ceil(s.supply.limit)) }

func (s *State) closeCohort(t int64) {
	p := &s.probe
	p.epoch++
	p.step, p.closed = closed, t
	p.admitted = float64(s.demand.admitted[p.own&1].Load())
}

// add takes a completion if it is one of the cohort's: by its epoch, or, if
// whoever reported it knows none, by when it began.
func (p *probe) add(c *completion) {
	if p.step != open && p.step != closed || c.epoch != 0 && c.epoch != p.own {
		return
	}
	if c.epoch == 0 && (c.start < p.opened || p.step == closed && c.start > p.closed) {
		return
	}
	p.done++
	if c.works() && !c.gone {
		p.timed++
		p.lnLatency += c.latency
		if c.counted {
			p.counted++
			p.lnSeats += c.seats
		}
	}
}

// patience is how long a closed cohort is awaited.
const patience = int64(1100 * time.Millisecond)

// advanceProbe takes the steps that are due at t.
func (s *State) advanceProbe(t int64) {
	p := &s.probe
	switch p.step {
	case idle:
		if p.stage == slowStart {
			s.startCohort(t, s.startSize())
		}
	case settling:
		if t >= p.until {
			s.startCohort(t, 48)
		}
	case open:
		got := float64(s.demand.admitted[p.own&1].Load())
		if got >= p.size || p.stage == steady && t-p.opened >= int64(2*time.Second) {
			s.closeCohort(t)
			if p.stage == steady {
				s.supply.hold = s.supply.limit
			}
		}
	case closed:
		late := t-p.closed >= patience
		switch {
		case p.stage == slowStart && (p.done >= 0.8*p.admitted || late):
			s.judgeStart(t, late)
		case p.stage == steady && (p.done >= p.admitted || late):
			s.judgeDip(t)
		}
	}
}

// judgeStart ends a cohort of slow start (11). Those not back yet are taken at
// 1.5 times their age, unless they are overdue: to leave them out would be to
// listen to the quick ones only.
func (s *State) judgeStart(t int64, late bool) {
	p, q, c := &s.probe, &s.supply, &s.law.cfg
	p.step = idle
	if p.timed == 0 {
		return
	}
	n, sum := p.timed, p.lnLatency
	if missing := p.admitted - p.done; missing > 0 && !late {
		age := float64(t-(p.opened+p.closed)/2) / 1e6
		n, sum = n+missing, sum+float64(missing*vec.Ln1(1.5*age))
	}
	mean := sum / n
	seats := q.limit
	if p.counted > 0 {
		seats = vec.Exp1(p.lnSeats / p.counted)
	}
	p.judged++
	if q.knownT0 == 0 {
		q.lnT0, q.knownT0 = mean, n
	} else if mean-q.lnT0 > vec.Ln1(c.Congested)+float64(2*1.3*math.Sqrt(1/n+1/q.knownT0)) {
		knee := c.Knee * seats * vec.Exp1(q.lnT0-mean)
		q.limit = max(c.LeastLimit, vec.Exp1(float64(0.4*vec.Ln1(knee))+float64(0.6*vec.Ln1(seats))))
		p.stage, p.gap = steady, int64(c.DipEvery)
		q.hold = q.limit
		s.dip(t, seats)
		return
	} else {
		q.knownT0 = min(q.knownT0+n, 400)
		q.lnT0 += float64(n / q.knownT0 * (mean - q.lnT0))
	}
	if seats > 0.6*q.limit {
		q.limit *= 2
		q.hold = q.limit
	}
}

// dip holds theta L until a cohort has gone through at that depth (10).
func (s *State) dip(t int64, seats float64) {
	p, q, c := &s.probe, &s.supply, &s.law.cfg
	p.step = settling
	q.hold = c.DipDepth * q.limit
	depth := max(1-c.DipDepth, 1-q.hold/max(seats, 1))
	p.until = t + int64(clip(1.5*depth*1.5*vec.Exp1(q.lnT), 5, 500)*1e6)
}

// judgeDip moves the unloaded latency towards what the dip saw, less the part
// that chance explains: soft(x, z) = sign(x) max(0, |x|-z).
func (s *State) judgeDip(t int64) {
	p, q, c := &s.probe, &s.supply, &s.law.cfg
	p.step = idle
	moved := 0.0
	if n := p.timed; n >= 5 {
		x := p.lnLatency/n - q.lnT0
		soft := math.Copysign(max(0, math.Abs(x)-0.85/math.Sqrt(n)), x)
		moved = float64(n / (n + 16) * soft)
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

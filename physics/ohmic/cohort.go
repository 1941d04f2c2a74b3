package ohmic

import "time"

type stage uint8

const (
	slowStart stage = iota // (11)
	steady                 // (8, 9, 10)
)

type step uint8

const (
	idle     step = iota
	settling      // a dip holds, its effect is awaited
	open          // the cohort is being admitted
	closed        // and awaited
)

// probe is a measurement with a cohort of its own: the requests admitted under
// one epoch. Slow start is a row of them, a dip is one.
type probe struct {
	stage stage
	step  step
	epoch uint32 // of those admitted now
	own   uint32 // of the cohort

	opened, closed int64
	size, admitted float64 // wanted, got
	done, failed   float64 // of the admitted: ended, failed
	successes

	judged float64 // cohorts of slow start

	until        int64   // settling ends
	due          int64   // the next dip, if the limit holds that long
	lastLimit    float64 // L at the last dip
	gap          int64   // between dips, ns
	preLnLatency float64 // before the dip
	preLnSeats   float64
	preFault     bool
}

// patience is how long a closed cohort is awaited.
const patience = int64(1100 * time.Millisecond)

func (p *probe) under() bool { return p.step != idle }

// first is the cohort of a route never seen: it is under way before anything
// has completed.
func (p *probe) first(size float64) { p.step, p.epoch, p.own, p.size = open, 1, 1, size }

// openCohort begins a cohort of at least size admissions.
func (s *State) openCohort(t int64, size float64) {
	p := &s.probe
	p.epoch++
	p.step, p.own, p.opened, p.size = open, p.epoch, t, size
	p.admitted, p.done, p.failed = 0, 0, 0
	p.successes = successes{}
	s.demand.cohort(p.own).Store(0)
}

func (s *State) closeCohort(t int64) {
	p := &s.probe
	p.epoch++
	p.step, p.closed = closed, t
	p.admitted = float64(s.demand.cohort(p.own).Load())
}

// add takes a completion if it is one of the cohort's: by its epoch, or, if
// whoever reported it knows none, by when it began.
func (p *probe) add(c *completion) {
	switch {
	case p.step != open && p.step != closed:
		return
	case c.epoch != 0 && c.epoch != p.own:
		return
	case c.epoch == 0 && (c.start < p.opened || p.step == closed && c.start > p.closed):
		return
	}
	p.done++
	if !c.gone {
		p.failed += 1 - c.good
		p.successes.add(c)
	}
}

// advanceProbe takes the steps that are due at t.
func (s *State) advanceProbe(t int64) {
	p := &s.probe
	if s.fleet.live > 0 {
		s.advanceProbeOfAll(t)
		return
	}
	late := t-p.closed >= patience
	switch p.step {
	case idle:
		if p.stage == slowStart {
			s.openCohort(t, s.startSize())
		}
	case settling:
		if t >= p.until {
			s.openCohort(t, dipSize)
		}
	case open:
		got := float64(s.demand.cohort(p.own).Load())
		if got >= p.size || p.stage == steady && t-p.opened >= dipAtMost {
			s.closeCohort(t)
			s.supply.hold = s.supply.limit
		}
	case closed:
		if p.stage == slowStart && (p.done >= 0.8*p.admitted || late) {
			s.judgeStart(t, late)
		} else if p.stage == steady && (p.done >= p.admitted || late) {
			s.judgeDip(t)
		}
	}
}

// advanceProbeOfAll is advanceProbe for the node that learns for a fleet. What
// peers saw arrives later, so it waits for them; and what is held in a dip has an
// end that was announced, rather than one that is counted.
func (s *State) advanceProbeOfAll(t int64) {
	p, f := &s.probe, &s.fleet
	late := t-p.closed >= patience+2*f.every
	switch p.step {
	case idle:
		if p.stage == slowStart {
			s.openCohort(t, s.startSize())
		}
	case settling:
		if t >= f.from {
			s.supply.hold = s.law.cfg.DipDepth * s.supply.limit
		}
		if t >= p.until {
			s.openCohort(t, dipSize)
		}
	case open:
		all, _ := s.cohortOfAll()
		if p.stage == steady && t >= f.until || p.stage == slowStart && all.admitted >= p.size {
			s.closeCohort(t)
			s.supply.hold = s.supply.limit
		}
	case closed:
		all, complete := s.cohortOfAll()
		share := 1.0
		if p.stage == slowStart {
			share = 0.8
		}
		if !(complete && all.done >= share*all.admitted || late) {
			return
		}
		p.admitted, p.done, p.failed, p.successes = all.admitted, all.done, all.failed, all.successes
		if p.stage == slowStart {
			s.judgeStart(t, late)
		} else {
			s.judgeDip(t)
		}
	}
}

package ohmic

import (
	"time"

	"github.com/atrion-io/atrion/vec"
)

// In a fleet one node learns from the sums of all, and the others take over what
// it has learned.

// soon is how much longer than an exchange an announcement is made ahead.
const soon = int64(10 * time.Millisecond)

// mark is up to where a peer's sums have been taken into account.
type mark struct {
	rank uint64
	sums tally
	shed uint32
}

// adopt takes over what the node that learns has learned.
func (s *State) adopt(o *State, another bool) {
	p, q := &s.probe, &o.probe
	busy, known, lnT := s.supply.busy, s.supply.known, s.supply.lnT
	s.supply = o.supply
	if o.supply.busy == 0 {
		s.supply.busy = busy
	}
	if !o.supply.known {
		s.supply.known, s.supply.lnT = known, lnT
	}
	s.supply.hold = s.supply.limit
	p.stage, p.judged, p.due, p.lastLimit = q.stage, q.judged, q.due, q.lastLimit
	p.preLnLatency, p.preLnSeats, p.preFault, p.size = q.preLnLatency, q.preLnSeats, q.preFault, q.size
	if !another && !q.further(p) {
		return
	}
	if q.own != p.own || another {
		p.done, p.failed, p.admitted, p.successes = 0, 0, 0, successes{}
		if s.demand != nil {
			s.demand.cohort(q.own).Store(0)
		}
	} else if p.step == open && s.demand != nil {
		p.admitted = float64(s.demand.cohort(p.own).Load())
	}
	p.step, p.epoch, p.own = q.step, q.epoch, q.own
	p.opened, p.closed, p.until = q.opened, q.closed, q.until
	s.fleet.from, s.fleet.until = o.fleet.from, o.fleet.until
}

// further reports whether q is a later moment of the same row of probes.
func (q *probe) further(p *probe) bool {
	if q.epoch != p.epoch {
		return int32(q.epoch-p.epoch) > 0
	}
	return q.order() > p.order()
}

func (p *probe) order() int {
	return [...]int{closed: 0, idle: 1, settling: 2, open: 3}[p.step]
}

// follow takes the steps of a probe that another node has announced.
func (s *State) follow(t int64) {
	p, f := &s.probe, &s.fleet
	if s.window.due(t) {
		s.closeWindow(t)
	}
	if p.stage != steady {
		return
	}
	if p.step == settling && t >= f.from || p.step == open {
		s.supply.hold = s.law.cfg.DipDepth * s.supply.limit
	}
	if p.step == settling && t >= p.until {
		s.openCohort(t, dipSize)
	}
	if p.step == open && t >= f.until {
		s.closeCohort(t)
		s.supply.hold = s.supply.limit
	}
}

// closeWindow books a window that is over, for those who learn from the sums.
func (s *State) closeWindow(t int64) {
	w, f := s.window, &s.fleet
	f.past.merge(&w.tally)
	f.most = w.most
	s.window = window{opened: t, shed: s.demand.shed.Load()}
	if w.timed > 0 {
		s.law.watch.Observe(&s.watch, t, vec.Exp1(w.lnLatency/w.timed))
	}
}

// collect sums up what peers completed since the last window.
func (s *State) collect(anew bool) {
	f := &s.fleet
	if anew {
		f.marks = nil
	}
	f.pending, f.busiest, f.shed = tally{}, 0, false
	marks := make([]mark, 0, len(f.peers))
	for rank, o := range f.present {
		m, known := f.marked(rank)
		switch {
		case !known:
			m = o.mark(rank)
		case o.fleet.past.all < m.sums.all: // it began anew
			m = mark{rank: rank}
		}
		marks = append(marks, m)
		d := o.fleet.past
		d.less(&m.sums)
		f.pending.merge(&d)
		f.busiest = max(f.busiest, o.fleet.most)
		f.shed = f.shed || o.shed != m.shed
	}
	f.marks = marks
}

func (f *fleet) marked(rank uint64) (mark, bool) {
	for _, m := range f.marks {
		if m.rank == rank {
			return m, true
		}
	}
	return mark{}, false
}

// taken marks what peers completed as taken into account.
func (s *State) taken() {
	f := &s.fleet
	f.pending, f.busiest, f.shed = tally{}, 0, false
	if len(f.marks) == 0 {
		return
	}
	marks := make([]mark, 0, len(f.marks))
	for rank, o := range f.present {
		marks = append(marks, o.mark(rank))
	}
	f.marks = marks
}

// mark is up to where s has told of itself.
func (s *State) mark(rank uint64) mark { return mark{rank, s.fleet.past, s.shed} }

// cohortOfAll is the probe with what peers saw of it. complete says that all who are
// there have told of it to its end.
func (s *State) cohortOfAll() (p probe, complete bool) {
	p, complete = s.probe, true
	if s.probe.step == open {
		p.admitted = float64(s.demand.cohort(p.own).Load())
	}
	for _, o := range s.fleet.present {
		if o.probe.own != p.own {
			complete = false
			continue
		}
		if o.probe.step == open || o.probe.step == settling {
			complete = false
		}
		p.admitted += o.probe.admitted
		p.done += o.probe.done
		p.failed += o.probe.failed
		p.successes.plus(&o.probe.successes, 1)
	}
	return p, complete
}

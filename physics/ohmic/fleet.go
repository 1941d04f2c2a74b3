package ohmic

import (
	"math"
	"slices"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/vec"
)

// fleet is what a state knows of the other nodes that call the same callee.
//
// Together they are one route: limit, latencies and probes are the fleet's, in
// calls of all nodes. One node of the fleet learns them, from the sums of what
// every node saw, and the others take them from it; each holds its own share w
// of the limit, by its share of the arrivals. A node that hears nobody is a
// fleet of one, with w = 1.
type fleet struct {
	peers  []physics.Peer
	rank   uint64
	every  int64 // ns between what peers say
	live   int   // peers that are heard
	flow   float64
	per    float64 // 1/w
	lnW    float64
	leader uint64 // rank of the node that learns; own: this one
	union  []uint64
	hotAt  int64 // the last instant at which somebody's route was hot
	coldAt int64 // the last at which nobody's was
	cut    bool  // the others cannot be reached
	// ceiling is what such a node's limit may not pass: the others still call, and
	// would give way to it. 0: none.
	ceiling float64

	heat   *table   // own arrivals, where price has those of all
	remote failures // what counts of what others saw fail, at State.refreshed
	pooled bool     // it is added to one's own
	word   float64  // share turned away on the word of most of the fleet

	past  tally   // completions of windows that are over
	most  float64 // calls in flight in the last of them
	from  int64   // a dip that was announced begins
	until int64   // its cohort ends

	// Of the node that learns.
	pending tally // completions of peers since the last window
	busiest float64
	shed    bool // they turned somebody away for the load since
	marks   []mark
}

// mark is up to where a peer's sums have been taken into account.
type mark struct {
	rank uint64
	sums tally
	shed uint32
}

const (
	silence  = int64(time.Second)     // a node that has something to say and does not is away
	absence  = int64(time.Minute)     // one that has nothing to say is away after that
	leastW   = 0.02                   // least share of the limit
	hotFor   = int64(2 * time.Second) // a route stays hot for that long
	most     = 64                     // nodes that are listened to
	outlying = 0.9162907318741551     // ln 2.5: a node so much slower than the middle one has a fault of its own
	refreshW = time.Second            // memory of the rates that shares follow from
	voters   = 3                      // least nodes with evidence for the word of most to count
	voice    = 3.0                    // least calls that are evidence
	soon     = int64(10 * time.Millisecond)
)

func (s *State) leads() bool { return s.fleet.live == 0 || s.fleet.leader == s.fleet.rank }

// Fleet returns how many other nodes are heard, the share of the limit that is
// this node's, and whether it learns for all.
func (s *State) Fleet() (heard int, share float64, learns bool) {
	return s.fleet.live, 1 / s.fleet.per, s.leads()
}

// meet takes in what peers said.
func (s *State) meet(b *physics.Batch, t int64) {
	f := &s.fleet
	f.peers, f.rank, f.every = b.Peers, b.Rank, b.Every
	s.regroup(t)
}

// said is what p said, if it is of this law.
func said(p *physics.Peer) *State {
	o, _ := p.State.(*State)
	return o
}

// away reports whether nothing is to be expected of p any more.
func (s *State) away(p *physics.Peer, t int64) bool {
	since := t - max(p.Heard, s.fleet.coldAt)
	return since > silence || t-p.Heard > absence
}

// regroup finds out who is there, who learns, and what share is one's own.
func (s *State) regroup(t int64) {
	f := &s.fleet
	if len(f.peers) == 0 {
		return
	}
	hot := s.hot(t)
	for i := range f.peers {
		if o := said(&f.peers[i]); o != nil && o.fleet.hotAt != 0 && t-f.peers[i].Heard < hotFor {
			hot = true
		}
	}
	if hot {
		f.hotAt = t
	} else {
		f.coldAt = t
	}

	learner, steadily := f.rank, s.probe.stage == steady
	var lead *State
	var leadHeard int64
	total, live := f.flow, 0
	var union []uint64
	f.remote = failures{}
	for i := range f.peers {
		p := &f.peers[i]
		o := said(p)
		if o == nil || live == most {
			continue
		}
		s.weigh(o, t)
		if s.away(p, t) {
			continue
		}
		live++
		union = append(union, p.Rank)
		total += o.fleet.flow
		if st := o.probe.stage == steady; st && !steadily || st == steadily && p.Rank > learner {
			learner, steadily, lead, leadHeard = p.Rank, st, o, p.Heard
		}
	}
	before := f.flow
	for i := range f.peers {
		if o := said(&f.peers[i]); o != nil && slices.Contains(f.union, f.peers[i].Rank) {
			before += o.fleet.flow
		}
	}
	wasLeader := s.leads()
	f.live = live
	if live == 0 {
		lead, learner = nil, f.rank
	}
	// Whoever comes or goes takes the calls along that it has in flight.
	if lead == nil && !slices.Equal(union, f.union) {
		scale := float64(live+1) / float64(len(f.union)+1)
		if before > 0 && total > 0 {
			scale = clip(total/before, 1.0/most, most)
		}
		s.supply.limit = max(s.law.cfg.LeastLimit, s.supply.limit*scale)
		if len(f.union) == 0 && s.probe.stage == slowStart {
			// They began at about the same time, each with its part.
			s.supply.limit = min(s.supply.limit, s.law.cfg.StartLimit)
		}
		s.supply.hold = s.supply.limit
		s.probe.lastLimit *= scale
	}
	f.union = union
	switch {
	case live > 0 || !f.cut:
		f.ceiling = 0
	case f.ceiling == 0:
		f.ceiling = s.supply.limit
	}
	w := 1.0
	switch {
	case live == 0:
	case total > 0:
		w = max(f.flow/total, leastW)
	default:
		w = 1 / float64(live+1)
	}
	f.per, f.lnW = 1/w, vec.Ln1(w)
	s.vote(t)
	if lead != nil {
		s.adopt(lead, learner != f.leader, t, leadHeard)
	}
	f.leader = learner
	if lead == nil && live > 0 {
		s.collect(!wasLeader)
	}
}

// startAmong begins with what is left of the first limit when all nodes begin at
// once. Nobody has heard of the others' calls yet, and what the first few take,
// while the callee is still empty, is the best that will ever be known of its
// unloaded latency.
func (s *State) startAmong(nodes int) {
	s.supply.limit = max(1, s.law.cfg.StartLimit/float64(nodes))
	s.supply.hold = s.supply.limit
	s.probe.size = s.startSize()
}

// hot reports whether this node learns something that others must know soon.
func (s *State) hot(t int64) bool {
	return s.shedAt > 0 && t-s.shedAt < hotFor || s.probing(t) || s.failures.ratio(1, &s.law.cfg) > 0.01
}

// probing reports whether a probe is under way that others must know of. Slow
// start far from its limit concerns nobody.
func (s *State) probing(t int64) bool {
	if s.probe.stage == steady {
		return s.probe.under()
	}
	return t-s.arrived < int64(time.Second) && s.fleet.flow*s.fleet.per > 0.3*s.supply.rate
}

// weigh counts what a peer saw fail, as far as it counts.
func (s *State) weigh(o *State, t int64) {
	c := &s.law.cfg
	share := fade(float64(max(t-o.refreshed, 0))/1e9, c.FailureMemory)
	all := o.failures.all * share
	if all <= 0 || c.Gamma == 0 {
		return
	}
	share *= c.Gamma * min(1, c.PeerCalls/all)
	s.fleet.remote.all += float64(o.failures.all * share)
	s.fleet.remote.good += float64(o.failures.good * share)
}

// vote is the word of most of the fleet: the middle one of what the nodes with
// evidence would turn away, themselves, for failures.
func (s *State) vote(t int64) {
	f, c := &s.fleet, &s.law.cfg
	f.word = 0
	var says []float64
	note := func(o *State) {
		share := fade(float64(max(t-o.refreshed, 0))/1e9, c.FailureMemory)
		if share*o.failures.all >= voice {
			says = append(says, o.failures.ratio(share, c))
		}
	}
	note(s)
	for i := range f.peers {
		if o := said(&f.peers[i]); o != nil && len(says) <= most {
			note(o)
		}
	}
	if len(says) >= voters {
		slices.Sort(says)
		f.word = c.Gamma * min(c.WordMost, says[(len(says)-1)/2])
	}
}

// pool decides whether what others saw fail is added to one's own. It is, unless
// one's own calls fail more than chance explains: then the fault is one's own.
func (s *State) pool() {
	f := &s.fleet
	f.pooled = false
	if f.remote.all <= 0 {
		return
	}
	all := f.remote.all + s.failures.all
	failed := all - f.remote.good - s.failures.good
	share := failed / all
	own := s.failures.all - s.failures.good
	more := own - float64(s.failures.all*share)
	f.pooled = more <= float64(3*math.Sqrt(s.failures.all*max(share*(1-share), 0.01)))
}

// evidence is the failures that decide.
func (s *State) evidence() failures {
	f := s.failures
	if s.fleet.pooled {
		f.all += s.fleet.remote.all
		f.good += s.fleet.remote.good
	}
	return f
}

// adopt takes over what the node that learns has learned.
func (s *State) adopt(o *State, another bool, t, heard int64) {
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
	var middle float64
	if f.live >= 2 {
		middle = s.middle()
	}
	marks := make([]mark, 0, len(f.peers))
	for i := range f.peers {
		p := &f.peers[i]
		o := said(p)
		if o == nil || !slices.Contains(f.union, p.Rank) {
			continue
		}
		m, known := f.marked(p.Rank)
		if !known || o.fleet.past.all < m.sums.all {
			m = mark{p.Rank, o.fleet.past, o.shed}
			if known {
				m = mark{rank: p.Rank}
			}
		}
		marks = append(marks, m)
		d := o.fleet.past
		d.less(&m.sums)
		if middle != 0 && d.timed >= 5 && d.lnLatency/d.timed > middle+outlying {
			continue
		}
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

// middle is the middle one of the nodes' mean ln latencies since the last
// window; 0: not known.
func (s *State) middle() float64 {
	f := &s.fleet
	var means []float64
	add := func(d *tally) {
		if d.timed >= 5 {
			means = append(means, d.lnLatency/d.timed)
		}
	}
	add(&s.window.tally)
	for i := range f.peers {
		if o := said(&f.peers[i]); o != nil {
			if m, ok := f.marked(f.peers[i].Rank); ok {
				d := o.fleet.past
				d.less(&m.sums)
				add(&d)
			}
		}
	}
	if len(means) < voters {
		return 0
	}
	slices.Sort(means)
	return means[(len(means)-1)/2]
}

// taken marks what peers completed as taken into account.
func (s *State) taken() {
	f := &s.fleet
	f.pending, f.busiest, f.shed = tally{}, 0, false
	if len(f.marks) == 0 {
		return
	}
	marks := make([]mark, 0, len(f.marks))
	for i := range f.peers {
		p := &f.peers[i]
		if o := said(p); o != nil && slices.Contains(f.union, p.Rank) {
			marks = append(marks, mark{p.Rank, o.fleet.past, o.shed})
		}
	}
	f.marks = marks
}

// cohort is the probe with what peers saw of it. complete says that all who are
// there have told of it to its end.
func (s *State) cohortOfAll() (p probe, complete bool) {
	p, complete = s.probe, true
	if s.probe.step == open {
		p.admitted = float64(s.demand.cohort(p.own).Load())
	}
	for i := range s.fleet.peers {
		r := &s.fleet.peers[i]
		o := said(r)
		if o == nil || !slices.Contains(s.fleet.union, r.Rank) {
			continue
		}
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
		p.timed += o.probe.timed
		p.lnLatency += o.probe.lnLatency
		p.counted += o.probe.counted
		p.lnSeats += o.probe.lnSeats
	}
	return p, complete
}

// blend is the demand curve of the fleet at t: own arrivals, and those of the
// peers that are there.
func (s *State) blend(own *table, t int64) *table {
	f := &s.fleet
	out := &table{entry: slices.Clone(own.entry)}
	for i := range f.peers {
		o := said(&f.peers[i])
		if o == nil || !slices.Contains(f.union, f.peers[i].Rank) {
			continue
		}
		keep := fade(float64(max(t-o.refreshed, 0))/1e9, s.law.cfg.BidMemory)
		for _, e := range o.price.entry {
			heat := float64(e.heat * keep)
			at, found := slices.BinarySearchFunc(out.entry, e.band, func(x entry, band int) int { return x.band - band })
			if found {
				out.entry[at].heat += heat
			} else if heat > 0 {
				out.entry = slices.Insert(out.entry, at, entry{heat: heat, band: e.band})
			}
		}
	}
	total := 0.0
	for _, e := range out.entry {
		total += e.heat
	}
	out.rank(total)
	return out
}

package ohmic

import (
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
	peers  []physics.Peer // what others last said; not to be changed
	rank   uint64         // this node's
	every  int64          // ns between two words of a node
	live   int            // peers that are there
	union  []uint64       // their ranks
	leader uint64         // rank of the node that learns
	hotAt  int64          // the last instant at which the route was hot for somebody
	coldAt int64          // the last at which it was so for nobody

	flow     float64 // arrivals here, 1/s, with a memory of a second
	per, lnW float64 // 1/w and ln w, of this node's share

	cut     bool    // the others cannot be reached
	ceiling float64 // what the limit may not pass then: the others, who still call, would give way; 0: none

	heat   *table   // own arrivals, where price has those of all
	remote failures // what counts of what others saw fail, at State.refreshed
	pooled bool     // it is added to one's own
	word   float64  // share turned away on the word of most of the fleet

	past  tally   // completions of windows that are over
	most  float64 // calls in flight in the last of them
	from  int64   // a dip that was announced begins
	until int64   // its cohort ends

	// Of the node that learns; see collect.
	pending tally   // completions of peers since the last window
	busiest float64 // most calls in flight at one of them
	shed    bool    // they turned somebody away for the load since
	marks   []mark
}

const (
	silence    = int64(time.Second)     // a node that has something to say and does not is away
	absence    = int64(time.Minute)     // one that has nothing to say is away after that
	hotFor     = int64(2 * time.Second) // a route stays hot for that long
	leastShare = 0.02                   // of the limit, that a node has
	mostPeers  = 64                     // nodes that are listened to
	flowMemory = time.Second            // of the rates that shares follow from
)

func (s *State) leads() bool { return s.fleet.live == 0 || s.fleet.leader == s.fleet.rank }

// Fleet returns how many other nodes are heard, the share of the limit that is
// this node's, and whether it learns for all.
func (s *State) Fleet() (heard int, share float64, learns bool) {
	return s.fleet.live, 1 / s.fleet.per, s.leads()
}

// present yields the peers that are there, by rank, and what they said.
func (f *fleet) present(yield func(rank uint64, o *State) bool) {
	for i := range f.peers {
		p := &f.peers[i]
		if o := said(p); o != nil && slices.Contains(f.union, p.Rank) && !yield(p.Rank, o) {
			return
		}
	}
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
	s.feel(t)
	learned := s.leads()
	c := s.census(t)
	f.live = len(c.union)
	if c.lead == nil && !slices.Equal(c.union, f.union) {
		s.rescale(&c)
	}
	f.union = c.union
	switch {
	case f.live > 0 || !f.cut:
		f.ceiling = 0
	case f.ceiling == 0:
		f.ceiling = s.supply.limit
	}
	w := 1.0
	switch {
	case f.live == 0:
	case c.flow > 0:
		w = max(f.flow/c.flow, leastShare)
	default:
		w = 1 / float64(f.live+1)
	}
	f.per, f.lnW = 1/w, vec.Ln1(w)
	s.remember(t)
	s.vote(t)
	another := c.learner != f.leader
	f.leader = c.learner
	switch {
	case c.lead != nil:
		s.adopt(c.lead, another)
	case f.live > 0:
		s.collect(!learned)
	}
}

// feel notes whether the route is hot: somebody learns something that all must
// know soon.
func (s *State) feel(t int64) {
	f := &s.fleet
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
}

// census is who is there.
type census struct {
	union   []uint64 // ranks of the peers
	flow    float64  // arrivals of all, 1/s
	before  float64  // of those who were there before, as last known
	learner uint64   // rank of the node that learns: the highest of those that know most
	lead    *State   // what it said; nil: it is this node
}

func (s *State) census(t int64) census {
	f := &s.fleet
	c := census{flow: f.flow, before: f.flow, learner: f.rank}
	most := s.probe.knows()
	for i := range f.peers {
		p := &f.peers[i]
		o := said(p)
		if o == nil || len(c.union) == mostPeers {
			continue
		}
		if slices.Contains(f.union, p.Rank) {
			c.before += o.fleet.flow
		}
		if s.away(p, t) {
			continue
		}
		c.union = append(c.union, p.Rank)
		c.flow += o.fleet.flow
		if n := o.probe.knows(); n > most || n == most && p.Rank > c.learner {
			c.learner, most, c.lead = p.Rank, n, o
		}
	}
	return c
}

// knows is how much a node has learned: nothing, something, or all that slow
// start has to teach. Whoever is new must not teach the others.
func (p *probe) knows() int {
	switch {
	case p.stage == steady:
		return 2
	case p.judged > 0:
		return 1
	}
	return 0
}

// rescale changes the limit with who is there: whoever comes or goes takes the
// calls along that it has in flight.
func (s *State) rescale(c *census) {
	f, q := &s.fleet, &s.supply
	scale := float64(len(c.union)+1) / float64(len(f.union)+1)
	if c.before > 0 && c.flow > 0 {
		scale = clip(c.flow/c.before, 1.0/mostPeers, mostPeers)
	}
	q.limit = max(s.law.cfg.LeastLimit, q.limit*scale)
	if len(f.union) == 0 && s.probe.stage == slowStart {
		// They began at about the same time, each with its part.
		q.limit = min(q.limit, s.law.cfg.StartLimit)
	}
	q.hold = q.limit
	s.probe.lastLimit *= scale
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

// blend is the demand curve of the fleet at t: own arrivals, and those of the
// peers that are there.
func (s *State) blend(own *table, t int64) *table {
	out := &table{entry: slices.Clone(own.entry)}
	for _, o := range s.fleet.present {
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

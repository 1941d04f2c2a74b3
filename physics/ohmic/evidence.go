package ohmic

import (
	"math"
	"slices"
)

// What other nodes saw fail (5, in a fleet): it warns, within bounds, and one's own
// calls decide.

const (
	voters = 3   // least nodes with evidence for the word of most to count
	voice  = 3.0 // least calls that are evidence
)

// remember adds up what peers saw fail, as far as it counts: each for so many
// calls at most, times gamma.
func (s *State) remember(t int64) {
	f, c := &s.fleet, &s.law.cfg
	f.remote = failures{}
	for i := range f.peers {
		o := said(&f.peers[i])
		if o == nil || i >= mostPeers {
			continue
		}
		share := s.faded(o, t)
		if all := o.failures.all * share; all > 0 {
			share *= c.Gamma * min(1, c.PeerCalls/all)
			f.remote.all += float64(o.failures.all * share)
			f.remote.good += float64(o.failures.good * share)
		}
	}
}

// faded is the share that is left at t of the failures that o remembers.
func (s *State) faded(o *State, t int64) float64 {
	return fade(float64(max(t-o.refreshed, 0))/1e9, s.law.cfg.FailureMemory)
}

// vote is the word of most of the fleet: the middle one of what the nodes with
// evidence would turn away, themselves, for failures.
func (s *State) vote(t int64) {
	f, c := &s.fleet, &s.law.cfg
	f.word = 0
	var says []float64
	note := func(o *State) {
		share := s.faded(o, t)
		if share*o.failures.all >= voice {
			says = append(says, o.failures.ratio(share, c))
		}
	}
	note(s)
	for i := range f.peers {
		if o := said(&f.peers[i]); o != nil && i < mostPeers {
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

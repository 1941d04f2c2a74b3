package ohmic

import "github.com/atrion-io/atrion/physics"

var _ physics.Amendable = (*State)(nil)

// Law is the law of the state.
func (s *State) Law() physics.Law { return s.law }

// Amended is the route under another law of this kind. What was learned stays;
// what the law bounds is brought within its bounds. A dip that is under way goes
// on at its depth; the next one is as the new law has it.
func (s *State) Amended(l physics.Law) (physics.State, bool) {
	law, ok := l.(*Law)
	if !ok {
		return nil, false
	}
	n := *s
	n.law = law
	c, p := &law.cfg, &n.supply
	if p.limit < c.LeastLimit {
		p.limit = c.LeastLimit
		p.hold = max(p.hold, p.limit)
	}
	if n.probe.gap > 0 {
		n.probe.gap = min(max(n.probe.gap, int64(c.DipEvery)), int64(c.DipAtMost))
		n.probe.due = min(n.probe.due, n.refreshed+int64(c.DipAtMost))
	}
	n.seal()
	return &n, true
}

package classic

import "github.com/atrion-io/atrion/physics"

var _ physics.Amendable = (*State)(nil)

// Law is the law of the state.
func (s *State) Law() physics.Law { return s.law }

// Amended is the route under another law of this kind: pressure, momentum, scar
// and what the tuner learned stay, the resistance and the limits that follow from
// them under the new constants are worked out anew.
func (s *State) Amended(l physics.Law) (physics.State, bool) {
	law, ok := l.(*Law)
	if !ok {
		return nil, false
	}
	n := *s
	n.law = law
	n.k.Break, n.k.Recover = law.kernel.Thresholds(n.k.Mean, n.k.Var, n.k.Samples)
	if n.boot {
		n.k.R = law.params.BootstrapResistance()
	} else {
		n.k.R = law.kernel.Resistance(n.k.P, n.k.Momentum, n.k.Scar)
	}
	return &n, true
}

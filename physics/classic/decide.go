package classic

import (
	"math"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/vec"
)

// Decide answers q by [Flow], with the scar decayed to q.Now: after the last
// sample R falls as the scar does,
//
//	R(t) = max(base, base + W.P + DampingFactor*M + S*e^(-lambda*(t-last)))
//
// The original itself decays nothing between calls; at the time of the last
// sample R is its R, to the last bits.
//
// Terms are never negative, and R is their sum. Base is the base. A pressure below
// the baseline cancels first momentum, then scar, and a momentum below zero
// (clocks that step back) first scar, then pressure; what is reported of each
// is what is left. In bootstrap R is 1.2 bases whatever the telemetry says, and
// the excess is reported as pressure.
//
// RetryAfter is the time until the scar has decayed enough for this voltage to
// pass or, on a tripped route, for the next call to close it, provided that
// call is like the last. It is rounded up to a millisecond and at most a
// minute; 0 where decay alone will not do.
func (s *State) Decide(q physics.Query) (physics.Ruling, physics.Terms) {
	t := s.terms(q.Now)
	m := s.Mode()
	// Not Flow: the common answer first, and without a call. A voltage of 0
	// or less cannot pass because R > 0, nor NaN.
	if q.Voltage > t.Sum() && m != physics.CircuitBreaker {
		return physics.Ruling{Allow: true, Mode: m}, t
	}
	reason := physics.InsufficientVoltage
	if m == physics.CircuitBreaker {
		reason = physics.Tripped
	}
	return physics.Ruling{Reason: reason, Mode: m, RetryAfter: s.retryAfter(m, q.Voltage, s.scarAt(q.Now))}, t
}

// Allow is Decide's answer alone. It decays the scar only for a voltage between
// the base and the last R: R falls from there, and not below the base.
func (s *State) Allow(q physics.Query) bool {
	switch {
	case s.k.Tripped && !s.boot:
		return false
	case q.Voltage > s.k.R*(1+slack):
		return true
	case !(q.Voltage > s.law.params.BaseResistance):
		return false
	}
	t := s.terms(q.Now)
	return q.Voltage > t.Sum()
}

// slack covers the last bits in which the kernel's R and the sum of its terms
// may differ.
const slack = 1e-12

// Break is the break point in ohms.
func (s *State) Break() float64 { return s.k.Break }

// terms divides R(now) into parts, none negative.
func (s *State) terms(now int64) physics.Terms {
	base := s.law.params.BaseResistance
	// Scars only decay, so an R at the base stays there.
	if s.k.R <= base {
		return physics.Terms{Base: base}
	}
	r, scar := s.k.R, s.k.Scar
	if scar > 0 && now > s.last {
		r, scar = s.decayed(now)
	}
	if r <= base {
		return physics.Terms{Base: base}
	}
	excess := r - base
	if s.boot {
		return physics.Terms{Base: base, Pressure: excess}
	}
	pressure, momentum := s.parts()
	if pressure >= 0 && momentum >= 0 {
		// Then R is their sum, to the last bits.
		return physics.Terms{Base: base, Pressure: pressure, Momentum: momentum, Scar: scar}
	}
	pressure, momentum = min(max(0, pressure), excess), momentum+min(0, pressure)
	// The last term takes what rounding leaves; a route without a scar must
	// not be reported to have one of 1e-15 ohms.
	if scar == 0 {
		return physics.Terms{Base: base, Pressure: pressure, Momentum: excess - pressure}
	}
	momentum = min(max(0, momentum), excess-pressure)
	return physics.Terms{Base: base, Pressure: pressure, Momentum: momentum, Scar: excess - pressure - momentum}
}

// retryAfter is Ruling.RetryAfter for a rejected voltage.
func (s *State) retryAfter(m physics.Mode, voltage, scar float64) time.Duration {
	p := &s.law.params
	if s.boot || scar <= 0 || !(voltage > 0) {
		return 0
	}
	pressure, momentum := s.parts()
	rest := p.BaseResistance + pressure + momentum
	// The scar that would do. The base is under every resistance, so a
	// target at or below it is never reached by decay.
	var target float64
	if m == physics.CircuitBreaker {
		if s.k.Recover > p.BaseResistance {
			target = s.k.Recover - rest
		}
		if fromArray(s.k.P).Magnitude() < p.CriticalPressure {
			target = max(target, p.ScarFactor)
		}
	} else if voltage > p.BaseResistance {
		target = voltage - rest
	}
	if target <= 0 || target >= scar {
		return 0
	}
	seconds := vec.Ln1(scar/target) / p.DecayRate
	if !(seconds < maxRetry.Seconds()) {
		return maxRetry
	}
	// Up to the next whole millisecond, and one more: at the exact instant R
	// equals the target, and must be below it.
	return time.Duration(math.Floor(seconds*1000)+1) * time.Millisecond
}

const (
	// settledScar is the share of the base below which a scar, and any other
	// excess of R, is forgotten without loss.
	settledScar = 0.01
	// settledSilence is how long pressure and momentum mean something. They
	// are readings of the last call and the next one replaces both.
	settledSilence = time.Minute

	// A peer's copy of a state is wrong when its scar is off by more than
	// half an ohm and 5 %, or its mean resistance by more than 10 %.
	departScarOhms  = 0.5
	departScarShare = 0.05
	departMeanShare = 0.1
)

// Settled reports whether the route may be forgotten at now: it is not tripped,
// its scar is below 1 % of the base, and R is within 1 % of the base or the
// last sample is a minute old. What is lost is the tuner's memory, which comes
// back with the warm-up.
func (s *State) Settled(now int64) bool {
	if s.k.Tripped {
		return false
	}
	if s.boot {
		return true
	}
	base := s.law.params.BaseResistance
	r, scar := s.decayed(now)
	if !(scar < settledScar*base) {
		return false
	}
	return r-base < settledScar*base || now-s.last >= int64(settledSilence)
}

// Departs reports whether someone who holds saved and lets its scar decay to
// now would be wrong about the route: another mode, a scar off by more than 0.5
// ohm and 5 %, or a learned mean off by more than 10 %. A nil saved stands for a
// state never saved, which is wrong unless s is [State.Settled]. A state of
// another law is always wrong.
func (s *State) Departs(saved physics.State, now int64) bool {
	if saved == nil {
		return !s.Settled(now)
	}
	o, ok := saved.(*State)
	if !ok || s.Mode() != o.Mode() {
		return true
	}
	apart := func(a, b, least, share float64) bool {
		return math.Abs(a-b) > max(least, share*max(a, b))
	}
	return apart(s.scarAt(now), o.scarAt(now), departScarOhms, departScarShare) ||
		s.law.params.Tuned && apart(s.k.Mean, o.k.Mean, 0, departMeanShare)
}

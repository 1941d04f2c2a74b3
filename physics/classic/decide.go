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
// At the time of the last sample R is the original's, to the bit. The original
// itself decays nothing between calls.
//
// Terms are never negative and add up to R. Base is the base. A pressure below
// the baseline cancels first momentum, then scar, and a momentum below zero
// (clocks that step back) first scar, then pressure; what is reported of each
// is what is left. In bootstrap R is 1.2 bases whatever the telemetry says, and
// the excess is reported as pressure.
//
// RetryAfter is the time until the scar has decayed enough for this voltage to
// pass or, on a tripped route, for the next call to close it, provided that
// call is like the last. It is rounded up to a millisecond and at most a
// minute; 0 where decay alone will not do.
func (s *State) Decide(q physics.Query) (v physics.Verdict) {
	scar, r := s.k.Scar, s.k.R
	if scar > 0 && q.Now > s.last {
		r, scar = s.decayed(q.Now)
	}
	v.Mode = s.Mode()
	v.Break = s.k.Break
	v.Resistance = r
	base := s.law.params.BaseResistance
	v.Terms.Base = base
	if r > base {
		s.excess(&v.Terms, r-base, scar)
	}
	// Not Flow: the common answer first, and without a call. A voltage of 0
	// or less cannot pass because R > 0, nor NaN.
	if q.Voltage > r && v.Mode != physics.CircuitBreaker {
		v.Allow = true
		return v
	}
	v.Reason = physics.InsufficientVoltage
	if v.Mode == physics.CircuitBreaker {
		v.Reason = physics.Tripped
	}
	v.RetryAfter = s.retryAfter(v.Mode, q.Voltage, scar)
	return v
}

// excess divides the ohms above the base among the terms of t, none negative.
func (s *State) excess(t *physics.Terms, excess, scar float64) {
	if s.boot {
		t.Pressure = excess
		return
	}
	pressure, momentum := s.parts()
	if pressure >= 0 && momentum >= 0 {
		// Then R is their sum, to the last bits.
		t.Pressure, t.Momentum, t.Scar = pressure, momentum, scar
		return
	}
	t.Pressure = min(max(0, pressure), excess)
	// The last term takes what rounding leaves; a route without a scar must
	// not be reported to have one of 1e-15 ohms.
	if scar == 0 {
		t.Momentum = excess - t.Pressure
		return
	}
	t.Momentum = min(max(0, momentum+min(0, pressure)), excess-t.Pressure)
	t.Scar = excess - t.Pressure - t.Momentum
}

// retryAfter is Verdict.RetryAfter for a rejected voltage.
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

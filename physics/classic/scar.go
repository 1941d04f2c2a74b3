package classic

// Traumatic reports whether pressure p leaves a scar: the length of its
// positive part exceeds critical. The check valve (RFC-0001 3.2) keeps what is
// better than the baseline from counting as stress: silence never scars.
func Traumatic(p Vector, critical float64) bool {
	return p.Positive().Magnitude() > critical
}

// Decay is what remains of a scar of s ohms after dt ms of silence (RFC-0001
// 3.2):
//
//	S(dt) = max(0, s) * e^(-rate * dt/1000)        rate in 1/s
//
// It composes: Decay over dt1 and then over dt2 is Decay over dt1+dt2.
//
// Known fault, kept: a dt below zero, from a clock that steps back, makes the
// scar grow, by e^(0.1*60) for one minute at the default rate.
func Decay(s, rate, dt float64) float64 {
	return SafePositive(s, 0) * SafeExp(-rate*(dt/1000), 1)
}

// Scar is the scar tissue in ohms after one call with pressure p, dt ms after
// the last (RFC-0001 3.2):
//
//	S = Decay(s) + ScarFactor    if Traumatic(p)
//	S = Decay(s)                 otherwise
//
// It reads ScarFactor, DecayRate and CriticalPressure of c. A sum that is not
// finite becomes 0.
//
// Known faults, kept:
//   - The scar grows per call and fades per second, so where it settles is
//     proportional to the call rate: a minute of failure is worth 7.9 ohms at
//     0.1 calls a second and 49,879 ohms at 1,000.
//   - Consequently a quiet route never reaches the static break point: below
//     1.64 calls a second a total outage goes unnoticed for ever.
//   - A scar that overflows is forgotten instead of limited.
func (c *Config) Scar(s float64, p Vector, dt float64) float64 {
	s = Decay(s, c.DecayRate, dt)
	if Traumatic(p, c.CriticalPressure) {
		s += c.ScarFactor
	}
	return Safe(s, 0)
}

package classic

import "github.com/atrion-io/atrion/physics"

// recoveryFraction of the break point is the recovery point where no tuner
// learns one.
const recoveryFraction = 0.5

// Break is the static break point in ohms, BreakMultiplier bases (RFC-0003):
// the one in force where the tuner is off.
//
// Known fault, kept: where the tuner is on, BreakMultiplier is ignored, in
// warm-up too; tuner.Config.FallbackBreak stands in, 100 ohms whatever the
// base.
func (c *Config) Break() float64 { return c.BaseResistance * c.BreakMultiplier }

// Recover is the static recovery point in ohms, half of [Config.Break].
func (c *Config) Recover() float64 { return c.Break() * recoveryFraction }

// Trips reports whether an operational route of resistance r trips at the
// break point, both in ohms (RFC-0003): R >= break.
//
// Known faults, kept:
//   - The tuner has already learned from r, and learns from failing and open
//     ticks alike. A route that begins in a total outage teaches it that the
//     outage is normal and never trips.
//   - A steady route whose base lies above the tuner's floor has R = mean and
//     sigma = 0, so it trips as soon as warm-up ends, and on every second call
//     after.
func Trips(r, breakPoint float64) bool { return r >= breakPoint }

// Recovers reports whether a tripped route closes again: R has fallen below
// the recovery point (ohms), or the scar s is less than one more call's worth
// and the pressure is below critical (RFC-0003; RFC-0002 4.1.3).
//
// Known faults, kept:
//   - The second way looks at the full length of the pressure, without the
//     check valve: an idle healthy route is so much better than its baselines
//     (length 0.86 to 1.17) that it counts as in trouble and stays open.
//   - Only calls move a route. After an hour of silence it is as tripped as it
//     was, there are no half-open probes, and a caller that stops reporting
//     once it is rejected has shut the route for ever.
func (c *Config) Recovers(r, s float64, p Vector, recoveryPoint float64) bool {
	return (s < c.ScarFactor && p.Magnitude() < c.CriticalPressure) || r < recoveryPoint
}

// Next is the mode that follows mode m, which must not be Bootstrap, after a
// call with pressure p that made the resistance r and the scar s, in ohms.
func (c *Config) Next(m physics.Mode, r, s float64, p Vector, breakPoint, recoveryPoint float64) physics.Mode {
	switch {
	case m == physics.Operational && Trips(r, breakPoint):
		return physics.CircuitBreaker
	case m == physics.CircuitBreaker && c.Recovers(r, s, p, recoveryPoint):
		return physics.Operational
	}
	return m
}

package tuner

import "math"

// State is what was learned about one route. The zero value has learned
// nothing and is ready for use. It is a plain value: copy it freely; not safe
// for concurrent use while Observe runs.
type State struct {
	Mean    float64 // ohms, exponential mean; 0 before the first observation
	Var     float64 // ohms squared, exponential variance
	Samples uint32  // observations so far, stops at its maximum
}

// StdDev is the standard deviation in ohms.
func (s *State) StdDev() float64 { return math.Sqrt(s.Var) }

// Observe learns the resistance r, in ohms.
//
//	delta = r - mean
//	mean  = mean + alpha*delta
//	var   = (1 - alpha)*(var + alpha*delta^2)
//
// The first observation is taken as the mean, not averaged into a zero, which
// would bias the first Window values towards nothing.
//
// NaN and infinities are not filtered: they poison the mean for good, as in
// the published tuner. Callers observe finite values only.
func (c *Config) Observe(s *State, r float64) {
	if s.Samples == 0 {
		s.Mean, s.Var, s.Samples = r, 0, 1
		return
	}
	alpha := c.Alpha()
	delta := r - s.Mean
	s.Mean += float64(alpha * delta)
	// The products are rounded one by one (no fused multiply-add), so that
	// every machine learns the same bits.
	s.Var = (1 - alpha) * (s.Var + float64(alpha*float64(delta*delta)))
	if s.Samples < math.MaxUint32 {
		s.Samples++
	}
}

// Warm reports whether the learned limits are in force.
func (c *Config) Warm(s *State) bool { return int64(s.Samples) >= int64(c.Warmup) }

// Break is the break point in ohms: a route whose resistance reaches it trips.
func (c *Config) Break(s *State) float64 {
	if !c.Warm(s) {
		return c.FallbackBreak
	}
	limit := s.Mean + float64(c.Sensitivity*s.StdDev())
	// Floor last: where Floor and Ceiling contradict each other, the floor
	// wins. min and max pass NaN on, and a NaN limit never trips.
	return max(c.Floor, min(c.Ceiling, limit))
}

// Recover is the recovery point in ohms: a tripped route whose resistance is
// below it has recovered. It never falls under half the floor, or a route that
// tripped at the floor could not come back.
func (c *Config) Recover(s *State) float64 {
	return max(c.Floor/2, float64(c.RecoveryMultiplier*c.Break(s)))
}

// Trips reports whether resistance r, in ohms, reaches the break point.
func (c *Config) Trips(s *State, r float64) bool { return r >= c.Break(s) }

// Recovers reports whether resistance r, in ohms, is below the recovery point.
func (c *Config) Recovers(s *State, r float64) bool { return r < c.Recover(s) }

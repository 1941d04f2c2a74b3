package classic

// Resistance is R in ohms (RFC-0001 4.1):
//
//	R = max(base, base + W.P + DampingFactor*M + S + U)
//
// with the weights w in ohms per unit of pressure, the momentum m in 1/ms, the
// scar s in ohms and the staleness u in ohms. It reads BaseResistance and
// DampingFactor of c.
//
// Known faults, kept:
//   - A sum that is NaN or infinite becomes 0, which is below the base and
//     lets everything pass. A validated configuration cannot get there. Nor
//     can R be negative, as it would be with a negative base.
//   - The documented ceiling of 1e6 ohms is not applied.
//   - u is 0 in every call the original makes ([Staleness] is not wired up).
func (c *Config) Resistance(p Vector, m, s float64, w Vector, u float64) float64 {
	r := c.BaseResistance + p.weighted(w) + float64(c.DampingFactor*m) + s + u
	if !Finite(r) {
		return 0
	}
	return max(0, c.BaseResistance, r)
}

// bootstrapFactor times the base is the resistance of a route in bootstrap.
const bootstrapFactor = 1.2

// BootstrapResistance is R in ohms while too little is known (RFC-0002 3.3).
//
// Known fault, kept: it holds whatever the telemetry says. The first nine
// calls to a dead route all pass, and again after every restart.
func (c *Config) BootstrapResistance() float64 {
	return SafePositive(c.BaseResistance*bootstrapFactor, 0)
}

package classic

import "github.com/atrion-io/atrion/vec"

// SLO is what a user promises about the routes, from which weights and
// baselines follow.
//
// Known fault, kept: one SLO serves all routes of an engine. The original's
// greatest acceptable latency is left out, as nothing reads it.
type SLO struct {
	// LatencyMs is the latency in ms that is normal. Default 100, range
	// [0.001, 1e9]. Raising it lowers the pressure of any latency.
	LatencyMs float64

	// ErrorRate is the fraction of errors that is normal. Default 0.01, range
	// [1e-9, 1]. Raising it lowers the pressure of any error rate. 0 is
	// refused because the equations take it as "ignore errors".
	ErrorRate float64

	// Criticality is how much each component matters, 0 to 10 by convention.
	// Default {5, 8, 3}, range [0, 1e6] each. Raising one raises the ohms its
	// pressure is worth, logarithmically.
	Criticality Vector
}

// baselineSaturation is not part of the SLO; it is the same for everyone.
const baselineSaturation = 0.5

// Weights turns criticalities into ohms per unit of pressure (RFC-0001 2.3):
// w = ln(1 + c). The logarithm keeps a criticality of 10 from drowning one
// of 5. It is vec's logarithm, because that of package math may differ in the
// last bit between architectures.
//
// Known fault, kept: 1 + c is rounded before the logarithm, so a criticality
// under 1e-16 weighs nothing.
func Weights(criticality Vector) Vector {
	return Vector{
		Latency:    vec.Ln1(1 + criticality.Latency),
		Error:      vec.Ln1(1 + criticality.Error),
		Saturation: vec.Ln1(1 + criticality.Saturation),
	}
}

// Baselines are the readings at which the SLO is just met.
//
// Known fault, kept: they come from the promise, not from what bootstrap
// observes (RFC-0002 3.3.3 says otherwise).
func (s SLO) Baselines() Baselines {
	return Baselines{LatencyMs: s.LatencyMs, ErrorRate: s.ErrorRate, Saturation: baselineSaturation}
}

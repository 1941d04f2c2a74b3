package classic

// Baselines are the telemetry values at which a component exerts no pressure.
type Baselines struct {
	LatencyMs  float64 // ms
	ErrorRate  float64 // fraction
	Saturation float64 // fraction
}

// Normalize turns a raw reading into a pressure in [-1,1], 0 at the baseline
// (RFC-0002 2.1; RFC-0001 2.2 has another form, tanh(raw/baseline), that was
// never built):
//
//	P = tanh((raw - baseline)/baseline * scale)
//
// raw and baseline share a unit, scale is dimensionless.
//
// Known faults, kept:
//   - A raw value that is not a number, absent or infinite counts as 0, which
//     is better than the baseline. A timeout recorded as an infinite latency
//     lowers the resistance.
//   - A baseline of 0 ("no errors tolerated") or less switches the component
//     off: its pressure is 0 at any reading. So does a reading so large that
//     the quotient overflows.
//   - tanh is exactly 1 from 21 baselines on, so that with the default
//     baseline of 0.01 every error rate from 0.21 is the same, and it is
//     0.9993 already at 0.05. It does not tell bad from worse.
//   - Negative readings are not refused and exert less pressure than 0.
func Normalize(raw, baseline, scale float64) float64 {
	raw, baseline, scale = Safe(raw, 0), Safe(baseline, 1), Safe(scale, 1)
	if baseline <= 0 {
		return 0
	}
	return SafeTanh(SafeDivide(raw-baseline, baseline, 0) * scale)
}

// Pressure normalizes the three readings of one call (RFC-0001 2.2). Latency
// in ms, the others fractions.
//
// Known fault, kept: a component that was not given counts as 0, better than
// its baseline. With the default weights two absent components pull by -2.73
// ohms, more than the largest latency can push (+1.79), so that R does not
// answer to latency at all when only latency is reported, except through scars
// above 187 ms.
func Pressure(latency, errorRate, saturation float64, b Baselines, scale float64) Vector {
	return Vector{
		Latency:    Normalize(latency, b.LatencyMs, scale),
		Error:      Normalize(errorRate, b.ErrorRate, scale),
		Saturation: Normalize(saturation, b.Saturation, scale),
	}
}

package classic

// Momentum is how fast the pressure moves, in pressure per millisecond
// (RFC-0001 3.1):
//
//	M = |now - before| / dt        dt in ms; 0 where dt is 0 or not finite
//
// It is the length of the change, so falling pressure has as much momentum as
// rising pressure.
//
// Known faults, kept:
//   - [Params.Update] passes as before the pressure of two calls ago, over the
//     time of one. On a ramp the result is exactly twice the slope, on a
//     signal that alternates it is exactly 0, and one step is felt twice.
//   - The unit is per millisecond and dt has no floor: the same jump weighs a
//     hundred times more at 1 ms than at 100 ms, and nothing at all at 0.
//   - A clock that steps back makes dt, and so M, negative.
func Momentum(now, before Vector, dt float64) float64 {
	return SafeDivide(now.Sub(before).Magnitude(), dt, 0)
}

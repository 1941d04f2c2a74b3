package classic

// DefaultStalenessRate is the default rate of [Staleness] in ohms per second.
const DefaultStalenessRate = 0.5

// Staleness is the uncertainty in ohms of telemetry taken at last and read at
// now, both in ms (RFC-0002 5.1):
//
//	U = rate * (now - last)/1000        rate in ohms per second
//
// Known faults, kept: nothing in the original adds it to R, it has no limit,
// and it is negative where the clock steps back.
func Staleness(last, now, rate float64) float64 {
	return rate * ((now - last) / 1000)
}

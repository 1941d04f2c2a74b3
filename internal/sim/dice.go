package sim

import "math/rand/v2"

// A stream is what random numbers are drawn for. Streams of one seed are
// independent of each other: drawing more from one moves no other.
type stream uint64

const (
	arrivals stream = iota + 1
	service
	failure
	retries
	voltage
	telemetry
	controller
)

// dice is a seeded generator of uniform numbers.
type dice struct{ pcg rand.PCG }

// roll begins the stream of a seed, or the one that belongs to the given key
// within it.
func (d *dice) roll(seed uint64, s stream, key uint64) {
	h := scramble(seed + scramble(uint64(s)))
	d.pcg.Seed(h, scramble(h+key))
}

// scramble spreads neighbouring numbers over all 64 bits (the finaliser of
// SplitMix64), since PCG gives similar first numbers for similar seeds.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// float returns a number in (0, 1), neither end included.
func (d *dice) float() float64 { return (float64(d.pcg.Uint64()>>12) + .5) / (1 << 52) }

// exponential returns an exponential number of mean 1.
func (d *dice) exponential() float64 { return -ln(d.float()) }

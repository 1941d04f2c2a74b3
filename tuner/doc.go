// Package tuner learns, per route, how high a resistance is normal and from
// that when a route must trip and when it has recovered.
//
// It keeps an exponential mean mu and variance of the observed resistances and
// sets
//
//	break    = clamp(mu + k*sigma, floor, ceiling)
//	recovery = max(floor/2, multiplier*break)
//
// Until Warmup values were observed the break point is FallbackBreak: a mean
// of three values says nothing, and a limit made from it would trip at once.
//
// # Shape
//
// A [Config] is immutable and shared by all routes, a [State] is three words
// per route. All methods are pure: no clock, no lock, no allocation, no
// randomness. Config may be used by any number of goroutines; a State belongs
// to whoever holds it.
//
// # What it learns from
//
// The arithmetic is that of the published law (RFC-0001, adaptive thresholds)
// and so is its weakness: it does not judge what it is fed. A caller that
// feeds it the resistances of a failing or of a tripped route raises the very
// limit that should have caught the failure ("boiling frog"); Ceiling bounds
// how far, Floor bounds the opposite. Not feeding it during a failure is the
// caller's decision, and package classic, which reproduces the original, does
// feed it.
package tuner

// Package physics holds the control laws of Atrion and the value types they
// speak: what a route's resistance is, how it moves, and when a request passes.
//
// A route is a conductor. A request bids V volts and passes if and only if
//
//	V > R(t),    R = R_base + Pressure + Momentum + ScarTissue    (ohms)
//
// A [Law] says how the four terms follow from what the route went through.
// The law of the original library lives in physics/classic.
//
// # Purity
//
// Nothing here reads a clock, draws a random number, takes a lock or starts a
// goroutine: time and chance arrive as arguments. The same samples in the same
// order give the same bits on every machine, on every vec level and for every
// way the samples were cut into batches. Only constructors allocate.
//
// # Units
//
// Instants are int64 nanoseconds on a clock of the caller's choice (only
// differences matter), latencies are float64 milliseconds, resistances and
// their terms are ohms, voltages are volts; rates and saturations are
// fractions in [0,1].
package physics

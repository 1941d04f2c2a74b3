// Package vec computes over slices of float64: tanh, exp and ln, and the update
// of a route's state under the classic law by a batch of telemetry.
//
// # Levels
//
// The same functions exist in Go, in AVX2 and in AVX-512. The best level the
// CPU supports is chosen when the program starts; the environment variable
// ATRION_VEC (portable, avx2 or avx512) or [SetLevel] lowers it. Builds for
// other architectures, and with the tag purego or noasm, have the Go level
// only. On a CPU without a fused multiply-add that level is right but slow.
//
// # Bits
//
// A result depends on its inputs alone. It has the same bits at every level,
// on every architecture, in every place of a slice and however a batch is cut:
// Tanh, Exp and Ln give what [Tanh1], [Exp1] and [Ln1] give, and [Classic]
// over a batch gives what it gives over the samples one by one. So nodes of
// different make agree, and a replay can be compared with ==. It is the reason
// why the law's recurrences are computed in sequence and not by a parallel
// scan.
//
// A NaN that comes in goes out quiet, with its payload where the hardware
// keeps payloads.
//
// # Accuracy
//
// Largest error found, in units in the last place of the true result, and what
// is promised:
//
//	       found  promised
//	Tanh   2.10   2.25      ±0, denormals exact; ±1 from 19.06 on
//	Exp    1.09   1.5       denormal results are rounded once more
//	Ln     0.84   1.5       denormal arguments too
//
// [Classic] agrees to 1e-12, relatively, with the law computed by the math
// package.
//
// # The order of one sample
//
// With P the pressures at the last sample and prev those at the one before,
// [Classic] does for each sample:
//
//  1. Pressure: P' = tanh(((x-b)/b) scale) for latency (ms), error rate and
//     saturation (fractions), each with its base b. NaN and infinite x count
//     as 0; P' = 0 if b <= 0 or the argument overflows.
//  2. Momentum, per ms: M = |P' - prev| / dt, 0 if dt = 0 or M is not finite.
//     A magnitude is the root of the sum of squares, 0 if that sum is below
//     1e-9. That prev is two samples old while dt spans one is a fault of the
//     law, kept because the law is.
//  3. Scar, in ohms: S' = S e^(-decay dt/1000) (factor MaxFloat64 if the
//     exponent exceeds 709, 0 below -745, 1 if NaN; dt in ms), plus ScarFactor
//     if |max(P', 0)| > Critical. 0 if not finite.
//  4. Resistance, in ohms: R = max(base, base + wl Pl + we Pe + ws Ps +
//     damping M + S'). 0 if not finite.
//  5. Tuner: mean and variance take R in; trip and recovery point follow from
//     them (see [ClassicParams.Thresholds]).
//  6. Mode: trips if R >= trip point; else, if tripped, recovers if S' <
//     ScarFactor and |P'| < Critical, or if R < recovery point.
//  7. prev = P, P = P'.
//
// A negative dt is a clock that stepped back: scar grows. Such samples, and
// others outside what the kernels are made for (dt so long that scar fades to
// nothing, overflows), are computed in Go with the 128 samples around them:
// slower, and with the same bits.
//
// # Costs
//
// No function locks or reads a clock, and none allocates, except that [Classic]
// fills a pool of scratch memory (12 KB for each processor that runs it) when
// it first meets a batch of some size. Assembly cannot be preempted;
// one call of it covers at most 1024 elements, some microseconds.
//
// # Generated code
//
// kernel_amd64.s and kernel_amd64.go are written by the module in gen, which
// is apart so that its dependencies are not this module's:
//
//	cd vec/gen && go run . DIRECTORY
//
// writes both files into DIRECTORY, by default the package's own. The output
// depends on the generator's source alone, so comparing it with what is
// committed shows whether they match.
package vec

//go:generate go -C gen run .

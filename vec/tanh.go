package vec

import "math"

// Beyond tanhEnd, in 2|x|, the result rounds to 1.
const tanhEnd = 44

// Tanh sets dst[i] to the hyperbolic tangent of x[i] for every element of x,
// to within 2.25 ULP. Zeros keep their sign, infinities give ±1, NaN gives
// NaN. It panics, writing nothing, if dst is shorter than x. dst may be x
// itself; slices that overlap in any other way give undefined values.
//
// Safe for concurrent use on distinct dst.
func Tanh(dst, x []float64) {
	checkLen("Tanh", len(dst), len(x))
	tanhBatch(dst[:len(x)], x)
}

// Tanh1 returns the hyperbolic tangent of x: the same bits as [Tanh].
func Tanh1(x float64) float64 { return tanhHalf(x + x) }

// tanhHalf returns tanh(x/2), sparing those who have a factor to put the half
// into an operation.
//
// With E = e^-|x|, it is (1 - E) / (1 + E). Numerator and denominator are
// rounded once each, from the parts of E. The exponent is negative so that the
// denominator lies in [1, 2] and the numerator does not cancel.
func tanhHalf(x float64) float64 {
	y := math.Float64frombits(math.Float64bits(x) | signBit)
	if y < -tanhEnd { // false for NaN, which goes on
		y = -tanhEnd
	}
	t := math.FMA(y, log2e, magic)
	// One step suffices to reduce y: where n is large, E is negligible.
	r := math.FMA(magic-t, ln2, y)
	s := pow2(t)
	p := expm1r(r)
	return math.Copysign(math.FMA(p, s, s-1)/math.FMA(p, s, s+1), x)
}

func tanhPortable(dst, x []float64) {
	for i, v := range x {
		dst[i] = Tanh1(v)
	}
}

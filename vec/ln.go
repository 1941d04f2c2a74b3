package vec

import "math"

// ln x = k ln2 + ln m with m in [sqrt(1/2), sqrt 2). With f = m - 1 and
// s = f / (f+2),
//
//	ln m = f - f^2/2 + s (f^2/2 + s^2 L(s^2))
//
// L is a minimax polynomial of degree 6.
const (
	l0 = 0x1.5555555555566p-1
	l1 = 0x1.999999998c710p-2
	l2 = 0x1.2492493800856p-2
	l3 = 0x1.c71c5967bea90p-3
	l4 = 0x1.7464d89e8e025p-3
	l5 = 0x1.39c3853cdd6cap-3
	l6 = 0x1.2dc43364e20dbp-3

	sqrtHalfBits = 0x3fe6a09e667f3bcd
	oneBits      = 0x3ff0000000000000
	mantissa     = 1<<52 - 1
)

// Ln sets dst[i] to the natural logarithm of x[i] for every element of x, to
// within 1.5 ULP, denormals included: -Inf for ±0, NaN for negative numbers
// and NaN, +Inf for +Inf. It panics, writing nothing, if dst is shorter than
// x. dst may be x itself; slices that overlap in any other way give undefined
// values.
//
// Elements that are not positive normal numbers are right but slow.
//
// Safe for concurrent use on distinct dst.
func Ln(dst, x []float64) {
	checkLen("Ln", len(dst), len(x))
	lnBatch(dst[:len(x)], x)
}

// Ln1 returns the natural logarithm of x: the same bits as [Ln].
func Ln1(x float64) float64 {
	b := math.Float64bits(x)
	if b-minNormBit < infBits-minNormBit {
		return lnInner(b, 1023)
	}
	switch {
	case x != x:
		return x + x
	case x == 0:
		return math.Inf(-1)
	case x < 0:
		return math.NaN()
	case b == infBits:
		return x
	}
	return lnInner(math.Float64bits(x*0x1p54), 1023+54) // denormal
}

// lnInner returns ln of the positive normal number with bits b, less (bias -
// 1023) ln2.
func lnInner(b uint64, bias float64) float64 {
	b += oneBits - sqrtHalfBits
	k := math.Float64frombits(b>>52|0x4330000000000000) - (0x1p52 + bias)
	f := math.Float64frombits(b&mantissa+sqrtHalfBits) - 1
	h := float64(f * 0.5 * f)
	s := f / (f + 2)
	z := s * s
	w := z * z
	odd := math.FMA(l5, w, l3)
	even := math.FMA(l6, w, l4)
	odd = math.FMA(odd, w, l1)
	even = math.FMA(even, w, l2)
	even = math.FMA(even, w, l0)
	l := math.FMA(math.FMA(odd, z, even), z, h)
	l = math.FMA(l, s, k*ln2Lo)
	return math.FMA(k, ln2, f-(h-l))
}

func lnPortable(dst, x []float64) {
	for i, v := range x {
		dst[i] = Ln1(v)
	}
}

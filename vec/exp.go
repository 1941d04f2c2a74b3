package vec

import "math"

const (
	expFast = 708                   // |x| up to here: one power of two scales the result
	expMax  = 0x1.62e42fefa39efp+9  // above: +Inf
	expMin  = -0x1.74910d52d3051p+9 // below: 0
)

// Exp sets dst[i] to e^x[i] for every element of x, to within 1.5 ULP over the
// full range: +Inf above 709.78, denormal results below -708.4, 0 below
// -745.13, NaN for NaN. It panics, writing nothing, if dst is shorter than x.
// dst may be x itself; slices that overlap in any other way give undefined
// values.
//
// Elements outside [-708, 708] are right but slow.
//
// Safe for concurrent use on distinct dst.
func Exp(dst, x []float64) {
	checkLen("Exp", len(dst), len(x))
	expBatch(dst[:len(x)], x)
}

// Exp1 returns e^x: the same bits as [Exp].
func Exp1(x float64) float64 {
	if math.Abs(x) <= expFast {
		return expInner(x)
	}
	switch {
	case x != x:
		return x + x
	case x > expMax:
		return math.Inf(1)
	case x < expMin:
		return 0
	}
	// 2^n, or the result, is not a normal number: scale in two steps.
	t := math.FMA(x, log2e, magic)
	n := t - magic
	r := math.FMA(n, -ln2Lo, math.FMA(n, -ln2, x))
	p := expm1r(r)
	if n > 0 {
		s := pow2(t - 1)
		return math.FMA(p, s, s) * 2
	}
	s := pow2(t + 64)
	return math.FMA(p, s, s) * 0x1p-64
}

// expInner is Exp1 for |x| <= expFast. Apart from the end it also holds for
// x up to 709, where 2^n is still finite.
func expInner(x float64) float64 {
	t := math.FMA(x, log2e, magic)
	n := t - magic
	r := math.FMA(n, -ln2Lo, math.FMA(n, -ln2, x))
	s := pow2(t)
	return math.FMA(expm1r(r), s, s)
}

func expPortable(dst, x []float64) {
	for i, v := range x {
		dst[i] = Exp1(v)
	}
}

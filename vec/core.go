package vec

import (
	"fmt"
	"math"
)

// The exponential core, shared by Tanh, Exp and the decay of Classic:
//
//	y = n ln2 + r, n an integer, |r| <= ln2/2 (a little more by rounding)
//	e^y - 1 = 2^n p + (2^n - 1), p = e^r - 1 = r + r^2 P(r)
//
// P is a minimax polynomial of degree 9, evaluated as even and odd halves so
// that two short chains run side by side. Its first two coefficients are moved
// by a few units in the last place, so that they undo, where Tanh feels it
// most (r near 0.29, n = -1), the error of the constant ln2 in r.
//
// Every product that is added is one math.FMA, here and in all portable code
// of the package. A Go compiler may fuse a*b+c on one architecture and not on
// another; math.FMA says which rounding is meant, and the assembly does the
// same one.
const (
	// Adding magic rounds to an integer and leaves n+1023, the exponent field
	// of 2^n, in the low bits.
	magic = 0x1.8p52 + 1023

	log2e = 0x1.71547652b82fep+0
	ln2   = 0x1.62e42fefa39efp-1
	ln2Lo = 0x1.abc9e3b39803fp-56 // ln 2 - ln2

	e0 = 0x1.0000000000006p-1
	e1 = 0x1.555555555556cp-3
	e2 = 0x1.5555555552414p-5
	e3 = 0x1.111111110e851p-7
	e4 = 0x1.6c16c17e9789ep-10
	e5 = 0x1.a01a01b56719cp-13
	e6 = 0x1.a019a80f61e97p-16
	e7 = 0x1.71ddeae363420p-19
	e8 = 0x1.28a1625ef9093p-22
	e9 = 0x1.af7576ca69904p-26
)

const (
	signBit    = 1 << 63
	minNormal  = 0x1p-1022
	infBits    = 0x7ff0000000000000
	minNormBit = 0x0010000000000000
)

// pow2 returns 2^n from t, which is n + magic.
func pow2(t float64) float64 { return math.Float64frombits(math.Float64bits(t) << 52) }

// expm1r returns r + r^2 P(r), which is e^r - 1.
func expm1r(r float64) float64 {
	q := r * r
	odd := math.FMA(e9, q, e7)
	even := math.FMA(e8, q, e6)
	odd = math.FMA(odd, q, e5)
	even = math.FMA(even, q, e4)
	odd = math.FMA(odd, q, e3)
	even = math.FMA(even, q, e2)
	odd = math.FMA(odd, q, e1)
	even = math.FMA(even, q, e0)
	return math.FMA(math.FMA(odd, r, even), q, r)
}

// checkLen panics if dst cannot take the results of n inputs.
func checkLen(name string, dst, n int) {
	if dst < n {
		panicLen(name, dst, n)
	}
}

// panicLen is apart so that checkLen is inlined.
func panicLen(name string, dst, n int) {
	panic(fmt.Sprintf("vec: %s: len(dst) = %d is less than len(x) = %d", name, dst, n))
}

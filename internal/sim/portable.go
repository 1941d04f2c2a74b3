package sim

import "math"

// The functions here give the same bits everywhere. They cost about 20 ns and
// are good to a few units in the last place, which is plenty for drawing random
// numbers.

// ln returns the natural logarithm of x > 0: with x = m 2^k and s =
// (m-1)/(m+1), ln x = k ln 2 + 2 (s + s^3/3 + s^5/5 + ...). m lies in
// [sqrt(1/2), sqrt 2), so |s| < .172 and ten terms reach the last bit.
func ln(x float64) float64 {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		k--
	}
	s := (m - 1) / (m + 1)
	s2 := s * s
	sum := 0.0
	for n := 21; n >= 1; n -= 2 {
		sum = float64(sum*s2) + 1/float64(n)
	}
	return float64(float64(k)*math.Ln2) + float64(2*s*sum)
}

// exp returns e^x by the power series of the rest that x leaves over a
// multiple of ln 2.
func exp(x float64) float64 {
	k := math.Round(x / math.Ln2)
	r := x - float64(k*math.Ln2)
	sum := 1.0
	for n := 15; n >= 1; n-- {
		sum = 1 + float64(sum*r)/float64(n)
	}
	return math.Ldexp(sum, int(k))
}

// cosTurn returns the cosine of the given number of full turns.
func cosTurn(turns float64) float64 {
	f := turns - math.Floor(turns) // in [0, 1)
	if f > .5 {
		f = 1 - f
	}
	sign := 1.0
	if f > .25 {
		f, sign = .5-f, -1
	}
	y := 2 * math.Pi * f // in [0, pi/2]
	y2 := y * y
	sum := 1.0
	for n := 22; n >= 2; n -= 2 {
		sum = 1 - float64(sum*y2)/float64(n*(n-1))
	}
	return sign * sum
}

// power returns x^n.
func power(x float64, n int) float64 {
	p := 1.0
	for range n {
		p *= x
	}
	return p
}

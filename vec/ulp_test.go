package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

// span is inputs to measure the error on: uniform from lo to hi.
type span struct{ lo, hi float64 }

var accuracy = []struct {
	kernel
	limit float64 // ULP
	spans []span
	draw  func(rng *rand.Rand, s span) float64
	ulps  func(got, x float64) float64 // quick
	slow  func(got, x float64) float64
}{
	{
		kernel: kernels[0], limit: 2.25,
		// Narrow spans are where the error peaks: about the changes of n, and
		// where numerator or result has just passed a power of two.
		spans: []span{{0, 0.01}, {0.01, 0.05}, {0.05, 0.125}, {0.125, 0.16}, {0.16, 0.174}, {0.173, 0.2}, {0.2, 0.25},
			{0.25, 0.27}, {0.27, 0.34}, {0.34, 0.45}, {0.45, 0.5}, {0.5, 0.56}, {0.56, 1}, {1, 3}, {3, 22}},
		ulps: func(got, x float64) float64 { return ulpsDD(got, ddTanh(x)) },
		slow: func(got, x float64) float64 { return ulpsBig(got, bigTanh(x)) },
	},
	{
		kernel: kernels[1], limit: 1.5,
		spans: []span{{-0.01, 0}, {-0.35, -0.34}, {-1, 0}, {0, 1}, {-20, 0}, {0, 20}, {-708, 0}, {0, 709.7}},
		ulps: func(got, x float64) float64 {
			want, n := ddExp(x)
			return ulpsDD(math.Ldexp(got, -n), want)
		},
		slow: func(got, x float64) float64 { return ulpsBig(got, bigExp(x)) },
	},
	{
		kernel: kernels[2], limit: 1.5,
		spans: []span{{0.999, 1.001}, {0.9, 1.1}, {0.5, 0.7}, {0.7, 0.72}, {0.7, 1.45}, {1.4, 1.43}, {1, 3}, {3, 1e6}, {1e-6, 0.5}},
		ulps:  func(got, x float64) float64 { return ulpsDD(got, ddLn(x)) },
		slow:  func(got, x float64) float64 { return ulpsBig(got, bigLn(x)) },
	},
}

// TestReferences compares the two references with each other, the quick one
// being the judge of TestULP.
func TestReferences(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for _, a := range accuracy {
		for _, s := range a.spans {
			for range 40 {
				x := s.lo + (s.hi-s.lo)*rng.Float64()
				got := a.one(x)
				if d := math.Abs(a.ulps(got, x) - a.slow(got, x)); !(d < 1e-6) {
					t.Fatalf("%s(%v): the references are %g ULP apart", a.name, x, d)
				}
			}
		}
	}
}

// TestULP measures the error over spans and over the whole range by exponent.
func TestULP(t *testing.T) {
	n := 300_000
	if testing.Short() || raceEnabled {
		n /= 20
	}
	for _, a := range accuracy {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(21, 22))
			x, got := make([]float64, n), make([]float64, n)
			var worst float64
			for _, s := range a.spans {
				for i := range x {
					x[i] = s.lo + (s.hi-s.lo)*rng.Float64()
					if a.name == "Tanh" && i&1 == 1 {
						x[i] = -x[i]
					}
				}
				a.batch(got, x)
				for i := range x {
					u := a.ulps(got[i], x[i])
					worst = max(worst, u)
					if !(u <= a.limit) {
						t.Fatalf("%s(%v) = %v: error %.3f ULP, limit %v", a.name, x[i], got[i], u, a.limit)
					}
				}
			}
			t.Logf("%s: worst error %.3f ULP", a.name, worst)
		})
	}
}

// TestULPWide judges by math/big where magnitudes are extreme.
func TestULPWide(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	check := func(a int, x float64) {
		t.Helper()
		c := accuracy[a]
		got := c.one(x)
		if u := c.slow(got, x); !(u <= c.limit) {
			t.Fatalf("%s(%v) = %v: error %.3f ULP", c.name, x, got, u)
		}
	}
	for e := -1074; e < 1024; e += 3 {
		x := math.Ldexp(1+rng.Float64(), e)
		check(2, x)
		if e < 4 {
			check(0, x)
			check(0, -x)
		}
		if e < 9 {
			check(1, x)
			check(1, -x)
		}
	}
	// Denormal results: rounded once more, so half a unit of theirs is added.
	for x := -708.5; x > -745; x -= 0.37 {
		if u := ulpsBig(Exp1(x), bigExp(x)); !(u <= 1) {
			t.Errorf("Exp(%v) = %v: error %.3f ULP", x, Exp1(x), u)
		}
	}
	for x := 708.0; x < 709.78; x += 0.01 {
		check(1, x)
	}
	// Integers and powers of two have exact neighbours.
	for k := -1074; k < 1024; k++ {
		check(2, math.Ldexp(1, k))
	}
}

package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// batchOf runs x through a kernel as a batch in the middle of other elements.
func batchOf(k kernel, x ...float64) []float64 {
	dst := make([]float64, len(x))
	k.batch(dst, x)
	return dst
}

func TestSpecialValues(t *testing.T) {
	inf, nan, zero, tiny := math.Inf(1), math.NaN(), math.Copysign(0, -1), math.SmallestNonzeroFloat64
	largest, below := 0x1.fffffffffffffp-1022, math.Nextafter
	cases := []struct {
		k       kernel
		x, want float64
	}{
		{kernels[0], 0, 0}, {kernels[0], zero, zero}, {kernels[0], inf, 1}, {kernels[0], -inf, -1}, {kernels[0], nan, nan},
		{kernels[0], tiny, tiny}, {kernels[0], -tiny, -tiny}, {kernels[0], 3 * tiny, 3 * tiny},
		{kernels[0], minNormal, minNormal}, {kernels[0], -largest, -largest}, {kernels[0], 1e-300, 1e-300},
		{kernels[0], 0x1p-30, 0x1p-30},
		{kernels[0], 22, 1}, {kernels[0], -22, -1}, {kernels[0], 1e9, 1}, {kernels[0], -math.MaxFloat64, -1},
		{kernels[0], math.MaxFloat64, 1},

		{kernels[1], 0, 1}, {kernels[1], zero, 1}, {kernels[1], tiny, 1}, {kernels[1], -tiny, 1}, {kernels[1], 1e-20, 1},
		{kernels[1], inf, inf}, {kernels[1], -inf, 0}, {kernels[1], nan, nan},
		{kernels[1], expMax, 1.7976931348622732e+308}, {kernels[1], below(expMax, inf), inf}, {kernels[1], 710, inf},
		{kernels[1], expMin, tiny}, {kernels[1], below(expMin, -inf), 0}, {kernels[1], -745, tiny},
		{kernels[1], -746, 0}, {kernels[1], math.MaxFloat64, inf}, {kernels[1], -math.MaxFloat64, 0},

		{kernels[2], 0, -inf}, {kernels[2], zero, -inf}, {kernels[2], 1, 0}, {kernels[2], inf, inf}, {kernels[2], -inf, nan},
		{kernels[2], -1, nan}, {kernels[2], -tiny, nan}, {kernels[2], -minNormal, nan}, {kernels[2], nan, nan},
		{kernels[2], tiny, -0x1.74385446d71c3p+9}, {kernels[2], minNormal, -0x1.6232bdd7abcd2p+9},
		{kernels[2], math.MaxFloat64, 0x1.62e42fefa39efp+9}, {kernels[2], 2, math.Ln2}, {kernels[2], 0.5, -math.Ln2},
	}
	agree := func(got, want float64) bool { return same(got, want) || want != want && got != got }
	atEachLevel(t, func(t *testing.T) {
		for _, c := range cases {
			if got := c.k.one(c.x); !agree(got, c.want) {
				t.Errorf("%s1(%v) = %v, want %v", c.k.name, c.x, got, c.want)
			}
			// In every lane, between elements of another kind.
			for n := range 17 {
				x := slices.Repeat([]float64{0.75}, n+1)
				x[n] = c.x
				x = append(x, 1.5, 0.5)
				got := batchOf(c.k, x...)
				if !agree(got[n], c.want) {
					t.Errorf("%s(%v) = %v in place %d, want %v", c.k.name, c.x, got[n], n, c.want)
				}
				if last := len(x) - 1; !same(got[last], c.k.one(x[last])) {
					t.Errorf("%s(%v) beside %v is %v", c.k.name, x[last], c.x, got[last])
				}
			}
		}
	})
}

// TestBits compares every level with the scalar twins, bit by bit.
func TestBits(t *testing.T) {
	draws := map[string]func(*rand.Rand) float64{"any": anyFloat, "tame": tame}
	atEachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(41, 42))
		for _, k := range kernels {
			for name, draw := range draws {
				for range 60 {
					n := rng.IntN(1500)
					x, dst := make([]float64, n), make([]float64, n)
					for i := range x {
						x[i] = draw(rng)
					}
					for i := 0; i < n; { // random cuts
						j := min(n, i+1+rng.IntN([]int{3, 40, 1500}[rng.IntN(3)]))
						k.batch(dst[i:j], x[i:j])
						i = j
					}
					for i := range x {
						if want := k.one(x[i]); !same(dst[i], want) {
							t.Fatalf("%s(%v) = %x among %s, scalar %x", k.name, x[i],
								math.Float64bits(dst[i]), name, math.Float64bits(want))
						}
					}
				}
			}
		}
	})
}

// TestTails runs every short length, in guarded memory and in place.
func TestTails(t *testing.T) {
	const guard, pattern = 16, 0x7ffdeadbeefcafe5
	atEachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(51, 52))
		for _, k := range kernels {
			for n := 0; n <= 67; n++ {
				for _, special := range []bool{false, true} {
					x := make([]float64, n)
					for i := range x {
						x[i] = tame(rng)
					}
					if special && n > 0 {
						x[rng.IntN(n)] = edges[rng.IntN(len(edges))]
					}
					want := make([]float64, n)
					for i := range x {
						want[i] = k.one(x[i])
					}
					what := fmt.Sprintf("%s, n=%d, special=%t", k.name, n, special)

					// Guarded on both sides, in both slices.
					fresh := func() []float64 {
						m := make([]float64, n+2*guard)
						for i := range m {
							m[i] = math.Float64frombits(pattern)
						}
						return m
					}
					in, out := fresh(), fresh()
					copy(in[guard:], x)
					k.batch(out[guard:guard+n], in[guard:guard+n])
					intact := func(m []float64, inner []float64, which string) {
						t.Helper()
						for i, v := range m {
							w := math.Float64frombits(pattern)
							if i >= guard && i < guard+n {
								w = inner[i-guard]
							}
							if !same(v, w) {
								t.Fatalf("%s: %s[%d] = %v, want %v", what, which, i-guard, v, w)
							}
						}
					}
					intact(in, x, "x")
					intact(out, want, "dst")

					// In place.
					k.batch(in[guard:guard+n], in[guard:guard+n])
					intact(in, want, "dst in place")

					// A longer dst keeps its end.
					out = fresh()
					k.batch(out[guard:], x)
					intact(out, want, "longer dst")
				}
			}
		}
	})
}

func TestShortDstPanics(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		for _, k := range kernels {
			dst := []float64{7, 7, 7}
			func() {
				defer func() {
					want := fmt.Sprintf("vec: %s: len(dst) = 3 is less than len(x) = 4", k.name)
					if got := recover(); got != want {
						t.Errorf("%s: panic %v, want %q", k.name, got, want)
					}
				}()
				k.batch(dst, []float64{1, 1, 1, 1})
			}()
			if !slices.Equal(dst, []float64{7, 7, 7}) {
				t.Errorf("%s wrote %v before it panicked", k.name, dst)
			}
		}
	})
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	rng := rand.New(rand.NewPCG(61, 62))
	stream := calmStream(rng, 300)
	law := NewClassicParams(testParams())
	r, tripped := make([]float64, 300), make([]bool, 300)
	atEachLevel(t, func(t *testing.T) {
		for _, k := range kernels {
			for _, n := range []int{1, 3, 64, 300} {
				x, dst := make([]float64, n), make([]float64, n)
				if a := testing.AllocsPerRun(20, func() { k.batch(dst, x) }); a != 0 {
					t.Errorf("%s, n=%d: %v allocations", k.name, n, a)
				}
			}
		}
		for _, n := range []int{1, 4, 64, 300} {
			var s ClassicState
			a := testing.AllocsPerRun(20, func() {
				b := stream.slice(0, n)
				Classic(law, &s, &b, r, tripped)
			})
			if a != 0 {
				t.Errorf("Classic, n=%d: %v allocations", n, a)
			}
		}
	})
}

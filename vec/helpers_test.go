package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

// setLevel selects a level for one test.
func setLevel(tb testing.TB, l Level) {
	tb.Helper()
	before := Active()
	if err := SetLevel(l); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { SetLevel(before) })
}

// atEachLevel runs f as a subtest of every level of this machine.
func atEachLevel(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, l := range Supported() {
		t.Run(l.String(), func(t *testing.T) {
			setLevel(t, l)
			f(t)
		})
	}
}

// kernel is one of the elementwise functions.
type kernel struct {
	name  string
	batch func(dst, x []float64)
	one   func(float64) float64
}

var kernels = []kernel{{"Tanh", Tanh, Tanh1}, {"Exp", Exp, Exp1}, {"Ln", Ln, Ln1}}

// same is equality of bits: of NaN's too, and telling -0 from 0.
func same(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// edges are inputs at which something changes.
var edges = func() []float64 {
	v := []float64{
		0, math.SmallestNonzeroFloat64, 3 * math.SmallestNonzeroFloat64, minNormal / 2, minNormal,
		1e-300, 1e-20, 0x1p-28, 1e-8, 0.17, 0.1732867951399863, 0.25, 0.3, 0.5, math.Sqrt2 / 2, 1, math.Sqrt2, 2,
		math.E, 10, 19.06, 21.999, 22, 22.001, 44, 100, 707.9, 708, 708.5, 709, 709.5, 709.78, expMax, 710, 744, 745,
		-expMin, 745.2, 746, 1e3, 1e9, 1e300, math.MaxFloat64 / 2, math.MaxFloat64, math.Inf(1), math.NaN(),
		math.Float64frombits(0x7ff0000000000001), math.Float64frombits(0x7ff8000000abc7ff),
	}
	for _, x := range v {
		v = append(v, -x, math.Nextafter(x, math.Inf(1)), math.Nextafter(x, math.Inf(-1)))
	}
	return v
}()

// anyFloat draws from all of float64, from the common range or from edges.
func anyFloat(rng *rand.Rand) float64 {
	switch rng.IntN(4) {
	case 0:
		return math.Float64frombits(rng.Uint64())
	case 1:
		return rng.NormFloat64() * 300
	case 2:
		return edges[rng.IntN(len(edges))]
	}
	return rng.NormFloat64()
}

// tame draws what the kernels never hand to scalar code.
func tame(rng *rand.Rand) float64 { return math.Abs(rng.NormFloat64()) + 0x1p-50 }

func testParams() ClassicParams {
	return ClassicParams{
		LatencyBase: 100, ErrorBase: 0.01, SaturationBase: 0.5, TanhScale: 1,
		WLatency: math.Log(6), WError: math.Log(9), WSaturation: math.Log(4),
		Base: 10, Damping: 20, DecayPerSecond: 0.1, ScarFactor: 5, Critical: 0.7,
		Tuned: true, Alpha: 2.0 / 101, Sensitivity: 3, Floor: 30, Ceiling: 500,
		RecoveryMultiplier: 0.5, Warmup: 50, FallbackBreak: 100,
		FixedBreak: 100, FixedRecover: 50,
	}
}

func (b *ClassicBatch) slice(i, j int) ClassicBatch {
	return ClassicBatch{b.DT[i:j], b.Latency[i:j], b.ErrorRate[i:j], b.Saturation[i:j]}
}

// cut sets part to the samples [i, j) of b: field by field, because a struct
// copied whole is stored and loaded in pieces of different size, which the
// CPU cannot forward and waits for.
func (b *ClassicBatch) cut(part *ClassicBatch, i, j int) {
	part.DT = b.DT[i:j]
	part.Latency = b.Latency[i:j]
	part.ErrorRate = b.ErrorRate[i:j]
	part.Saturation = b.Saturation[i:j]
}

func (b *ClassicBatch) add(dt, latency, errorRate, saturation float64) {
	b.DT = append(b.DT, dt)
	b.Latency = append(b.Latency, latency)
	b.ErrorRate = append(b.ErrorRate, errorRate)
	b.Saturation = append(b.Saturation, saturation)
}

// calmStream is a route with noise and now and then an episode.
func calmStream(rng *rand.Rand, n int) *ClassicBatch {
	var b ClassicBatch
	bad := 0
	for range n {
		load := 1.0
		if bad > 0 {
			bad--
			load = 5
		} else if rng.IntN(400) == 0 {
			bad = 20 + rng.IntN(60)
		}
		dt := math.Round(rng.ExpFloat64() * 100)
		b.add(dt, 80*load+20*rng.NormFloat64(), 0.02*load*rng.Float64(), min(1, 0.3*load*rng.Float64()+0.1))
	}
	return &b
}

// wildStream has whatever a broken clock and a broken client can send.
func wildStream(rng *rand.Rand, n int) *ClassicBatch {
	b := calmStream(rng, n)
	dts := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), -5, -6e4, -1e7, -1e12, 1e7, 7.08e6,
		7.081e6, 7.2e6, 7.4e6, 7.45e6, 1e12, 1e-320, 1e-300, math.MaxFloat64}
	values := []float64{0, math.NaN(), math.Inf(1), math.Inf(-1), -5, 1e308, -1e308, 1e306, 5e-324, math.MaxFloat64}
	every := []int{10, 100, 1000}[rng.IntN(3)]
	for i := range n {
		if rng.IntN(every) == 0 {
			b.DT[i] = dts[rng.IntN(len(dts))]
		}
		for _, x := range [][]float64{b.Latency, b.ErrorRate, b.Saturation} {
			if rng.IntN(every) == 0 {
				x[i] = values[rng.IntN(len(values))]
			}
		}
	}
	return b
}

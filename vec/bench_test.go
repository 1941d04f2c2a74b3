package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Every benchmark runs the levels beside what they replace, so that ratios are
// read from one run:
//
//	go test -run '^$' -bench Tanh -count 10 ./vec
//
// The figure to compare is ns/sample. On a machine with other work, use
// BenchmarkRatio.

var benchSizes = []int{1, 4, 16, 64, 256, 1024}

// perSample reports the cost of one of the n samples of an iteration.
func perSample(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/sample")
}

func benchKernel(b *testing.B, batch func(dst, x []float64), std, one func(float64) float64, draw func(*rand.Rand) float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range benchSizes {
		x, dst := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i] = draw(rng)
		}
		scalar := func(name string, f func(float64) float64) {
			b.Run(fmt.Sprintf("n=%d/%s", n, name), func(b *testing.B) {
				for b.Loop() {
					for i, v := range x {
						dst[i] = f(v)
					}
				}
				perSample(b, n)
			})
		}
		scalar("math", std)
		scalar("scalar", one)
		for _, l := range Supported() {
			b.Run(fmt.Sprintf("n=%d/level=%s", n, l), func(b *testing.B) {
				setLevel(b, l)
				for b.Loop() {
					batch(dst, x)
				}
				perSample(b, n)
			})
		}
	}
}

func drawTanh(r *rand.Rand) float64 { return r.NormFloat64() * 1.5 }

// drawDecay draws exponents as decay does.
func drawDecay(r *rand.Rand) float64 { return -2 * r.ExpFloat64() }

func drawLn(r *rand.Rand) float64 { return math.Exp(r.NormFloat64() * 10) }

func BenchmarkTanh(b *testing.B) {
	benchKernel(b, Tanh, math.Tanh, Tanh1, drawTanh)
}

func BenchmarkExpDecay(b *testing.B) {
	benchKernel(b, Exp, math.Exp, Exp1, drawDecay)
}

func BenchmarkExp(b *testing.B) {
	benchKernel(b, Exp, math.Exp, Exp1, func(r *rand.Rand) float64 { return r.NormFloat64() * 100 })
}

func BenchmarkLn(b *testing.B) {
	benchKernel(b, Ln, math.Log, Ln1, drawLn)
}

// BenchmarkClassic feeds an unpredictable stream of 16 Ki samples in batches
// of n. A stream that repeats sooner would be learnt by the branch predictor
// and flatter the scalar reference.
func BenchmarkClassic(b *testing.B) {
	const total = 1 << 14
	for _, tuned := range []bool{true, false} {
		p := testParams()
		p.Tuned = tuned
		law := NewClassicParams(p)
		stream := calmStream(rand.New(rand.NewPCG(3, 4)), total)
		r := make([]float64, total)
		for _, n := range benchSizes {
			name := fmt.Sprintf("tuned=%t/n=%d/", tuned, n)
			var batch ClassicBatch
			b.Run(name+"reference", func(b *testing.B) {
				var s ClassicState
				for b.Loop() {
					for i := 0; i < total; i += n {
						stream.cut(&batch, i, i+n)
						referenceClassic(&p, &s, &batch, r[i:i+n], nil)
					}
				}
				perSample(b, total)
			})
			for _, l := range Supported() {
				b.Run(name+"level="+l.String(), func(b *testing.B) {
					setLevel(b, l)
					var s ClassicState
					for b.Loop() {
						for i := 0; i < total; i += n {
							stream.cut(&batch, i, i+n)
							Classic(law, &s, &batch, r[i:i+n], nil)
						}
					}
					perSample(b, total)
				})
			}
		}
	}
}

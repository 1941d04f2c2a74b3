package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// contender is one way to do the same n samples.
type contender struct {
	name  string
	run   func()
	times []float64 // ns per sample
}

// compete runs contenders in turn, a short window each, for as long as b says,
// and reports the lower quartile of each and the first one's over it. On a
// machine with other work this is what a ratio can be read from: neighbours
// disturb all contenders alike, and the quartile forgets the disturbed rounds.
func compete(b *testing.B, samples int, cs []*contender) {
	for _, c := range cs {
		c.run()
	}
	for b.Loop() {
		for _, c := range cs {
			start := time.Now()
			c.run()
			c.times = append(c.times, float64(time.Since(start).Nanoseconds())/float64(samples))
		}
	}
	b.ReportMetric(0, "ns/op") // of all contenders together: says nothing
	quartile := func(v []float64) float64 {
		slices.Sort(v)
		return v[len(v)/4]
	}
	first := quartile(cs[0].times)
	b.ReportMetric(first, cs[0].name+"-ns/sample")
	for _, c := range cs[1:] {
		q := quartile(c.times)
		b.ReportMetric(q, c.name+"-ns/sample")
		b.ReportMetric(first/q, c.name+"-times")
	}
}

// BenchmarkRatio is the other benchmarks interleaved:
//
//	go test -run '^$' -bench Ratio -benchtime 300x ./vec
func BenchmarkRatio(b *testing.B) {
	for i, std := range []func(float64) float64{math.Tanh, math.Exp, math.Log} {
		k := kernels[i]
		draw := []func(*rand.Rand) float64{drawTanh, drawDecay, drawLn}[i]
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("%s/n=%d", k.name, n), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 2))
				x, dst := make([]float64, n), make([]float64, n)
				for i := range x {
					x[i] = draw(rng)
				}
				repeat := max(1, 4096/n)
				cs := []*contender{{name: "math", run: func() {
					for range repeat {
						for i, v := range x {
							dst[i] = std(v)
						}
					}
				}}}
				for _, l := range Supported() {
					cs = append(cs, &contender{name: l.String(), run: func() {
						SetLevel(l)
						for range repeat {
							k.batch(dst, x)
						}
					}})
				}
				setLevel(b, best)
				compete(b, repeat*n, cs)
			})
		}
	}
	const total = 1 << 14
	stream := calmStream(rand.New(rand.NewPCG(3, 4)), total)
	r := make([]float64, total)
	for _, tuned := range []bool{true, false} {
		p := testParams()
		p.Tuned = tuned
		law := NewClassicParams(p)
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("Classic/tuned=%t/n=%d", tuned, n), func(b *testing.B) {
				// A window is a part of the stream, each the next one, so that
				// the branch predictor does not learn it.
				const window = 2048
				at := 0
				var ref ClassicState
				cs := []*contender{{name: "reference", run: func() {
					at = (at + window) % total
					var b ClassicBatch
					for i := at; i < at+window; i += n {
						stream.cut(&b, i, i+n)
						referenceClassic(&p, &ref, &b, r[i:i+n], nil)
					}
				}}}
				for _, l := range Supported() {
					s := new(ClassicState)
					cs = append(cs, &contender{name: l.String(), run: func() {
						SetLevel(l)
						var b ClassicBatch
						for i := at; i < at+window; i += n {
							stream.cut(&b, i, i+n)
							Classic(law, s, &b, r[i:i+n], nil)
						}
					}})
				}
				setLevel(b, best)
				compete(b, window, cs)
			})
		}
	}
}

package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// sameState is equality of bits, NaN included.
func sameState(a, b *ClassicState) bool {
	return *(*[unsafe.Sizeof(*a)]byte)(unsafe.Pointer(a)) == *(*[unsafe.Sizeof(*b)]byte)(unsafe.Pointer(b))
}

// paramTable is laws that differ where code paths do.
func paramTable() []ClassicParams {
	var table []ClassicParams
	add := func(change func(p *ClassicParams)) {
		p := testParams()
		change(&p)
		table = append(table, p)
	}
	add(func(p *ClassicParams) {})
	add(func(p *ClassicParams) { p.Tuned = false })
	add(func(p *ClassicParams) { p.Tuned, p.FixedBreak, p.FixedRecover = false, 14, 12.5 })
	add(func(p *ClassicParams) { p.Warmup, p.Floor, p.Sensitivity = 0, 5, 0.5 })
	add(func(p *ClassicParams) { p.Warmup, p.Alpha, p.Floor, p.Ceiling = 3, 2.0/6, 11, 60 })
	add(func(p *ClassicParams) { p.Alpha, p.Floor = 1, 8 })
	add(func(p *ClassicParams) { p.Warmup = 1000 })
	add(func(p *ClassicParams) { p.TanhScale, p.ErrorBase = 0.5, 0 })
	add(func(p *ClassicParams) { p.TanhScale = -3 })
	add(func(p *ClassicParams) { p.Critical, p.ScarFactor = 0, 0.3 })
	add(func(p *ClassicParams) { p.Critical, p.DecayPerSecond = -1, 0 })
	add(func(p *ClassicParams) { p.Critical, p.DecayPerSecond = 1e-6, 3 })
	add(func(p *ClassicParams) { p.Damping, p.Floor, p.Ceiling = 0, 100, 50 })
	add(func(p *ClassicParams) { p.ScarFactor, p.Floor, p.Warmup = 0, 11, 2 })
	add(func(p *ClassicParams) { p.Damping, p.Base = 1e99, 0 })
	add(func(p *ClassicParams) { p.LatencyBase, p.SaturationBase = 1e-3, math.NaN() })
	add(func(p *ClassicParams) { p.Damping, p.WError = -20, -1 })
	add(func(p *ClassicParams) { p.Base, p.ScarFactor = 40, -5 })
	add(func(p *ClassicParams) { p.TanhScale, p.DecayPerSecond = 0, -0.1 })
	add(func(p *ClassicParams) { p.WLatency, p.LatencyBase = math.Inf(1), math.SmallestNonzeroFloat64 })
	add(func(p *ClassicParams) { p.Critical, p.Base = math.NaN(), math.NaN() })
	return table
}

// TestClassicBits compares levels and cuts with one sample after another in Go.
func TestClassicBits(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(71, 72))
		for i, params := range paramTable() {
			p := NewClassicParams(params)
			for round := range 40 {
				n := rng.IntN(900)
				stream := calmStream(rng, n)
				if round%2 == 1 {
					stream = wildStream(rng, n)
				}
				start := ClassicState{Break: 100, Recover: 50}
				if round%5 == 4 { // a state from elsewhere
					start.Scar, start.Mean, start.Var = anyFloat(rng), anyFloat(rng), anyFloat(rng)
					start.Samples, start.Tripped = rng.Uint32()>>rng.IntN(32), true
				}
				compareCuts(t, fmt.Sprintf("law %d, round %d", i, round), p, start, stream, rng)
			}
		}
	})
}

// compareCuts runs stream in random batches at the active level and compares
// states and outputs with those of the scalar code.
func compareCuts(t *testing.T, what string, p *ClassicParams, start ClassicState, stream *ClassicBatch, rng *rand.Rand) {
	t.Helper()
	n := len(stream.DT)
	want := start
	wantR, wantTripped := make([]float64, n), make([]bool, n)
	states := make([]ClassicState, n)
	for i := range n {
		p.step(&want, stream.DT[i], stream.Latency[i], stream.ErrorRate[i], stream.Saturation[i])
		wantR[i], wantTripped[i], states[i] = want.R, want.Tripped, want
	}
	got := start
	r, tripped := make([]float64, n), make([]bool, n)
	for i := 0; i < n; {
		j := min(n, i+1+rng.IntN([]int{1, 4, 12, 300}[rng.IntN(4)]))
		batch := stream.slice(i, j)
		Classic(p, &got, &batch, r[i:j], tripped[i:j])
		if !sameState(&got, &states[j-1]) {
			t.Fatalf("%s: after samples [%d, %d) of %d:\n got %+v\nwant %+v", what, i, j, n, got, states[j-1])
		}
		for ; i < j; i++ {
			if !same(r[i], wantR[i]) || tripped[i] != wantTripped[i] {
				t.Fatalf("%s: sample %d: R %v, tripped %t; want %v, %t", what, i, r[i], tripped[i], wantR[i], wantTripped[i])
			}
		}
	}
	// Outputs are optional and change nothing.
	got = start
	if n > 0 {
		Classic(p, &got, stream, nil, nil)
		if !sameState(&got, &want) {
			t.Fatalf("%s: without outputs:\n got %+v\nwant %+v", what, got, want)
		}
	}
}

// close12 is the tolerance of the law: 1e-12 relative, with floors below which
// nothing depends on a value.
func close12(got, want, floor float64) bool {
	if same(got, want) || got != got && want != want {
		return true
	}
	return math.Abs(got-want) <= 1e-12*max(math.Abs(want), floor)
}

// TestClassicReference compares with the law written down plainly.
func TestClassicReference(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(81, 82))
		trips := uint32(0)
		for i, params := range paramTable()[:14] {
			p := NewClassicParams(params)
			for round := range 12 {
				n := 1 + rng.IntN(2000)
				stream := calmStream(rng, n)
				if round%3 == 2 {
					stream = wildStream(rng, n)
				}
				var got, want ClassicState
				for from := 0; from < n; {
					to := min(n, from+1+rng.IntN(200))
					batch := stream.slice(from, to)
					Classic(p, &got, &batch, nil, nil)
					referenceClassic(&params, &want, &batch, nil, nil)
					from = to
					diff := func(name string, g, w, floor float64) {
						t.Helper()
						if !close12(g, w, floor) {
							t.Fatalf("law %d, round %d, sample %d: %s = %v, want %v\n got %+v\nwant %+v",
								i, round, to, name, g, w, got, want)
						}
					}
					for c := range 3 {
						diff("P", got.P[c], want.P[c], 1e-3)
						diff("Prev", got.Prev[c], want.Prev[c], 1e-3)
					}
					diff("Momentum", got.Momentum, want.Momentum, 1e-3)
					diff("Scar", got.Scar, want.Scar, 1e-3)
					diff("R", got.R, want.R, 1e-3)
					diff("Mean", got.Mean, want.Mean, 1e-3)
					// The variance is a difference of nearly equal numbers
					// where the mean is large against it.
					diff("Var", got.Var, want.Var, max(1e-3, 1e-2*want.Mean*want.Mean))
					if got.Tripped != want.Tripped || got.Trips != want.Trips || got.Recoveries != want.Recoveries ||
						got.Samples != want.Samples {
						t.Fatalf("law %d, round %d, sample %d: modes or counts differ\n got %+v\nwant %+v",
							i, round, to, got, want)
					}
				}
				trips += got.Trips
			}
		}
		if trips < 100 {
			t.Errorf("only %d trips: the streams do not test modes", trips)
		}
	})
}

// TestClassicSteady: a resistance that never changes is its own mean, exactly,
// with deviation 0. Laws rely on that identity at the trip point.
func TestClassicSteady(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(83, 84))
		var b ClassicBatch
		for range 60 {
			b.add(100, 90, 0.001, 0.1)
		}
		for window := 1; window <= 5000; window += 1 + window/50 {
			params := testParams()
			params.Alpha, params.Warmup = 2/float64(window+1), 0
			for range 10 {
				// Below a power of two is where rounding is finest.
				params.Base = math.Ldexp(1-0.5*rng.Float64()*rng.Float64(), 4+rng.IntN(8))
				var s ClassicState
				Classic(NewClassicParams(params), &s, &b, nil, nil)
				if s.R != params.Base || s.Mean != s.R || s.Var != 0 {
					t.Fatalf("window %d: R %v, mean %v, variance %v", window, s.R, s.Mean, s.Var)
				}
			}
		}
	})
}

// TestClassicRules checks single samples against numbers worked out by hand.
func TestClassicRules(t *testing.T) {
	params := testParams()
	params.Tuned = false
	p := NewClassicParams(params)
	at := math.Inf(1)
	neutral := [3]float64{100, 0.01, 0.5}
	for _, c := range []struct {
		name                string
		scar, dt            float64
		x                   [3]float64
		wantScar, wantPress float64 // pressure of the latency
	}{
		{"half-life", 8, math.Ln2 * 1e4, neutral, 4, 0},
		{"clock back", 8, -math.Ln2 * 1e4, neutral, 16, 0},
		{"dt NaN", 8, math.NaN(), neutral, 8, 0},
		{"dt infinite", 8, at, neutral, 0, 0},
		{"dt infinitely back", 0.5, -at, neutral, math.MaxFloat64 / 2, 0},
		{"clock far back", 1e-300, -1e12, neutral, math.MaxFloat64 * 1e-300, 0},
		{"scar overflows", 5, -at, neutral, 0, 0},
		{"scar infinite", at, 1, neutral, 0, 0},
		{"scar infinite, trauma", at, 1, [3]float64{500, 0.01, 0.5}, 5, math.Tanh(4)},
		{"scar NaN", math.NaN(), 1, neutral, 0, 0},
		{"scar negative", -3, 1, neutral, 0, 0},
		{"trauma", 0, 1, [3]float64{500, 0.01, 0.5}, 5, math.Tanh(4)},
		{"latency not given", 0, 1, [3]float64{math.NaN(), 0.01, 0.5}, 0, -math.Tanh(1)},
		{"latency infinite", 0, 1, [3]float64{at, 0.01, 0.5}, 0, -math.Tanh(1)},
	} {
		atEachLevel(t, func(t *testing.T) {
			for _, lead := range []int{0, 3, 11, 200} { // in small batches and large ones
				var b ClassicBatch
				for range lead {
					b.add(0, neutral[0], neutral[1], neutral[2])
				}
				b.add(c.dt, c.x[0], c.x[1], c.x[2])
				s := ClassicState{Scar: c.scar}
				Classic(p, &s, &b, nil, nil)
				if !close12(s.Scar, c.wantScar, 1e-3) || !close12(s.P[0], c.wantPress, 1e-3) {
					t.Errorf("%s after %d: scar %v, pressure %v; want %v, %v", c.name, lead, s.Scar, s.P[0], c.wantScar, c.wantPress)
				}
			}
		})
	}

	// Momentum: from the pressure two samples ago, over the time since the
	// last one, and 0 where that has no answer.
	for _, c := range []struct{ dt, want float64 }{
		{10, math.Tanh(1) / 10}, {-10, -math.Tanh(1) / 10}, {0, 0}, {math.NaN(), 0}, {1e-320, 0}, {math.Inf(1), 0},
		{1e-200, math.Tanh(1) / 1e-200}, {1e-308, math.Tanh(1) / 1e-308},
	} {
		atEachLevel(t, func(t *testing.T) {
			for _, lead := range []int{1, 10} {
				var b ClassicBatch
				for range lead {
					b.add(1, 200, 0.01, 0.5)
				}
				b.add(1, 100, 0.01, 0.5)
				b.add(1, 200, 0.01, 0.5)
				b.add(c.dt, 200, 0.01, 0.5)
				var s ClassicState
				Classic(p, &s, &b, nil, nil)
				if !close12(s.Momentum, c.want, 1e-300) {
					t.Errorf("dt %v: momentum %v, want %v", c.dt, s.Momentum, c.want)
				}
			}
		})
	}
}

// TestSquareBounds: comparing squares must decide as comparing roots does.
func TestSquareBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(91, 92))
	root := func(q float64) float64 {
		if q < noise {
			return 0
		}
		return math.Sqrt(q)
	}
	for _, c := range []float64{0.7, 0, -1, 1, 1.5, 3.1e-5, 3.2e-5, math.Sqrt(noise), 1e-9, 1e-200, 0.1, 0.3, 1e160, 2e154,
		math.Inf(1), math.Inf(-1), math.NaN(), rng.Float64(), rng.Float64(), rng.Float64()} {
		above, below := squareBounds(c)
		q := []float64{0, noise, math.Nextafter(noise, 0), c * c, above, below, 1, 3, rng.Float64()}
		for _, x := range q {
			q = append(q, math.Nextafter(x, 9), math.Nextafter(math.Nextafter(x, 9), 9), math.Nextafter(x, 0))
		}
		for _, x := range q {
			if !(x >= 0 && x <= 12) { // three squares of pressures, or of their differences
				continue
			}
			if got, want := x > above, root(x) > c; got != want {
				t.Errorf("critical %v, square %v: above %t, want %t", c, x, got, want)
			}
			if got, want := x < below, root(x) < c; got != want {
				t.Errorf("critical %v, square %v: below %t, want %t", c, x, got, want)
			}
		}
	}
}

func TestClassicPieces(t *testing.T) {
	// What the pieces say one by one is what Classic does at once.
	rng := rand.New(rand.NewPCG(93, 94))
	p := NewClassicParams(testParams())
	stream := calmStream(rng, 300)
	atEachLevel(t, func(t *testing.T) {
		var s ClassicState
		for i := range stream.DT {
			before := s
			batch := stream.slice(i, i+1)
			Classic(p, &s, &batch, nil, nil)
			pressure := p.Pressure(batch.Latency[0], batch.ErrorRate[0], batch.Saturation[0])
			scar := p.NextScar(before.Scar, pressure, batch.DT[0])
			trip, recover := p.Thresholds(s.Mean, s.Var, s.Samples)
			if pressure != s.P || scar != s.Scar || p.Resistance(pressure, s.Momentum, scar) != s.R ||
				trip != s.Break || recover != s.Recover {
				t.Fatalf("sample %d: the pieces differ from %+v", i, s)
			}
		}
	})
}

func TestClassicPanics(t *testing.T) {
	p := NewClassicParams(testParams())
	full := func() *ClassicBatch { return calmStream(rand.New(rand.NewPCG(1, 1)), 4) }
	cases := map[string]func(s *ClassicState, r []float64, tripped []bool){
		"Latency has 3": func(s *ClassicState, r []float64, tr []bool) {
			b := full()
			b.Latency = b.Latency[:3]
			Classic(p, s, b, r, tr)
		},
		"ErrorRate 2": func(s *ClassicState, r []float64, tr []bool) {
			b := full()
			b.ErrorRate = b.ErrorRate[:2]
			Classic(p, s, b, r, tr)
		},
		"Saturation 0": func(s *ClassicState, r []float64, tr []bool) {
			b := full()
			b.Saturation = nil
			Classic(p, s, b, r, tr)
		},
		"r 3":              func(s *ClassicState, r []float64, tr []bool) { Classic(p, s, full(), r[:3], tr) },
		"tripped 1":        func(s *ClassicState, r []float64, tr []bool) { Classic(p, s, full(), r, tr[:1]) },
		"NewClassicParams": func(s *ClassicState, r []float64, tr []bool) { q := testParams(); Classic(&q, s, full(), r, tr) },
	}
	atEachLevel(t, func(t *testing.T) {
		for want, f := range cases {
			s, r, tripped := ClassicState{R: 3}, []float64{7, 7, 7, 7}, make([]bool, 4)
			func() {
				defer func() {
					if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "vec: Classic: ") || !strings.Contains(got, want) {
						t.Errorf("panic %q, want one about %q", got, want)
					}
				}()
				f(&s, r, tripped)
			}()
			if s != (ClassicState{R: 3}) || r[0] != 7 {
				t.Errorf("%s: state or output was written before the panic", want)
			}
		}
	})
}

func TestClassicStateSize(t *testing.T) {
	if n := unsafe.Sizeof(ClassicState{}); n > 136 {
		t.Errorf("a state takes %d bytes, more than 136", n)
	}
}

// TestClassicSamplesEnd: the count stays at its end; 0 would mean no sample.
func TestClassicSamplesEnd(t *testing.T) {
	p := NewClassicParams(testParams())
	stream := calmStream(rand.New(rand.NewPCG(95, 96)), 40)
	atEachLevel(t, func(t *testing.T) {
		for _, n := range []int{1, 2, 40} {
			s := ClassicState{Samples: math.MaxUint32 - 1, Mean: 10}
			batch := stream.slice(0, n)
			Classic(p, &s, &batch, nil, nil)
			if s.Samples != math.MaxUint32 {
				t.Errorf("n=%d: %d samples", n, s.Samples)
			}
		}
	})
}

package classic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/tuner"
	"github.com/atrion-io/atrion/vec"
)

// eachLevel runs f once per vec level of this machine.
func eachLevel(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	before := vec.Active()
	t.Cleanup(func() { vec.SetLevel(before) })
	for _, l := range vec.Supported() {
		t.Run(l.String(), func(t *testing.T) {
			if err := vec.SetLevel(l); err != nil {
				t.Fatal(err)
			}
			f(t)
		})
	}
}

func mustNew(t testing.TB, c Config) *Law {
	t.Helper()
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// batches are for reuse: one is 50 kB, and fuzzing wants thousands a second.
var batches = sync.Pool{New: func() any { return physics.NewBatch() }}

// advance applies samples to prev in batches of the given sizes, over and over.
func advance(t testing.TB, l *Law, prev physics.State, samples []physics.Sample, size func() int) *State {
	t.Helper()
	b := batches.Get().(*physics.Batch)
	defer batches.Put(b)
	for len(samples) > 0 {
		n := min(max(0, size()), physics.MaxBatch, len(samples))
		b.Reset()
		for i := range n {
			b.Add(&samples[i])
		}
		samples = samples[n:]
		next := l.NewState()
		if wake := next.Advance(prev, b); wake != 0 {
			t.Fatalf("asks to be woken after %v", wake)
		}
		prev = next
	}
	return prev.(*State)
}

func always(n int) func() int { return func() int { return n } }

func random(rng *rand.Rand, limit int) func() int {
	return func() int { return rng.IntN(limit) }
}

// TestLawSequences replays the 15 recorded sequences that have a tuner per
// route through the vectorised law, on every level: every tick one by one, and
// the end state for random batches, to the bit.
func TestLawSequences(t *testing.T) {
	ends := map[string]State{}
	eachLevel(t, func(t *testing.T) {
		ticks, files := 0, 0
		for _, file := range sequences(t) {
			h, recorded := readSequence(t, file)
			if len(h.Routes) > 1 && h.AutoTuner != nil {
				continue
			}
			files++
			t.Run(h.Name, func(t *testing.T) {
				l := mustNew(t, h.config())
				var samples []physics.Sample
				state := l.NewState().(*State)
				for i, k := range recorded {
					c := k.call(h)
					sample := physics.Sample{Time: c.Time, Latency: c.Latency, ErrorRate: c.ErrorRate, Saturation: c.Saturation}
					samples = append(samples, sample)
					state = advance(t, l, state, samples[i:], always(1))
					r := state.Route()
					var ts *tuner.State
					if l.params.Tuned {
						s := state.Tuner()
						ts = &s
					}
					v := physics.Judge(state, physics.Query{Voltage: c.Voltage, Now: c.Time})
					if diffs := k.O.compare(&l.params, &r, ts, v.Allow, kernelRateFloor); diffs != nil {
						t.Fatalf("line %d: %s", i+2, strings.Join(diffs, "; "))
					}
					// R is the sum of its reported terms; the kernel fuses the
					// same sum, so the two may differ in the last bits.
					if !(math.Abs(v.Resistance-state.k.R) <= 1e-14*state.k.R) {
						t.Fatalf("line %d: decided by R = %v at the time of the sample, state has %v", i+2, v.Resistance, state.k.R)
					}
					if bp, rp := state.Limits(); !near(bp, k.O.BP.v, 1e-3) || !near(rp, k.O.RP.v, 1e-3) || v.Break != bp {
						t.Fatalf("line %d: limits %v and %v, recorded %v and %v", i+2, bp, rp, k.O.BP.v, k.O.RP.v)
					}
					checkVerdict(t, l, v)
					ticks++
				}
				end := *state
				end.law = nil
				if first, seen := ends[h.Name]; !seen {
					ends[h.Name] = end
				} else if first != end {
					t.Errorf("end state differs from another level's:\n%+v\n%+v", end, first)
				}
				rng := rand.New(rand.NewPCG(1, 2))
				for range 20 {
					limit := 1 + rng.IntN(600)
					got := advance(t, l, l.NewState(), samples, random(rng, limit+1))
					if *got != *state {
						t.Fatalf("batches of up to %d samples end in\n%+v\nsingle samples in\n%+v", limit, *got, *state)
					}
				}
			})
		}
		if files != 15 || !t.Failed() && ticks != 5580-450 {
			t.Errorf("%d ticks of %d files compared, want 5130 of 15", ticks, files)
		}
	})
}

// checkVerdict checks what holds for every verdict of a valid law.
func checkVerdict(t testing.TB, l *Law, v physics.Verdict) {
	t.Helper()
	base := l.params.BaseResistance
	if !(v.Resistance >= base && Finite(v.Resistance)) {
		t.Fatalf("R = %v with a base of %v", v.Resistance, base)
	}
	terms := v.Terms
	if !(terms.Base == base && terms.Pressure >= 0 && terms.Momentum >= 0 && terms.Scar >= 0) {
		t.Fatalf("negative or missing term in %+v", terms)
	}
	if sum := terms.Sum(); sum != v.Resistance {
		t.Fatalf("terms %+v add up to %v, R is %v", terms, sum, v.Resistance)
	}
	if v.Allow != (v.Reason == physics.Allowed) || v.Allow && v.RetryAfter != 0 {
		t.Fatalf("contradiction in %+v", v)
	}
	if (v.Mode == physics.CircuitBreaker) != (v.Reason == physics.Tripped) {
		t.Fatalf("mode and reason contradict each other in %+v", v)
	}
	if v.RetryAfter < 0 || v.RetryAfter > maxRetry {
		t.Fatalf("RetryAfter %v", v.RetryAfter)
	}
}

// traffic is a random but valid stream of n samples that spends time healthy,
// failing and silent, with calls in the same instant and ignored ones.
func traffic(rng *rand.Rand, n int) []physics.Sample {
	samples := make([]physics.Sample, n)
	now := int64(1_700_000_000_000_000_000)
	bad := false
	for i := range samples {
		switch rng.IntN(20) {
		case 0:
			bad = !bad
		case 1:
			now += rng.Int64N(60e9)
		}
		if rng.IntN(4) != 0 {
			now += rng.Int64N(300e6)
		}
		s := physics.Sample{Time: now, Latency: 100 * math.Exp(rng.NormFloat64()/3), Saturation: rng.Float64() * 0.6, ErrorRate: rng.Float64() * 0.02}
		if bad {
			s.Latency *= 5 * rng.Float64()
			s.ErrorRate = rng.Float64()
			s.Saturation = rng.Float64()
			s.Outcome = physics.Error
		}
		switch rng.IntN(30) {
		case 0:
			s.Latency = math.NaN()
		case 1, 2:
			s.Outcome = physics.Ignored
			s.Latency, s.ErrorRate = 1e9*rng.Float64(), 1
		}
		samples[i] = s
	}
	return samples
}

// randomConfig is a random valid configuration.
func randomConfig(rng *rand.Rand) Config {
	c := DefaultConfig()
	c.BaseResistance = 1 + 30*rng.Float64()
	c.DecayRate = 0.01 + rng.Float64()
	c.ScarFactor = 8 * rng.Float64()
	c.DampingFactor = 500 * rng.Float64()
	c.CriticalPressure = 0.2 + rng.Float64()
	c.BreakMultiplier = 1.5 + 10*rng.Float64()
	c.BootstrapTicks = rng.IntN(15)
	c.TanhScale = 0.2 + rng.Float64()
	c.Tuned = rng.IntN(3) != 0
	c.Tuner = tuner.Config{
		Window: 1 + rng.IntN(200), Sensitivity: 4 * rng.Float64(), Floor: c.BaseResistance + 20*rng.Float64(), Ceiling: 60 + 500*rng.Float64(),
		Warmup: rng.IntN(60), RecoveryMultiplier: 0.3 + 0.7*rng.Float64(), FallbackBreak: 40 + 100*rng.Float64(),
	}
	return c
}

// TestLawIsStep compares the vectorised law with the scalar one on random
// traffic under random configurations, sample by sample.
func TestLawIsStep(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		trips := 0
		for seed := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, 7))
			l := mustNew(t, randomConfig(rng))
			var route Route
			var ts *tuner.State
			if l.params.Tuned {
				ts = new(tuner.State)
			}
			state := l.NewState().(*State)
			samples := traffic(rng, 400)
			for i, s := range samples {
				state = advance(t, l, state, samples[i:i+1], always(1))
				if s.Outcome != physics.Ignored {
					l.params.Step(&route, ts, Call{Time: s.Time, Latency: s.Latency, ErrorRate: s.ErrorRate, Saturation: s.Saturation})
				}
				got := state.Route()
				if got.Mode != route.Mode || got.Last != route.Last {
					t.Fatalf("seed %d, sample %d: mode %v at %d, scalar law has %v at %d", seed, i, got.Mode, got.Last, route.Mode, route.Last)
				}
				for _, x := range [][2]float64{
					{got.Resistance, route.Resistance}, {got.Scar, route.Scar}, {got.Momentum, route.Momentum},
					{got.Pressure.Latency, route.Pressure.Latency}, {got.Previous.Error, route.Previous.Error},
				} {
					if route.Known && !near(x[0], x[1], 1e-3) {
						t.Fatalf("seed %d, sample %d: %+v, scalar law has %+v", seed, i, got, route)
					}
				}
			}
			n, _ := state.Transitions()
			trips += int(n)
		}
		if trips < 50 {
			t.Errorf("only %d trips in all: the traffic tests nothing", trips)
		}
	})
}

// TestBatchSplits: the same bits however the samples are cut.
func TestBatchSplits(t *testing.T) {
	ends := map[uint64]State{}
	eachLevel(t, func(t *testing.T) {
		for seed := range uint64(40) {
			rng := rand.New(rand.NewPCG(seed, 11))
			l := mustNew(t, randomConfig(rng))
			samples := traffic(rng, 1500)
			want := advance(t, l, l.NewState(), samples, always(1))
			for _, size := range []func() int{always(physics.MaxBatch), always(256), always(129), always(8), random(rng, 40), random(rng, 700)} {
				if got := advance(t, l, l.NewState(), samples, size); *got != *want {
					t.Fatalf("seed %d: %+v, one by one %+v", seed, *got, *want)
				}
			}
			end := *want
			end.law = nil
			if first, seen := ends[seed]; seen && first != end {
				t.Fatalf("seed %d: %+v, another level %+v", seed, end, first)
			}
			ends[seed] = end
		}
	})
}

// TestIgnored: an ignored sample leaves no trace, not even its time.
func TestIgnored(t *testing.T) {
	l := mustNew(t, DefaultConfig())
	rng := rand.New(rand.NewPCG(3, 3))
	samples := traffic(rng, 500)
	var kept []physics.Sample
	for _, s := range samples {
		if s.Outcome != physics.Ignored {
			kept = append(kept, s)
		}
	}
	if len(kept) == len(samples) {
		t.Fatal("nothing to ignore")
	}
	got := advance(t, l, l.NewState(), samples, always(100))
	want := advance(t, l, l.NewState(), kept, always(100))
	if *got != *want {
		t.Errorf("%+v, without the ignored samples %+v", *got, *want)
	}
}

// TestTick: an empty batch, with or without a stamp, changes nothing.
func TestTick(t *testing.T) {
	l := mustNew(t, DefaultConfig())
	s := advance(t, l, l.NewState(), traffic(rand.New(rand.NewPCG(4, 4)), 100), always(10))
	b := physics.NewBatch()
	b.Time[0] = s.last + 1e9
	next := l.NewState().(*State)
	next.Advance(s, b)
	if *next != *s {
		t.Errorf("%+v, before the tick %+v", *next, *s)
	}
}

// TestPublishedStatesStay: Advance leaves its predecessor alone.
func TestPublishedStatesStay(t *testing.T) {
	l := mustNew(t, DefaultConfig())
	samples := traffic(rand.New(rand.NewPCG(5, 5)), 200)
	s := advance(t, l, l.NewState(), samples[:100], always(10))
	before := *s
	advance(t, l, s, samples[100:], always(10))
	if *s != before {
		t.Errorf("%+v, before %+v", *s, before)
	}
}

func TestAllocations(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		l := mustNew(t, DefaultConfig())
		samples := traffic(rand.New(rand.NewPCG(6, 6)), 1000)
		s := advance(t, l, l.NewState(), samples, always(1000))
		for _, n := range []int{1, 8, 9, 1000} {
			b := physics.NewBatch()
			for i := range n {
				b.Add(&samples[i])
			}
			next := l.NewState()
			if got := testing.AllocsPerRun(100, func() { next.Advance(s, b) }); got != 0 && !raceEnabled {
				t.Errorf("Advance of %d samples allocates %v times", n, got)
			}
		}
		q := physics.Query{Voltage: 5, Now: s.last + 1e6}
		var v physics.Verdict
		if got := testing.AllocsPerRun(100, func() { v = physics.Judge(s, q) }); got != 0 {
			t.Errorf("Decide allocates %v times", got)
		}
		buf := s.AppendState(nil, q.Now)
		if got := testing.AllocsPerRun(100, func() { buf = s.AppendState(buf[:0], q.Now) }); got != 0 {
			t.Errorf("AppendState allocates %v times into a buffer with room", got)
		}
		_ = v
	})
}

// FuzzAdvance: whatever the samples hold, R is finite and at least the base,
// the terms add up, and batches make no difference.
func FuzzAdvance(f *testing.F) {
	f.Add([]byte("any bytes will do, forty at a time make one sample of a route"), uint64(1))
	f.Add([]byte{}, uint64(2))
	special := []float64{0, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, 5e-324, 1e300, -1, 100}
	var seed []byte
	for i := range 60 {
		for j := range 4 {
			bits := math.Float64bits(special[(i*(j+3)+j)%len(special)])
			for k := range 8 {
				seed = append(seed, byte(bits>>(8*k)))
			}
		}
	}
	f.Add(seed, uint64(3))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l := mustNew(t, randomConfig(rng))
		word := func() uint64 {
			var w uint64
			for k := range 8 {
				if len(data) == 0 {
					break
				}
				w |= uint64(data[0]) << (8 * k)
				data = data[1:]
			}
			return w
		}
		var samples []physics.Sample
		for len(data) > 0 && len(samples) < 300 {
			s := physics.Sample{
				Time: int64(word()), Latency: math.Float64frombits(word()), ErrorRate: math.Float64frombits(word()), Saturation: math.Float64frombits(word()),
			}
			s.Outcome = physics.Outcome(uint8(s.Time) % 5)
			samples = append(samples, s)
		}
		state := l.NewState().(*State)
		for i, s := range samples {
			state = advance(t, l, state, samples[i:i+1], always(1))
			for _, now := range []int64{state.last, s.Time, state.last + 1, state.last + 1e9, math.MaxInt64, math.MinInt64} {
				for _, volts := range []float64{s.Latency, 15, 0, math.NaN(), math.Inf(1)} {
					v := physics.Judge(state, physics.Query{Voltage: volts, Now: now})
					checkVerdict(t, l, v)
					if v.Allow && !(volts > 0) {
						t.Fatalf("%v volts pass", volts)
					}
				}
			}
		}
		// Whatever the state has become, it can be stored and read.
		if err := l.NewState().ParseState(state.AppendState(nil, state.last), state.last); err != nil {
			t.Fatalf("%v: %+v", err, *state)
		}
		got := advance(t, l, l.NewState(), samples, random(rng, 64))
		if math.IsNaN(got.k.Var) && math.IsNaN(state.k.Var) {
			// Scars grown by a clock that steps back can square to infinity.
			got.k.Var, state.k.Var = 0, 0
			if math.IsNaN(got.k.Break) && math.IsNaN(state.k.Break) {
				got.k.Break, got.k.Recover, state.k.Break, state.k.Recover = 0, 0, 0, 0
			}
		}
		if *got != *state {
			t.Fatalf("batches end in\n%+v\nsingle samples in\n%+v", *got, *state)
		}
	})
}

func BenchmarkAdvance(b *testing.B) {
	all := traffic(rand.New(rand.NewPCG(8, 8)), 100+physics.MaxBatch)
	l := mustNew(b, DefaultConfig())
	prev := advance(b, l, l.NewState(), all[:100], always(100))
	samples := all[100:]
	for _, n := range []int{1, 8, 64, 1024} {
		batch := physics.NewBatch()
		for i := range n {
			samples[i].Outcome = physics.OK
			batch.Add(&samples[i])
		}
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			next := l.NewState()
			for b.Loop() {
				next.Advance(prev, batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/sample")
		})
	}
	b.Run("scalar", func(b *testing.B) {
		var r Route
		var ts tuner.State
		i := 0
		for b.Loop() {
			s := &samples[i%len(samples)]
			l.params.Step(&r, &ts, Call{Time: s.Time, Latency: s.Latency, ErrorRate: s.ErrorRate, Saturation: s.Saturation, Voltage: 50})
			i++
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	l := mustNew(b, DefaultConfig())
	healthy := advance(b, l, l.NewState(), healthySamples(100), always(100))
	scarred := advance(b, l, healthy, []physics.Sample{{Time: healthy.last + 100e6, Latency: 1000, ErrorRate: 1, Saturation: 1}}, always(1))
	for _, x := range []struct {
		name    string
		state   *State
		voltage float64
	}{{"healthy", healthy, 50}, {"scarred", scarred, 50}, {"rejected", scarred, 13}} {
		b.Run(x.name, func(b *testing.B) {
			q := physics.Query{Voltage: x.voltage, Now: x.state.last + 5e6}
			allowed := 0
			for b.Loop() {
				if physics.Judge(x.state, q).Allow {
					allowed++
				}
			}
			if (allowed > 0) != (x.name != "rejected") {
				b.Fatal(allowed)
			}
		})
	}
}

// healthySamples are n steady samples a little better than the baselines,
// 100 ms apart.
func healthySamples(n int) []physics.Sample {
	s := make([]physics.Sample, n)
	for i := range s {
		s[i] = physics.Sample{Time: int64(i) * 100e6, Latency: 90, ErrorRate: 0.005, Saturation: 0.4}
	}
	return s
}

package classic

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

const second = int64(time.Second)

// after advances s by one sample, gap after its last.
func after(t testing.TB, s *State, gap time.Duration, sample physics.Sample) *State {
	t.Helper()
	sample.Time = s.last + int64(gap)
	return advance(t, s.law, s, []physics.Sample{sample}, always(1))
}

var (
	fine     = physics.Sample{Latency: 90, ErrorRate: 0.005, Saturation: 0.4}
	dire     = physics.Sample{Latency: 1000, ErrorRate: 1, Saturation: 1}
	idle     = physics.Sample{}
	pressing = physics.Sample{Latency: 120, ErrorRate: 0.011, Saturation: 0.52} // above the baselines, below trauma
)

func mature(t testing.TB, c Config) *State {
	l := mustNew(t, c)
	return advance(t, l, l.NewState(), healthySamples(c.BootstrapTicks+20), always(100))
}

func TestDecideBootstrap(t *testing.T) {
	l := mustNew(t, DefaultConfig())
	s := l.NewState()
	for _, x := range []struct {
		voltage float64
		allow   bool
	}{{12.000001, true}, {12, false}, {0, false}, {-1, false}, {math.NaN(), false}, {math.Inf(1), true}, {math.Inf(-1), false}} {
		v := physics.Judge(s, physics.Query{Voltage: x.voltage, Now: 5})
		checkVerdict(t, l, v)
		if v.Allow != x.allow || v.Mode != physics.Bootstrap || v.Resistance != 12 || v.Break != 100 || v.RetryAfter != 0 {
			t.Errorf("%v volts: %+v", x.voltage, v)
		}
		if want := (physics.Terms{Base: 10, Pressure: 2}); v.Terms != want {
			t.Errorf("terms %+v, want %+v", v.Terms, want)
		}
	}
}

// TestDecideStrict: V > R, not V >= R, to the last bit, healthy and scarred.
func TestDecideStrict(t *testing.T) {
	healthy := mature(t, DefaultConfig())
	for _, s := range []*State{healthy, after(t, healthy, time.Second, dire)} {
		for _, now := range []int64{s.last, s.last + second} {
			r := physics.Judge(s, physics.Query{Voltage: 1, Now: now}).Resistance
			if physics.Judge(s, physics.Query{Voltage: r, Now: now}).Allow {
				t.Errorf("V = R = %v passes", r)
			}
			if !physics.Judge(s, physics.Query{Voltage: math.Nextafter(r, 1e9), Now: now}).Allow {
				t.Errorf("V just above R = %v is rejected", r)
			}
		}
	}
}

// TestDecideDecays: between samples R follows the scar down and never rises,
// and a question about the past is answered as of the last sample.
func TestDecideDecays(t *testing.T) {
	s := after(t, mature(t, DefaultConfig()), time.Second, dire)
	at := func(now int64) physics.Verdict {
		v := physics.Judge(s, physics.Query{Voltage: 50, Now: now})
		checkVerdict(t, s.law, v)
		return v
	}
	if past := at(s.last - 100*second); past != at(s.last) || past.Resistance != s.k.R {
		t.Errorf("asked about the past: %+v", past)
	}
	p := &s.law.params
	rest := p.BaseResistance + fromArray(s.k.P).weighted(p.Weights) + p.DampingFactor*s.k.Momentum
	before := at(s.last).Resistance
	for ms := int64(1); ms < 1e7; ms = ms*3/2 + 1 {
		v := at(s.last + ms*1e6)
		if want := max(10, rest+5*math.Exp(-0.1*float64(ms)/1000)); !near(v.Resistance, want, 0) {
			t.Fatalf("after %d ms: R = %v, want %v", ms, v.Resistance, want)
		}
		if v.Resistance > before {
			t.Fatalf("after %d ms: R rises from %v to %v", ms, before, v.Resistance)
		}
		before = v.Resistance
	}
}

// TestTermsCancel: what a negative pressure takes away is taken from momentum
// first and from the scar second.
func TestTermsCancel(t *testing.T) {
	l := mustNew(t, DefaultConfig())
	w := l.params.Weights.Latency
	for _, x := range []struct {
		name                     string
		pressure, momentum, scar float64 // latency pressure; ohms; ohms
		want                     physics.Terms
	}{
		{"all positive", 1, 2, 3, physics.Terms{Base: 10, Pressure: w, Momentum: 2, Scar: 3}},
		{"momentum pays", -0.5, 2, 3, physics.Terms{Base: 10, Momentum: 2 - w/2, Scar: 3}},
		{"momentum and scar pay", -1, 1, 3, physics.Terms{Base: 10, Scar: 4 - w}},
		{"nothing left", -1, 0.5, 1, physics.Terms{Base: 10}},
		{"no scar", -0.5, 2, 0, physics.Terms{Base: 10, Momentum: 2 - w/2}},
		{"negative momentum, scar pays", 1, -2, 3, physics.Terms{Base: 10, Pressure: w, Scar: 1}},
		{"negative momentum, scar and pressure pay", 1, -3.5, 3, physics.Terms{Base: 10, Pressure: w - 0.5}},
		{"negative momentum, no scar", 1, -1, 0, physics.Terms{Base: 10, Pressure: w - 1}},
		{"both negative", -0.5, -1, 3, physics.Terms{Base: 10, Scar: 2 - w/2}},
	} {
		s := l.NewState().(*State)
		s.boot = false
		s.k.P[0], s.k.Momentum, s.k.Scar = x.pressure, x.momentum/l.params.DampingFactor, x.scar
		s.k.R = l.kernel.Resistance(s.k.P, s.k.Momentum, s.k.Scar)
		v := physics.Judge(s, physics.Query{Voltage: 1})
		checkVerdict(t, l, v)
		for _, d := range [][2]float64{{v.Terms.Base, x.want.Base}, {v.Terms.Pressure, x.want.Pressure}, {v.Terms.Momentum, x.want.Momentum}, {v.Terms.Scar, x.want.Scar}} {
			if !near(d[0], d[1], 1) {
				t.Errorf("%s: %+v, want %+v", x.name, v.Terms, x.want)
			}
		}
		if x.scar == 0 && v.Terms.Scar != 0 {
			t.Errorf("%s: a scar of %v where there is none", x.name, v.Terms.Scar)
		}
	}
}

// TestRetryAfter: asking again after RetryAfter passes, two milliseconds
// earlier does not.
func TestRetryAfter(t *testing.T) {
	s := mature(t, DefaultConfig())
	for range 3 {
		s = after(t, s, 500*time.Millisecond, dire)
	}
	s = after(t, s, 100*time.Millisecond, fine) // healthy again, scarred
	s = after(t, s, 100*time.Millisecond, fine)
	s = after(t, s, 100*time.Millisecond, fine)
	if s.Mode() != physics.Operational || s.k.Scar < 10 {
		t.Fatalf("unfit state %+v", *s)
	}
	hits := 0
	for _, ago := range []int64{0, second, 7 * second} {
		now := s.last + ago
		for _, voltage := range []float64{10.5, 11, 12, 13, 15, 18} {
			v := physics.Judge(s, physics.Query{Voltage: voltage, Now: now})
			if v.Allow {
				continue
			}
			hits++
			wait := v.RetryAfter
			if wait <= 0 {
				t.Errorf("%v volts, %v: no RetryAfter", voltage, time.Duration(ago))
				continue
			}
			if wait == maxRetry {
				continue
			}
			if !physics.Judge(s, physics.Query{Voltage: voltage, Now: now + int64(wait)}).Allow {
				t.Errorf("%v volts: still rejected after %v", voltage, wait)
			}
			if physics.Judge(s, physics.Query{Voltage: voltage, Now: now + int64(wait) - 2e6}).Allow {
				t.Errorf("%v volts: would have passed before %v", voltage, wait)
			}
		}
	}
	if hits < 10 {
		t.Errorf("only %d rejections", hits)
	}
	for _, voltage := range []float64{10, 5, 0, -1, math.NaN(), math.Inf(-1)} {
		if wait := physics.Judge(s, physics.Query{Voltage: voltage, Now: s.last}).RetryAfter; wait != 0 {
			t.Errorf("%v volts never pass, but RetryAfter is %v", voltage, wait)
		}
	}

	c := DefaultConfig()
	c.DecayRate = 1e-3
	slow := after(t, mature(t, c), time.Second, dire)
	slow = after(t, slow, time.Second, idle)
	slow = after(t, slow, time.Second, idle)
	slow = after(t, slow, time.Second, idle)
	if v := physics.Judge(slow, physics.Query{Voltage: 10.000001, Now: slow.last}); v.RetryAfter != 0 && v.RetryAfter != maxRetry || v.RetryAfter > maxRetry {
		t.Errorf("RetryAfter %v exceeds the cap", v.RetryAfter)
	}
}

// tripped returns a state tripped by an outage.
func tripped(t testing.TB, c Config) *State {
	s := mature(t, c)
	for range 1000 {
		if s.Mode() == physics.CircuitBreaker {
			return s
		}
		s = after(t, s, 100*time.Millisecond, dire)
	}
	t.Fatal("does not trip")
	return nil
}

// TestTripped: nothing passes, and RetryAfter is when a call like the last
// would close the breaker.
func TestTripped(t *testing.T) {
	c := DefaultConfig()
	c.Tuned = false
	c.BreakMultiplier = 5
	s := tripped(t, c)
	for range 4 {
		s = after(t, s, 100*time.Millisecond, fine)
	}
	v := physics.Judge(s, physics.Query{Voltage: math.Inf(1), Now: s.last})
	checkVerdict(t, s.law, v)
	if v.Allow || v.Reason != physics.Tripped || v.Break != 50 || v.RetryAfter <= 0 || v.RetryAfter == maxRetry {
		t.Fatalf("%+v", v)
	}
	if early := after(t, s, v.RetryAfter-2*time.Millisecond, fine); early.Mode() != physics.CircuitBreaker {
		t.Errorf("closes before RetryAfter %v", v.RetryAfter)
	}
	if late := after(t, s, v.RetryAfter, fine); late.Mode() != physics.Operational {
		t.Errorf("still tripped after %v", v.RetryAfter)
	}
	// Silence alone closes nothing (a fault of the published law).
	if hour := physics.Judge(s, physics.Query{Voltage: 1e6, Now: s.last + 3600*second}); hour.Allow || hour.RetryAfter != 0 {
		t.Errorf("after an hour: %+v", hour)
	}
	trips, recoveries := s.Transitions()
	if trips != 1 || recoveries != 0 {
		t.Errorf("%d trips, %d recoveries", trips, recoveries)
	}
}

func TestSettled(t *testing.T) {
	c := DefaultConfig()
	healthy := mature(t, c)
	scarred := after(t, healthy, time.Second, dire)
	scarred = after(t, scarred, time.Second, fine)
	scarred = after(t, scarred, time.Second, fine)
	busy := after(t, after(t, after(t, healthy, time.Second, pressing), time.Second, pressing), time.Second, pressing)
	open := tripped(t, c)
	for _, x := range []struct {
		name  string
		state *State
		after time.Duration
		want  bool
	}{
		{"never seen", healthy.law.NewState().(*State), 0, true},
		{"healthy", healthy, 0, true},
		{"fresh scar", scarred, 0, false},
		{"scar of 0.11 ohms", scarred, 34 * time.Second, false},
		{"scar of 0.06 ohms", scarred, 42 * time.Second, true},
		{"under pressure", busy, 0, false},
		{"under pressure, silent", busy, 59 * time.Second, false},
		{"under pressure, long silent", busy, time.Minute, true},
		{"tripped", open, 0, false},
		{"tripped, long silent", open, 24 * time.Hour, false},
	} {
		if got := x.state.Settled(x.state.last + int64(x.after)); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

func TestDeparts(t *testing.T) {
	c := DefaultConfig()
	healthy := mature(t, c)
	scarred := after(t, healthy, time.Second, dire)
	with := func(s *State, f func(*State)) *State {
		n := *s
		f(&n)
		return &n
	}
	other := mustNew(t, c)
	for _, x := range []struct {
		name         string
		state, saved *State
		after        time.Duration
		want         bool
	}{
		{"never saved, healthy", healthy, nil, 0, false},
		{"never saved, scarred", scarred, nil, 0, true},
		{"never saved, scar gone", scarred, nil, 2 * time.Minute, false},
		{"same", scarred, scarred, 0, false},
		{"same, later", scarred, scarred, time.Hour, false},
		{"mode", healthy, with(healthy, func(s *State) { s.k.Tripped = true }), 0, true},
		{"new scar", scarred, healthy, 0, true},
		{"lost scar", healthy, scarred, time.Second, true},
		{"scar decayed away at the peer", healthy, scarred, 30 * time.Second, false},
		{"scar off by 0.4", scarred, with(scarred, func(s *State) { s.k.Scar += 0.4 }), 0, false},
		{"scar off by 0.6", scarred, with(scarred, func(s *State) { s.k.Scar += 0.6 }), 0, true},
		{"large scar off by 4 %", with(scarred, func(s *State) { s.k.Scar = 96 }), with(scarred, func(s *State) { s.k.Scar = 100 }), 0, false},
		{"large scar off by 6 %", with(scarred, func(s *State) { s.k.Scar = 94 }), with(scarred, func(s *State) { s.k.Scar = 100 }), 0, true},
		{"mean off by 9 %", healthy, with(healthy, func(s *State) { s.k.Mean *= 1.09 }), 0, false},
		{"mean off by 12 %", healthy, with(healthy, func(s *State) { s.k.Mean *= 1.12 }), 0, true},
		{"another law value", healthy, advance(t, other, other.NewState(), healthySamples(30), always(30)), 0, false},
	} {
		var saved physics.State
		if x.saved != nil {
			saved = x.saved
		}
		if got := x.state.Departs(saved, x.state.last+int64(x.after)); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
	if !healthy.Departs(foreign{}, healthy.last) {
		t.Error("does not depart from another law's state")
	}
	c.Tuned = false
	fixed := mature(t, c)
	if fixed.Departs(with(fixed, func(s *State) { s.k.Mean = 99 }), fixed.last) {
		t.Error("departs by a mean that nobody uses")
	}
}

// foreign is the state of another law.
type foreign struct{ physics.State }

// TestDecayComposes: a scar decayed over dt1 and then over dt2 is the scar
// decayed over dt1+dt2.
func TestDecayComposes(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	c := DefaultConfig()
	base := after(t, mature(t, c), time.Second, dire)
	for range 20000 {
		s, rate := 1000*rng.Float64(), 2*rng.Float64()
		dt1, dt2 := 1e5*rng.Float64(), 1e5*rng.Float64()
		once, twice := Decay(s, rate, dt1+dt2), Decay(Decay(s, rate, dt1), rate, dt2)
		if math.Abs(once-twice) > 1e-12*once+1e-300 {
			t.Fatalf("S = %v, rate %v, dt %v and %v: %v in one go, %v in two", s, rate, dt1, dt2, once, twice)
		}
		if once > s || once < 0 {
			t.Fatalf("S = %v, rate %v, dt %v: %v", s, rate, dt1+dt2, once)
		}
		// Through the law: a calm sample in between makes no difference.
		d1, d2 := time.Duration(rng.Int64N(20e3))*time.Millisecond, time.Duration(rng.Int64N(20e3))*time.Millisecond
		one, two := after(t, base, d1+d2, idle), after(t, after(t, base, d1, idle), d2, idle)
		if math.Abs(one.k.Scar-two.k.Scar) > 1e-13*one.k.Scar {
			t.Fatalf("%v and %v: scar %v in one go, %v in two", d1, d2, one.k.Scar, two.k.Scar)
		}
		if read := base.scarAt(base.last + int64(d1+d2)); math.Abs(read-one.k.Scar) > 1e-14*read {
			t.Fatalf("after %v the scar is read as %v and becomes %v", d1+d2, read, one.k.Scar)
		}
	}
	if d := Decay(7, 0.1, 0); d != 7 {
		t.Errorf("no time: %v", d)
	}
	if d := Decay(8, math.Ln2, 1000); !near(d, 4, 1) {
		t.Errorf("8 ohms at ln 2 per second are %v after a second, want 4", d)
	}
}

// TestSilenceNeverScars: telemetry at or below its baselines, or none, leaves
// no scar and cannot raise one.
func TestSilenceNeverScars(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 13))
		c := randomConfig(rng)
		l := mustNew(t, c)
		s := l.NewState().(*State)
		now := int64(0)
		for range 100 {
			now += rng.Int64N(1e9)
			sample := physics.Sample{
				Time:       now,
				Latency:    l.params.Baselines.LatencyMs * rng.Float64(),
				ErrorRate:  l.params.Baselines.ErrorRate * rng.Float64(),
				Saturation: l.params.Baselines.Saturation * rng.Float64(),
			}
			if rng.IntN(5) == 0 {
				sample = physics.Sample{Time: now, Latency: math.NaN()}
			}
			if Traumatic(Pressure(sample.Latency, sample.ErrorRate, sample.Saturation, l.params.Baselines, c.TanhScale), c.CriticalPressure) {
				t.Fatalf("seed %d: %+v is traumatic", seed, sample)
			}
			s = advance(t, l, s, []physics.Sample{sample}, always(1))
			if s.k.Scar != 0 {
				t.Fatalf("seed %d: a scar of %v from %+v", seed, s.k.Scar, sample)
			}
		}
	}
}

// TestRecoveryTie: a scar of exactly one call's worth is not below it. At the
// instant of the trauma the route stays tripped, a moment later it closes.
func TestRecoveryTie(t *testing.T) {
	c := DefaultConfig()
	c.Tuned, c.BreakMultiplier = false, 1.2
	l := mustNew(t, c)
	calm := physics.Sample{Latency: 100, ErrorRate: 0.01, Saturation: 0.5} // P = 0
	s := after(t, mature(t, c), time.Second, dire)
	for _, x := range []struct {
		gap  time.Duration
		want physics.Mode
	}{{0, physics.CircuitBreaker}, {time.Millisecond, physics.Operational}} {
		if got := after(t, s, x.gap, calm).Mode(); s.k.Scar != 5 || got != x.want {
			t.Errorf("law: scar %v, %v later: %v, want %v", s.k.Scar, x.gap, got, x.want)
		}
		r := s.Route()
		d := l.params.Step(&r, nil, Call{Time: s.last + int64(x.gap), Latency: calm.Latency, ErrorRate: calm.ErrorRate, Saturation: calm.Saturation, Voltage: 1e9})
		if r.Mode != x.want || d.Allow != (x.want == physics.Operational) {
			t.Errorf("step: %v later: %v, want %v", x.gap, r.Mode, x.want)
		}
	}
}

// TestWholeMilliseconds: the law's clock is the original's. Samples within one
// millisecond are at the same time and have no momentum; a nanosecond over its
// end is a millisecond.
func TestWholeMilliseconds(t *testing.T) {
	base := mature(t, DefaultConfig())
	base = after(t, base, time.Millisecond-time.Duration(base.last%1e6), idle)
	within := after(t, base, 999_999*time.Nanosecond, dire)
	if within.k.Momentum != 0 {
		t.Errorf("momentum %v within a millisecond", within.k.Momentum)
	}
	over := after(t, base, time.Millisecond, dire)
	later := after(t, after(t, base, 999_999*time.Nanosecond, idle), 1, dire)
	// Pressures lie in [-1, 1], so over one millisecond momentum is at most
	// the diagonal of a cube of edge 2; over a nanosecond it would be millions.
	diagonal := 2 * math.Sqrt(3)
	for _, m := range []float64{over.k.Momentum, later.k.Momentum} {
		if m <= 0 || m > diagonal {
			t.Errorf("momentum %v over a millisecond, want within (0, %v]", m, diagonal)
		}
	}
	for ns, ms := range map[int64]int64{0: 0, 1: 0, 999_999: 0, 1_000_000: 1, -1: -1, -1_000_000: -1, -1_000_001: -2} {
		if got := floorMs(ns); got != ms {
			t.Errorf("floorMs(%d) = %d, want %d", ns, got, ms)
		}
	}
}

// TestAllowIsDecide: the short answer is the long one's.
func TestAllowIsDecide(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, s := range []*State{mature(t, DefaultConfig()), after(t, mature(t, DefaultConfig()), time.Second, dire)} {
		for range 20 {
			for range 200 {
				now := s.last + rng.Int64N(30e9)
				r := physics.Judge(s, physics.Query{Voltage: 1, Now: now}).Resistance
				for _, v := range []float64{r, math.Nextafter(r, 0), math.Nextafter(r, 1e9), 200 * rng.Float64(), math.NaN(), -1, math.Inf(1)} {
					q := physics.Query{Voltage: v, Now: now}
					if want := physics.Judge(s, q).Allow; s.Allow(q) != want {
						t.Fatalf("Allow(%+v) is %v, Decide says %v (R %v)", q, !want, want, r)
					}
				}
			}
			s = after(t, s, time.Duration(rng.Int64N(3e9)), dire)
		}
	}
}

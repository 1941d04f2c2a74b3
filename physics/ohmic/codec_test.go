package ohmic

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// lived is a state after a random life, and when that was.
func lived(seed uint64, c Config) (*State, int64) {
	rng := rand.New(rand.NewPCG(seed, 59))
	r := newRoute(c)
	v := &visitor{route: r, visit: func(*State, physics.Query) {}}
	h := newHistory(rng)
	h.play(v, 200+rng.IntN(3000))
	return r.state, h.now
}

// read is what another process makes of s at an instant of its own clock.
func read(t testing.TB, s *State, written, at int64) *State {
	t.Helper()
	n := s.law.NewState().(*State)
	if err := n.ParseState(s.AppendState(nil, written), at); err != nil {
		t.Fatal(err)
	}
	return n
}

// What was learned and what failed comes back, whatever the clocks say; what is
// of the moment does not.
func TestStoredState(t *testing.T) {
	for seed := range uint64(100) {
		s, now := lived(seed, randomConfig(rand.New(rand.NewPCG(seed, 61))))
		now += rand.New(rand.NewPCG(seed, 67)).Int64N(5e9)
		prefix := s.AppendState([]byte("prefix"), now)
		stored := prefix[len("prefix"):]
		if !bytes.HasPrefix(prefix, []byte("prefix")) || len(stored) != stateSize {
			t.Fatalf("%d bytes", len(stored))
		}
		skew := int64(seed%3-1) * int64(time.Hour)
		n := read(t, s, now, now+skew)
		if again := n.AppendState(nil, now+skew); !bytes.Equal(again[2:], stored[2:]) {
			t.Fatalf("read  %x\nwrote %x", stored, again)
		}
		if n.supply.limit != s.supply.limit || n.supply.hold != s.supply.limit || n.supply.lnT != s.supply.lnT || n.supply.lnT0 != s.supply.lnT0 ||
			n.supply.known != s.supply.known || n.supply.knownT0 != s.supply.knownT0 || n.probe.stage != s.probe.stage {
			t.Fatalf("learned %+v, %+v\nread %+v, %+v", s.supply, s.probe, n.supply, n.probe)
		}
		for _, later := range []int64{0, 1e8, 3e9} {
			if got, want := n.scar(now+skew+later), s.scar(now+later); got != want {
				t.Fatalf("seed %d: r is %v %v ns later, was %v", seed, got, later, want)
			}
		}
		if (s.mode == physics.CircuitBreaker && s.scar(now) >= 0.5) != (n.mode == physics.CircuitBreaker) {
			t.Fatalf("r is %v, mode was %v, is %v", s.scar(now), s.mode, n.mode)
		}
		for range 20 {
			checkVerdict(t, n, physics.Query{Voltage: 50, Now: now + skew, Inflight: int64(seed), U: float64(seed) / 100})
		}
		// It goes on to work: twenty seconds of success later it is healthy.
		d := steadyOf(n, now+skew, 100, 1, func() bool { return true })
		d.run(20 * time.Second)
		if n := d.run(time.Second); n < 99 {
			t.Fatalf("seed %d: %d of 100 pass: %+v", seed, n, d.state)
		}
	}
}

// broken is a route at which all has failed for a while.
func broken(t testing.TB, rate float64) (*steadily, *bool) {
	t.Helper()
	fails := true
	d := newSteadily(DefaultConfig(), rate, 5, func() bool { return !fails })
	d.run(10 * time.Second)
	if d.state.Mode() != physics.CircuitBreaker {
		t.Fatalf("mode %v, r %v: not tripped", d.state.Mode(), d.state.scar(d.now))
	}
	return d, &fails
}

// A tripped route comes back tripped: the first decisions reject, all but the
// probes. It recovers like any other.
func TestRestartKeepsTheTrip(t *testing.T) {
	d, fails := broken(t, 10_000)
	d.deliver(d.now)
	n := read(t, d.state, d.now, int64(time.Minute))
	if n.Mode() != physics.CircuitBreaker {
		t.Fatalf("mode %v", n.Mode())
	}
	passed := 0
	for i := range 1000 {
		q := physics.Query{Voltage: 100, Now: int64(time.Minute), Inflight: 1, U: float64(i) / 1000}
		r, _ := n.Decide(q)
		if r.Allow {
			passed++
		} else if r.Reason != physics.Tripped {
			t.Fatalf("%+v", r)
		}
		checkVerdict(t, n, q)
	}
	if want := 1000 * (1 - n.scar(int64(time.Minute))); math.Abs(float64(passed)-want) > 2 {
		t.Errorf("%d of 1000 pass at the first decision, want the share that r leaves, %v", passed, want)
	}
	// Nobody asks: what failed is forgotten all the same.
	if v := physics.Judge(n, physics.Query{Voltage: 100, Now: int64(2 * time.Minute), Inflight: 1, U: 0.99}); !v.Allow {
		t.Errorf("a minute later: %+v", v)
	}
	*fails = false
	d.state, d.now, d.waiting, d.wake = n, int64(time.Minute), nil, math.MaxInt64
	d.run(10 * time.Second)
	if got := d.run(time.Second); got < 9900 || d.state.Mode() == physics.CircuitBreaker {
		t.Errorf("%d of 10000 pass after ten seconds of success, mode %v", got, d.state.Mode())
	}
}

// The first completion after a restart does not bring back what has faded since.
func TestRestoredScarFades(t *testing.T) {
	d, _ := broken(t, 10_000)
	for _, age := range []time.Duration{0, time.Second, 3 * time.Second} {
		at := d.now + int64(age)
		n := read(t, d.state, d.now, d.now)
		want := n.scar(at)
		r := routeOf(n)
		r.advance([]physics.Sample{{Time: at, Latency: math.NaN(), Outcome: physics.Ignored}}, at, 0)
		if got := r.state.scar(at); math.Abs(got-want) > 1e-9 {
			t.Errorf("after %v: r is %v before the first completion and %v after it", age, want, got)
		}
	}
}

// What is read from a slow start goes on with it, and no state that is read
// takes what its first calls meet for a dip.
func TestRestoredStateIsInNoDip(t *testing.T) {
	s := must(New(DefaultConfig())).NewState().(*State)
	s.probe.stage, s.probe.step = steady, idle
	s.supply = supply{limit: 40, hold: 40, known: true, lnT: 3, lnT0: 3, knownT0: 100}
	s.refreshed = int64(time.Hour)
	s.seal()
	n := read(t, s, s.refreshed, s.refreshed)
	d := steadyOf(n, s.refreshed, 600, 60, func() bool { return true })
	d.run(800 * time.Millisecond) // in flight nearly at the limit, and so three times slower
	if got := d.state.supply.lnT0; got != 3 {
		t.Errorf("ln T0 was 3 and is %v after the first calls, though no dip was held", got)
	}
}

// Wrong, truncated or foreign bytes are an error.
func TestParseErrors(t *testing.T) {
	s, now := lived(3, DefaultConfig())
	good := s.AppendState(nil, now+5)
	parse := func(b []byte, at int64) error { return s.law.NewState().ParseState(b, at) }
	if err := parse(good, 1e18); err != nil {
		t.Fatal(err)
	}
	for n := range len(good) {
		if parse(good[:n], now) == nil {
			t.Errorf("%d of %d bytes are taken", n, len(good))
		}
	}
	if parse(append(bytes.Clone(good), 0), now) == nil || parse([]byte("classic"), now) == nil || parse(nil, now) == nil {
		t.Error("foreign bytes are taken")
	}
	word := func(i int, v float64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[2+8*i:], math.Float64bits(v)) }
	}
	changes := map[string]func([]byte){
		"version":         func(b []byte) { b[0] = 2 },
		"low flag":        func(b []byte) { b[1] |= 1 },
		"high flag":       func(b []byte) { b[1] |= 32 },
		"limit below":     word(0, 0.9),
		"limit above":     word(0, 1.1e9),
		"ln T below":      word(1, -50.1),
		"ln T above":      word(1, 50.1),
		"ln T0 below":     word(2, -50.1),
		"ln T0 above":     word(2, 50.1),
		"n0 below":        word(3, -1),
		"n0 above":        word(3, 401),
		"A below":         word(4, -1),
		"A above":         word(4, 1.1e12),
		"G below":         word(5, -1),
		"G above":         word(5, 1.1e12),
		"judged below":    word(6, -1),
		"judged above":    word(6, 1.1e12),
		"a negative age":  func(b []byte) { b[stateSize-1] = 0x80 },
		"an age too long": func(b []byte) { b[stateSize-1] = 0x7f },
		"more good than all": func(b []byte) {
			word(4, 5)(b)
			word(5, 5.1)(b)
		},
	}
	for i := range 7 {
		for name, v := range map[string]float64{" NaN": math.NaN(), " Inf": math.Inf(1), " -Inf": math.Inf(-1)} {
			changes["word "+string(rune('0'+i))+name] = word(i, v)
		}
	}
	for name, change := range changes {
		b := bytes.Clone(good)
		change(b)
		if parse(b, now) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, change := range map[string]func([]byte){
		"least limit": word(0, 4), "cold": word(1, -50), "hot": word(2, 50), "all good": func(b []byte) { word(4, 5)(b); word(5, 5)(b) },
	} {
		b := bytes.Clone(good)
		change(b)
		if err := parse(b, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParseState: no bytes panic, and what is taken makes a sound state that is
// written as it was read.
func FuzzParseState(f *testing.F) {
	law := must(New(DefaultConfig()))
	f.Add(law.NewState().AppendState(nil, 0), int64(0))
	for seed := range uint64(10) {
		s, now := lived(seed, DefaultConfig())
		f.Add(s.AppendState(nil, now+int64(seed)*1e9), now)
	}
	f.Add([]byte("classic"), int64(-1))
	f.Fuzz(func(t *testing.T, src []byte, now int64) {
		s := law.NewState().(*State)
		if s.ParseState(src, now) != nil {
			return
		}
		if got := s.AppendState(nil, now); !bytes.Equal(got[2:], src[2:]) || got[1]|flagTripped != src[1]|flagTripped {
			t.Fatalf("read  %x\nwrote %x", src, got)
		}
		for _, at := range []int64{now, s.refreshed, math.MaxInt64, math.MinInt64} {
			for _, n := range []int64{0, 1, 50, 1 << 40} {
				checkVerdict(t, s, physics.Query{Voltage: 20, Now: at, Inflight: n, U: 0.999})
			}
			s.Settled(at)
			s.Departs(s, at)
		}
		r := routeOf(s)
		r.advance([]physics.Sample{{Time: now, Latency: 500, ErrorRate: 1, Outcome: physics.Error}}, now, 3)
		checkSound(t, r.state)
		checkVerdict(t, r.state, physics.Query{Voltage: 20, Now: now, Inflight: 3, U: 0.999})
	})
}

// Departs tells when what a provider holds would mislead.
func TestDeparts(t *testing.T) {
	base := func() *State {
		s := must(New(DefaultConfig())).NewState().(*State)
		s.probe.stage = steady
		s.supply.limit, s.supply.lnT0 = 100, 3
		s.refreshed = int64(time.Hour)
		return s
	}
	now := int64(time.Hour)
	for _, x := range []struct {
		what   string
		change func(*State)
		want   bool
	}{
		{"nothing", func(*State) {}, false},
		{"a limit a little higher", func(s *State) { s.supply.limit = 109 }, false},
		{"a limit a tenth higher", func(s *State) { s.supply.limit = 111 }, true},
		{"a limit a little lower", func(s *State) { s.supply.limit = 91.5 }, false},
		{"a limit a tenth lower", func(s *State) { s.supply.limit = 90 }, true},
		{"a baseline a little higher", func(s *State) { s.supply.lnT0 = 3.09 }, false},
		{"a baseline a tenth higher", func(s *State) { s.supply.lnT0 = 3.11 }, true},
		{"a baseline a tenth lower", func(s *State) { s.supply.lnT0 = 2.89 }, true},
		{"another present latency", func(s *State) { s.supply.lnT = 7 }, false},
		{"a few failures", func(s *State) { s.failures = failures{all: 100, good: 95} }, false},
		{"a small scar", func(s *State) { s.failures = failures{all: 100, good: 38} }, false},
		{"a scar of 0.06", func(s *State) { s.failures = failures{all: 100, good: 37.4} }, true},
		{"a scar", func(s *State) { s.failures = failures{all: 100, good: 35} }, true},
		{"a scar that has faded", func(s *State) {
			s.failures = failures{all: 100, good: 35}
			s.refreshed -= int64(10 * time.Second)
		}, false},
		{"another stage", func(s *State) { s.probe.stage = slowStart }, true},
		{"a step of a dip", func(s *State) { s.probe.step = settling }, false},
		{"a trip", func(s *State) { s.mode = physics.CircuitBreaker }, true},
		{"shedding", func(s *State) { s.mode = physics.Shedding }, false},
	} {
		s := base()
		x.change(s)
		if got := s.Departs(base(), now); got != x.want {
			t.Errorf("%s: %v, want %v", x.what, got, x.want)
		}
		if got := base().Departs(s, now); got != x.want {
			t.Errorf("%s, the other way: %v, want %v", x.what, got, x.want)
		}
	}
	if !base().Departs(nil, now) {
		t.Error("a state of another law does")
	}
}

// A route may be forgotten when it is healthy and was quiet for a while.
func TestSettled(t *testing.T) {
	blank := must(New(DefaultConfig())).NewState().(*State)
	if !blank.Settled(0) || !blank.Settled(int64(time.Hour)) {
		t.Error("nothing is known and yet it may not be forgotten")
	}
	d := newSteadily(DefaultConfig(), 100, 5, func() bool { return true })
	d.run(5 * time.Second)
	s := d.state
	if s.Settled(s.refreshed) || s.Settled(s.refreshed+int64(10*time.Second)) || !s.Settled(s.refreshed+int64(10*time.Second)+1) {
		t.Error("want ten quiet seconds")
	}
	b, _ := broken(t, 10_000)
	b.deliver(b.now)
	at := b.state.refreshed + int64(10*time.Second) + 1
	long := *b.state
	long.failures = failures{all: 1e6}
	if long.scar(at) < 0.01 || long.Settled(at) {
		t.Errorf("r is %v and it may be forgotten", long.scar(at))
	}
}

// Left alone, with the ticks it asks for and no more, every route may be
// forgotten in the end: what cannot be forgotten takes the place of another for
// ever.
func TestAllSettle(t *testing.T) {
	for seed := range uint64(200) {
		s, now := lived(seed, DefaultConfig())
		r := routeOf(s)
		for wake := time.Duration(1); wake > 0; {
			wake = r.advance(nil, now, 0)
			now += int64(wake)
			if now > int64(10*time.Hour) {
				t.Fatalf("seed %d: it asks for ticks for ever", seed)
			}
		}
		later := now + int64(time.Minute)
		if !r.state.Settled(later) {
			t.Errorf("seed %d: not a minute after the last tick, r %v, %+v", seed, r.state.scar(later), r.state.probe)
		}
		n := read(t, r.state, now, now)
		if !n.Settled(later) {
			t.Errorf("seed %d: not when it was read either, r %v, %+v", seed, n.scar(later), n.probe)
		}
	}
}

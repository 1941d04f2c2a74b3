package ohmic

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// checkSound holds what must be true of any state: every number is one, and
// those that are bounded are within their bounds.
func checkSound(t testing.TB, s *State) {
	t.Helper()
	finite(t, s, reflect.ValueOf(*s), "")
	p, c := &s.supply, s.law.cfg
	switch {
	case p.limit < 1, s.probe.stage == steady && p.limit < c.LeastLimit, p.hold > p.limit, p.hold < c.DipDepth*p.limit*(1-1e-12),
		p.knownT0 < 0, p.knownT0 > 400, p.busy < 0, s.rate < 0, s.slow < 0,
		s.failures.good < 0, s.failures.all < s.failures.good*(1-1e-12), s.probe.epoch == 0, s.mode > physics.CircuitBreaker:
		t.Fatalf("%+v", *s)
	}
	total := 0.0
	for i, e := range s.price.entry {
		if total += e.own; !(e.heat > 0 && e.own > 0 && e.own <= 1 && e.above >= 0 && e.above <= 1+1e-9) || i > 0 && e.band <= s.price.entry[i-1].band {
			t.Fatalf("%+v", s.price.entry)
		}
	}
	if len(s.price.entry) > 0 && math.Abs(total-1) > 0.1 {
		t.Fatalf("shares sum to %v: %+v", total, s.price.entry)
	}
}

func finite(t testing.TB, s *State, v reflect.Value, path string) {
	t.Helper()
	switch v.Kind() {
	case reflect.Float64:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			t.Fatalf("%s is %v: %+v", path, x, *s)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			finite(t, s, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	}
}

// strange are latencies and numbers of calls that are within what a sample may
// say, at the ends of it.
var strange = []float64{0, 5e-324, 1e-300, 1e-9, 0.5, 1, 20, 1e3, 1e6, 8.64e7}

// tape reads choices from bytes, zeros when they are used up.
type tape []byte

func (b *tape) next() byte {
	if len(*b) == 0 {
		return 0
	}
	x := (*b)[0]
	*b = (*b)[1:]
	return x
}

// FuzzAdvance: whatever a law may be told, in whatever order, it does not panic,
// no number of the state turns into none, and its answers hold together.
func FuzzAdvance(f *testing.F) {
	rng := rand.New(rand.NewPCG(71, 73))
	for range 10 {
		b := make([]byte, 300)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(uint64(rng.Uint32()), b)
	}
	f.Fuzz(func(t *testing.T, seed uint64, choices []byte) {
		c := randomConfig(rand.New(rand.NewPCG(seed, 79)))
		if len(choices) > 1000 {
			choices = choices[:1000]
		}
		in := tape(choices)
		r := newRoute(c)
		now := int64(seed%2) * int64(time.Hour)
		for len(in) > 0 {
			what := in.next()
			var batch []physics.Sample
			for range what % 8 { // 0: a tick
				x := in.next()
				now += []int64{0, 0, 1, 1e3, 1e6, 5e7, 1e9, 1e12}[x%8]
				s := physics.Sample{Time: now, Latency: strange[int(in.next())%len(strange)], Outcome: physics.Outcome(x >> 3 % 5), Epoch: uint32(in.next() % 16)}
				if x>>6 == 3 {
					s.Latency = math.NaN()
				}
				switch x = in.next(); x % 4 {
				case 0:
					s.Inflight = strange[int(x/4)%len(strange)]
				case 1:
					s.Inflight = float64(x)
				}
				if x > 128 {
					s.ErrorRate = float64(x-128) / 127
				}
				if x%16 == 5 {
					s.Epoch = r.state.Epoch()
				}
				batch = append(batch, s)
			}
			r.advance(batch, now, int64(what))
			checkSound(t, r.state)
			for range what / 16 {
				x := in.next()
				q := physics.Query{Voltage: math.Ldexp(1, int(x%48)-18) * 1.3, Now: now, Inflight: int64(x), U: float64(in.next()) / 256}
				r.state.Note(q, checkVerdict(t, r.state, q), x%3 > 0)
			}
		}
	})
}

// All completions of a cohort may come at one instant, that of its opening: a
// clock may be coarse, and a call quicker than it ticks.
func TestOneInstant(t *testing.T) {
	for n := 1; n <= 40; n++ {
		r := newRoute(DefaultConfig())
		now := int64(time.Hour)
		var batch []physics.Sample
		for range n {
			batch = append(batch, physics.Sample{Time: now, Inflight: 5, Epoch: r.state.Epoch()})
		}
		r.advance(batch, now, 3)
		checkSound(t, r.state)
		for i := range batch {
			r.state.Note(physics.Query{Voltage: 100, Now: now, Inflight: int64(i), U: 0.5}, true, true)
			batch[i].Epoch = r.state.Epoch()
		}
		r.advance(batch[:(n*9+9)/10], now, int64(n/10))
		checkSound(t, r.state)
	}
}

// Only differences of instants matter: a clock may begin at 0, and what is told
// of may have begun before that.
func TestClockFromZero(t *testing.T) {
	r := newRoute(DefaultConfig())
	for now := int64(0); now < int64(5*time.Second); now += int64(20 * time.Millisecond) {
		q := physics.Query{Voltage: 100, Now: now, U: 0.5}
		r.state.Note(q, checkVerdict(t, r.state, q), false)
		var batch []physics.Sample
		for _, ms := range []float64{10, 300, 3000} {
			batch = append(batch, physics.Sample{Time: now, Latency: ms})
		}
		r.advance(batch, now, 0)
		checkSound(t, r.state)
	}
}

// A draw orders requests and thins out those that are counted; it need not have
// all its bits for that.
func TestCoarseDraws(t *testing.T) {
	for _, grain := range []float64{1 << 53, 1 << 32, 1 << 24} {
		d := newSteadily(DefaultConfig(), 50_000, 1, func() bool { return true })
		d.rng, d.grain = rand.New(rand.NewPCG(83, 89)), grain
		d.run(3 * time.Second)
		if got := d.state.rate; got < 45_000 || got > 55_000 {
			t.Errorf("draws of 1/%v: the rate is taken for %v, is 50000", grain, got)
		}
	}
}

// A request that is booked late, by whoever was held up since the cohort before,
// is none of the present cohort: its completion will not be counted there.
func TestLateNoteIsOfItsOwnCohort(t *testing.T) {
	d := newSteadily(DefaultConfig(), 1000, 5, func() bool { return true })
	var last *State // in which a cohort was open
	for range 20_000 {
		d.run(time.Millisecond)
		s := d.state
		if s.probe.step != open {
			continue
		}
		if last == nil || last.probe.own == s.probe.own {
			last = s
			continue
		}
		before := counts(s.demand).admitted[slotOf(s)]
		last.Note(physics.Query{Voltage: 100, Now: d.now, Inflight: 1, U: 0.1}, true, true)
		if got := counts(s.demand).admitted[slotOf(s)]; got != before {
			t.Fatalf("cohort %d counts %d admissions after one of cohort %d was booked, %d before", s.probe.own, got, last.probe.own, before)
		}
		return
	}
	t.Fatal("no second cohort")
}

// slotOf is the counter into which s books the admissions of its cohort.
func slotOf(s *State) int {
	before := counts(s.demand).admitted
	s.Note(physics.Query{Voltage: 100, Inflight: 1, U: 0.999}, true, true)
	for i, n := range counts(s.demand).admitted {
		if n != before[i] {
			s.demand.admitted[i].Store(before[i])
			return i
		}
	}
	return -1
}

// A tick lets time go by as a sample does, and a route that nobody bothers with
// wants none.
func TestWake(t *testing.T) {
	d := newSteadily(DefaultConfig(), 10, 5, func() bool { return true })
	d.run(10 * time.Second)
	d.rate = 1e-9 // nobody asks any more
	d.run(time.Second)
	d.deliver(d.now)
	if d.wake != math.MaxInt64 {
		t.Error("a route that nobody asks for wants ticks")
	}
	b, _ := broken(t, 1000)
	if b.wake == math.MaxInt64 {
		t.Error("a tripped route asks for no ticks")
	}
	b.deliver(b.now + int64(time.Minute))
	if b.wake != math.MaxInt64 || b.state.Mode() == physics.CircuitBreaker {
		t.Errorf("a minute of silence: mode %v, wake %v", b.state.Mode(), b.wake)
	}
}

// Decisions cost no memory, nor does booking them once somebody has bid in that
// range; learning costs the price table, at most once in an interval.
func TestAllocations(t *testing.T) {
	d := newSteadily(DefaultConfig(), 2000, 20, func() bool { return true })
	d.run(5 * time.Second)
	s, now := d.state, d.now
	q := physics.Query{Voltage: 100, Now: now, Inflight: 1000, U: 0.5}
	for what, f := range map[string]func(){
		"Allow":  func() { s.Allow(q) },
		"Decide": func() { s.Decide(q) },
		"Note":   func() { s.Note(q, true, true) },
		"turned": func() { s.Note(q, false, true) },
		"Peek":   func() { physics.Judge(s, physics.Query{Voltage: 100, Now: now, U: physics.Peek}) },
		"others": func() { s.Settled(now); s.Departs(s, now); s.Mode(); s.Limit(); s.Epoch() },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	b := physics.NewBatch()
	states := [2]*State{s, s.law.NewState().(*State)}
	step := int64(0)
	turn := func() {
		b.Reset()
		for range 1000 {
			now += step
			b.Add(&physics.Sample{Time: now, Latency: 20, Inflight: 3, Epoch: 1})
		}
		states[1].Advance(states[0], b)
		states[0], states[1] = states[1], states[0]
	}
	turn()
	if n := testing.AllocsPerRun(50, turn); n != 0 {
		t.Errorf("Advance within one interval: %v allocations", n)
	}
	step = refreshEvery / 100
	if n := testing.AllocsPerRun(50, turn); n > 2*11 {
		t.Errorf("Advance over ten intervals: %v allocations, want a table and its entries each", n)
	}
}

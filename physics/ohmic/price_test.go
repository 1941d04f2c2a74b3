package ohmic

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/quick"

	"github.com/atrion-io/atrion/physics"
)

// A band holds its upper edge and not its lower one, and the edges are those of
// the equation: 2^(i/16-18).
func TestBands(t *testing.T) {
	for b := range bands - 1 {
		low, high := edge(b), edge(b+1)
		if want := math.Exp2(float64(b)/perOctave + lowest); math.Abs(low/want-1) > 2e-6*float64(b%perOctave)+1e-15 {
			t.Fatalf("edge(%d) = %v, want %v", b, low, want)
		}
		for _, v := range []float64{math.Nextafter(low, high), low * 1.02, math.Nextafter(high, 0), high} {
			if got := band(v); got != b {
				t.Fatalf("band(%v) = %d, want %d: (%v, %v]", v, got, b, low, high)
			}
		}
	}
	for v, want := range map[float64]int{1e-300: 0, 5e-324: 0, 1e-9: 0, math.MaxFloat64: bands - 1, math.Inf(1): bands - 1} {
		if got := band(v); got != want {
			t.Errorf("band(%v) = %d, want %d", v, got, want)
		}
	}
}

// market of a table: counts by voltage.
func tabled(counts map[float64]uint32) *table {
	d := new(demand)
	for v, n := range counts {
		d.arrive(band(v), n)
	}
	t, _ := blank.next(d, 1)
	return t
}

func TestPositions(t *testing.T) {
	tab := tabled(map[float64]uint32{100: 20, 50: 50, 20: 30})
	for _, x := range []struct{ v, u, want float64 }{
		{100, 0, 0}, {100, 0.5, 0.1}, {50, 0, 0.2}, {50, 0.5, 0.45}, {20, 0.5, 0.85},
		{200, 0.9, 0},   // above all that was seen
		{70, 0.5, 0.1},  // between: with the next one above
		{1, 0.5, 0.85},  // below all
		{19.9, 0, 0.70}, // the same band as 20
	} {
		if got, _ := tab.position(band(x.v), x.u); math.Abs(got-x.want) > 1e-12 {
			t.Errorf("position(%v V, u %v) = %v, want %v", x.v, x.u, got, x.want)
		}
	}
	if got, _ := blank.position(3, 0.25); got != 0.25 {
		t.Errorf("without knowledge all share one band: position %v, want the draw", got)
	}
}

// What was counted fades, and what has faded away is forgotten.
func TestTableForgets(t *testing.T) {
	tab := tabled(map[float64]uint32{100: 1000})
	d := new(demand)
	d.arrive(band(1), 10)
	tab, n := tab.next(d, 0.01)
	if n != 10 || len(tab.entry) != 2 || tab.entry[0].own != 0.5 || tab.entry[1].above != 0 || tab.entry[0].above != 0.5 {
		t.Errorf("arrived %v, %+v: want half and half", n, tab.entry)
	}
	d.arrive(band(1), 1_000_000)
	if tab, _ = tab.next(d, 1); len(tab.entry) != 1 {
		t.Errorf("%+v: a hundred thousandth of the demand is still listed", tab.entry)
	}
}

// The terms are never negative and sum, in floating point, to exactly the
// greatest of base, load and fail.
func TestTermsAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	price := func() float64 {
		if rng.IntN(4) == 0 {
			return 0
		}
		return edge(1 + rng.IntN(bands))
	}
	for range 3_000_000 {
		base := 0.0
		if rng.IntN(2) == 0 {
			base = short(rng.Float64() * math.Exp2(float64(rng.IntN(40)-10)))
		}
		slow, load, fail := price(), price(), price()
		x := terms(base, slow, load, fail)
		want := max(base, load, fail)
		if base > 0 && want/base > 1<<32 && x.Sum() == math.Nextafter(want, math.Inf(1)) {
			want = x.Sum()
		}
		if x.Sum() != want || x.Base < 0 || x.Pressure < 0 || x.Momentum < 0 || x.Scar < 0 {
			t.Fatalf("terms(%v, %v, %v, %v) = %+v, sum %v, want %v", base, slow, load, fail, x, x.Sum(), want)
		}
	}
}

// somewhere is a state in the middle of things.
func somewhere(rng *rand.Rand) *State {
	law, err := New(DefaultConfig())
	if err != nil {
		panic(err)
	}
	s := law.NewState().(*State)
	s.demand = new(demand)
	counts := map[float64]uint32{}
	for range rng.IntN(12) {
		counts[math.Exp2(rng.Float64()*20-5)] = uint32(1 + rng.IntN(1000))
	}
	s.price = tabled(counts)
	s.rate = rng.Float64() * 5000
	s.slow = s.rate * rng.Float64() * 2
	s.supply.limit = 4 + rng.Float64()*500
	s.supply.hold, s.supply.known, s.supply.lnT = s.supply.limit, true, 3+rng.Float64()*3
	if rng.IntN(3) > 0 {
		s.failures.all = rng.Float64() * 300
		s.failures.good = s.failures.all * rng.Float64() * rng.Float64()
	}
	if rng.IntN(4) == 0 {
		s.mode = physics.CircuitBreaker
	}
	s.seal()
	return s
}

// V > R and the market say the same of every request, and Allow says what
// Decide explains.
func TestDecisionIsThePrice(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	allowed := 0
	const tries = 400_000
	for range tries / 100 {
		s := somewhere(rng)
		for range 100 {
			q := physics.Query{Voltage: math.Exp2(rng.Float64()*24 - 7), Now: rng.Int64N(2e9), Inflight: rng.Int64N(int64(1.5 * s.supply.limit)), U: rng.Float64()}
			if rng.IntN(3) == 0 && len(s.price.entry) > 0 {
				e := s.price.entry[rng.IntN(len(s.price.entry))]
				q.Voltage = edge(e.band + rng.IntN(2)) // an edge itself
			}
			r, x := s.Decide(q)
			if r.Allow != (q.Voltage > x.Sum()) {
				t.Fatalf("%+v: allow %v but R is %v", q, r.Allow, x.Sum())
			}
			if got := s.Allow(q); got != r.Allow {
				t.Fatalf("%+v: Allow %v, Decide %+v with R %v", q, got, r, x.Sum())
			}
			if (r.Reason == physics.Allowed) != r.Allow || (r.RetryAfter > 0) == r.Allow {
				t.Fatalf("%+v: %+v", q, r)
			}
			if r.Allow {
				allowed++
			}
		}
	}
	if allowed < tries/10 || allowed > tries*9/10 {
		t.Errorf("%d of %d allowed: one of the answers was hardly tested", allowed, tries)
	}
}

// A higher bid never fares worse, and less in flight never does.
func TestDecisionIsMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	s := somewhere(rng)
	f := func(a, b uint16, n uint8, u uint16) bool {
		low, high := 1+float64(min(a, b)), 1+float64(max(a, b))
		q := physics.Query{Voltage: low, Inflight: int64(n), U: float64(u) / 65536}
		better := q
		better.Voltage = high
		fewer := q
		fewer.Inflight /= 2
		return (!s.Allow(q) || s.Allow(better)) && (!s.Allow(q) || s.Allow(fewer))
	}
	for range 50 {
		if err := quick.Check(f, nil); err != nil {
			t.Fatal(err)
		}
		s = somewhere(rng)
	}
}

// Nothing passes at (1+h) L, whatever it bids; everything does when nothing is
// in flight and nothing fails.
func TestHardCap(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 1000 {
		s := somewhere(rng)
		s.failures = failures{}
		s.seal()
		cap := int64(math.Ceil(1.2 * s.supply.limit))
		for _, v := range []float64{1e-3, 20, 1e9} {
			if s.Allow(physics.Query{Voltage: v, Inflight: cap, U: 0}) {
				t.Fatalf("%v volts pass with %d in flight, the limit is %v", v, cap, s.supply.limit)
			}
			if !s.Allow(physics.Query{Voltage: v, Inflight: 0, U: rng.Float64()}) {
				t.Fatalf("%v volts do not pass an empty route", v)
			}
		}
	}
	s := somewhere(rng)
	for _, v := range []float64{0, -1, math.NaN(), math.Inf(-1)} {
		if r, _ := s.Decide(physics.Query{Voltage: v}); r.Allow || s.Allow(physics.Query{Voltage: v}) {
			t.Errorf("%v volts pass", v)
		}
	}
}

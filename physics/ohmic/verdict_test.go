package ohmic

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// highest is the highest price there is: the upper edge of the last band.
var highest = edge(bands)

// checkVerdict holds what must be true of the answer of any state to any
// request.
func checkVerdict(t testing.TB, s *State, q physics.Query) (allow bool) {
	t.Helper()
	r, x := s.Decide(q)
	sum := x.Sum()
	for _, term := range []float64{x.Base, x.Pressure, x.Momentum, x.Scar} {
		if !(term >= 0) || math.IsInf(term, 0) {
			t.Fatalf("%+v: terms %+v", q, x)
		}
	}
	if x.Base != s.law.cfg.Floor || sum > max(highest, x.Base)*(1+1e-15) {
		t.Fatalf("%+v: terms %+v sum to %v", q, x, sum)
	}
	if q.Voltage <= highest && (r.Allow != (q.Voltage > sum) || s.Allow(q) != r.Allow) {
		t.Fatalf("%+v: Decide %+v, R %v, Allow %v", q, r, sum, s.Allow(q))
	}
	if r.Allow && s.Allow(q) != r.Allow {
		t.Fatalf("%+v: Decide allows, Allow does not", q)
	}
	if (r.Reason == physics.Allowed) != r.Allow || (r.RetryAfter > 0) == r.Allow || r.RetryAfter < 0 || r.Mode != s.mode {
		t.Fatalf("%+v: %+v", q, r)
	}
	if r.Reason == physics.Tripped && s.mode != physics.CircuitBreaker {
		t.Fatalf("%+v: %+v, mode %v", q, r, s.mode)
	}
	if v := physics.Judge(s, q); v.Resistance != sum || v.Ruling != r || v.Break != 0 {
		t.Fatalf("%+v: judged %+v, decided %+v %+v", q, v, r, x)
	}
	return r.Allow
}

// visitor lives through a history and looks at every state of it.
type visitor struct {
	*route
	visit func(s *State, q physics.Query)
	fast  bool // one question in eight
	n     int
}

func (v *visitor) epoch() uint32 { return v.state.Epoch() }

func (v *visitor) request(q physics.Query, seated bool) bool {
	if v.n++; v.n%8 == 0 || !v.fast {
		v.visit(v.state, q)
	}
	allow := v.state.Allow(q)
	v.state.Note(q, allow, seated)
	return allow
}

func (v *visitor) deliver(s []physics.Sample, now, seats int64) time.Duration {
	return v.advance(s, now, seats)
}

// lives lets visit see the states of that many histories and what they are asked.
func lives(seed uint64, histories int, c func(*rand.Rand) Config, visit func(rng *rand.Rand, s *State, q physics.Query)) {
	for i := range uint64(histories) {
		rng := rand.New(rand.NewPCG(seed, i))
		other := rand.New(rand.NewPCG(seed+1, i))
		v := &visitor{route: newRoute(c(rng)), fast: true}
		v.visit = func(s *State, q physics.Query) { visit(other, s, q) }
		newHistory(rng).play(v, 2000)
	}
}

func defaults(*rand.Rand) Config { return DefaultConfig() }

// Wherever a life leads: the terms add up to R and are not negative, V > R says
// who passes, who bids more or comes when less is in flight fares no worse, and
// with nothing in flight the load asks for nothing.
func TestVerdicts(t *testing.T) {
	allowed, asked := 0, 0
	lives(31, 40, randomConfig, func(rng *rand.Rand, s *State, q physics.Query) {
		for range 4 {
			q.U = rng.Float64()
			if len(s.price.entry) > 0 && rng.IntN(2) == 0 {
				q.Voltage = edge(s.price.entry[rng.IntN(len(s.price.entry))].band + rng.IntN(2)) // an edge itself
			}
			asked++
			if checkVerdict(t, s, q) {
				allowed++
			}
			better := q
			better.Voltage *= 1 + rng.Float64()
			fewer := q
			fewer.Inflight -= rng.Int64N(q.Inflight + 1)
			luckier := q
			luckier.U *= rng.Float64()
			for _, b := range []physics.Query{better, fewer, luckier} {
				if s.Allow(q) && !s.Allow(b) {
					t.Fatalf("%+v passes and %+v does not", q, b)
				}
			}
			empty := q
			empty.Inflight = 0
			if v := physics.Judge(s, empty); s.inflight(empty) == 0 && (v.Terms.Pressure != 0 || v.Terms.Momentum != 0) {
				t.Fatalf("%+v: %+v asked by the load of an empty route", empty, v.Terms)
			}
			full := q
			full.Inflight = int64(math.Ceil((1 + s.law.cfg.Headroom) * s.supply.hold))
			if s.Allow(full) {
				t.Fatalf("%+v passes at the cap, %v held", full, s.supply.hold)
			}
			full.Now = rng.Int64() - rng.Int64()
			checkVerdict(t, s, full)
			for _, v := range []float64{0, -1, math.NaN(), math.Inf(-1)} {
				none := q
				none.Voltage = v
				if checkVerdict(t, s, none) {
					t.Fatalf("%v volts pass", v)
				}
			}
		}
	})
	if allowed < asked/10 || allowed > asked*9/10 {
		t.Errorf("%d of %d allowed: one of the answers was hardly tested", allowed, asked)
	}
}

// Who only peeks is answered as with a draw of one half, and is not booked.
func TestPeek(t *testing.T) {
	lives(37, 5, defaults, func(rng *rand.Rand, s *State, q physics.Query) {
		q.U = physics.Peek
		before := counts(s.demand)
		peeked := physics.Judge(s, q)
		q.U = 0.5
		if drawn := physics.Judge(s, q); peeked != drawn || before != counts(s.demand) {
			t.Fatalf("peeked %+v, drawn %+v", peeked, drawn)
		}
	})
}

// RetryAfter of a scar is when half of the demand passes, if all goes well.
func TestRetryAfterScar(t *testing.T) {
	s := must(New(DefaultConfig())).NewState().(*State)
	s.refreshed = int64(time.Hour)
	s.failures = failures{all: 400, good: 3}
	s.seal()
	q := physics.Query{Voltage: 50, Now: s.refreshed, Inflight: 1, U: 0.9}
	r, _ := s.Decide(q)
	if r.Allow || r.RetryAfter < 100*time.Millisecond {
		t.Fatalf("%+v", r)
	}
	for _, x := range []struct {
		at   int64
		low  float64
		high float64
	}{{s.refreshed + int64(r.RetryAfter), 0.499, 0.501}} {
		if got := s.scar(x.at); got < x.low || got > x.high {
			t.Errorf("r is %v then, want %v to %v", got, x.low, x.high)
		}
	}
}

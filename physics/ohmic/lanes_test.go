package ohmic

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/atrion-io/atrion/physics"
)

// Wrong lanes are refused by name, value and range, and the whole law with them.
func TestLanesConfig(t *testing.T) {
	many := make([]Lane, MaxLanes+1)
	for i := range many {
		many[i] = Lane{Above: math.Exp2(float64(i - 10)), UpTo: math.Exp2(float64(i - 9)), Floor: .01}
	}
	for _, x := range []struct {
		lanes []Lane
		want  string // in the error; "": none
	}{
		{nil, ""},
		{many[:MaxLanes], ""},
		{[]Lane{{UpTo: 1e9, Floor: .9}}, ""},
		{[]Lane{{Above: 50, UpTo: 100, Floor: .5}, {UpTo: 25, Floor: .1}, {Above: 25, UpTo: 50, Floor: .3}}, ""},
		{many, "Lanes has 33, allowed 0 to 32"},
		{[]Lane{{UpTo: 25, Floor: .91}}, "Lanes[0].Floor is 0.91, allowed above 0 to 0.9"},
		{[]Lane{{UpTo: 25, Floor: .1}, {Above: 25, UpTo: 50}}, "Lanes[1].Floor is 0, allowed above 0"},
		{[]Lane{{UpTo: 25, Floor: math.NaN()}}, "Lanes[0].Floor is NaN"},
		{[]Lane{{Above: -1, UpTo: 25, Floor: .1}}, "Lanes[0].Above is -1, allowed 0 to 1e+09"},
		{[]Lane{{Above: math.NaN(), UpTo: 25, Floor: .1}}, "Lanes[0].Above is NaN"},
		{[]Lane{{UpTo: 2e9, Floor: .1}}, "Lanes[0].UpTo is 2e+09, allowed above 0 to 1e+09"},
		{[]Lane{{Floor: .1}}, "Lanes[0].UpTo is 0"},
		{[]Lane{{Above: 50, UpTo: 25, Floor: .1}}, "Lanes[0].UpTo is 25, allowed more than 4.4 % above Above, 50"},
		{[]Lane{{UpTo: 25, Floor: .5}, {Above: 25, UpTo: 50, Floor: .5}}, "floors of Lanes add up to 1, allowed up to 0.9"},
		{[]Lane{{UpTo: 25, Floor: .1}, {Above: 20, UpTo: 50, Floor: .1}}, "Lanes overlap"},
	} {
		c := DefaultConfig()
		c.Lanes = x.lanes
		law, err := New(c)
		switch {
		case x.want == "" && (err != nil || len(law.lanes) != len(x.lanes)):
			t.Errorf("%v: %v", x.lanes, err)
		case x.want != "" && (err == nil || law != nil || !strings.Contains(err.Error(), x.want)):
			t.Errorf("%v: %v, want %q", x.lanes, err, x.want)
		}
	}
}

// crowd is a state in which some bid, under a law with lanes.
func crowd(lanes []Lane, counts map[float64]uint32, rate float64) *State {
	c := DefaultConfig()
	c.Lanes = lanes
	s := must(New(c)).NewState().(*State)
	s.demand, s.price = new(demand), tabled(counts)
	s.price.place(s.law.lanes)
	s.rate, s.slow = rate, rate/2
	s.supply.known, s.supply.lnT, s.supply.limit, s.supply.hold, s.supply.busy = true, 4, 40, 40, 60
	s.seal()
	return s
}

// passing is the rate at which those who bid v pass with n calls in flight.
func passing(s *State, v float64, n int64) float64 {
	passed := 0
	const draws = 4000
	for k := range draws {
		if s.Allow(physics.Query{Voltage: v, Inflight: n, U: (float64(k) + .5) / draws}) {
			passed++
		}
	}
	b := band(v)
	return s.rate * (s.price.beyond(b-1) - s.price.beyond(b)) * float64(passed) / draws
}

// A lane that asks for more than its floor gets that share of the supply, one
// that asks for less gets all it asks for, what it leaves goes by price, and all
// together get the supply.
func TestFloorsDivideTheSupply(t *testing.T) {
	lanes := []Lane{{UpTo: 25, Floor: .1}, {Above: 25, UpTo: 50, Floor: .2}}
	for _, x := range []struct {
		counts map[float64]uint32
		want   map[float64]float64 // of the supply
	}{
		{map[float64]uint32{400: 50, 50: 30, 25: 20}, map[float64]float64{400: .7, 50: .2, 25: .1}},
		{map[float64]uint32{400: 1000, 50: 30, 25: 1}, map[float64]float64{400: 1 - 5*31./1031, 50: 5 * 30. / 1031, 25: 5. / 1031}},
		{map[float64]uint32{400: 10, 50: 45, 25: 45}, map[float64]float64{400: .5, 50: .4, 25: .1}},
		{map[float64]uint32{400: 50, 100: 50}, map[float64]float64{400: 1, 100: 0}},
		{map[float64]uint32{400: 90, 26: 1, 24: 9}, map[float64]float64{400: 1 - 5./100 - .1, 26: 5. / 100, 24: .1}},
		{map[float64]uint32{50: 10, 40: 40, 25: 20, 20: 30}, map[float64]float64{50: .5, 40: .4, 25: .1, 20: 0}},
	} {
		s := crowd(lanes, x.counts, 0)
		supply, _ := s.supply.at(42)
		s.supply.covered = 0 // the slope alone
		s.rate = 5 * supply
		total := 0.0
		for v, want := range x.want {
			got := passing(s, v, 42) / supply
			total += got
			if math.Abs(got-want) > .002 {
				t.Errorf("%v: %v V get %.4f of the supply, want %.4f", x.counts, v, got, want)
			}
		}
		if math.Abs(total-1) > .005 {
			t.Errorf("%v: %.4f of the supply passes", x.counts, total)
		}
	}
}

// A band that is covered passes up to the hard cap, if it is so without what lanes
// below keep, or by its own lane's floor.
func TestFloorsAndCoveredBands(t *testing.T) {
	const n = 47 // of at most 48: next to nothing is left on the slope
	lanes := []Lane{{UpTo: 25, Floor: .1}, {Above: 25, UpTo: 50, Floor: .2}}
	s := crowd(lanes, map[float64]uint32{400: 65, 50: 15, 25: 20}, 0)
	s.rate = s.supply.covered
	for v, want := range map[float64]bool{400: true, 50: true, 25: false} {
		if got := s.Allow(physics.Query{Voltage: v, Inflight: n, U: .9}); got != want {
			t.Errorf("%v V pass: %v, want %v", v, got, want)
		}
	}
	s = crowd(lanes, map[float64]uint32{400: 80, 50: 10, 25: 10}, 0)
	s.rate = 0.99 * s.supply.covered
	for v, want := range map[float64]bool{400: true, 50: true, 25: true} {
		if got := s.Allow(physics.Query{Voltage: v, Inflight: n, U: .9}); got != want {
			t.Errorf("all is covered: %v V pass: %v, want %v", v, got, want)
		}
	}
	s = crowd(lanes, map[float64]uint32{400: 75, 50: 40, 25: 40}, 0)
	s.rate = s.supply.covered * 1.55
	if s.Allow(physics.Query{Voltage: 400, Inflight: n, U: .9}) {
		t.Error("a band passes up to the cap that is covered only with what lanes below keep")
	}
}

// The hard cap is one for all lanes, and without calls in flight everybody passes.
func TestFloorsKeepTheCap(t *testing.T) {
	s := crowd([]Lane{{UpTo: 25, Floor: .5}, {Above: 25, UpTo: 50, Floor: .2}}, map[float64]uint32{400: 50, 25: 50}, 1e6)
	for _, v := range []float64{1, 20, 25, 30, 400, 1000} {
		for _, u := range []float64{0, .5, .999} {
			full, empty := physics.Query{Voltage: v, Inflight: 48, U: u}, physics.Query{Voltage: v, U: u}
			if s.Allow(full) || physics.Judge(s, full).Allow {
				t.Errorf("%v V pass at the hard cap", v)
			}
			if !s.Allow(empty) || !physics.Judge(s, empty).Allow {
				t.Errorf("%v V do not pass an empty callee", v)
			}
		}
	}
}

// The price is that of the request's lane, or of those below it.
func TestLanePrices(t *testing.T) {
	lanes := []Lane{{UpTo: 25, Floor: .1}, {Above: 25, UpTo: 50, Floor: .2}}
	s := crowd(lanes, map[float64]uint32{400: 10, 200: 60, 100: 10, 50: 10, 40: 10, 30: 10, 25: 1, 20: 30, 15: 10}, 0)
	supply, _ := s.supply.at(42)
	s.supply.covered = 0
	s.rate = 1.51 * supply // so 60 of 151 are .6 of the supply
	for v, want := range map[float64]float64{
		400: 100, // .1 and .6 pass, which is all that lanes below leave
		200: 100,
		100: 100,
		90:  100, // nobody bids that
		50:  30,  // .2 for 50 and 40
		40:  30,
		30:  30,
		28:  30,
		25:  20, // .1 for 25 and a part of 20
		20:  20,
		15:  20,
		1:   20,
	} {
		v1 := physics.Judge(s, physics.Query{Voltage: v, Inflight: 42, U: .995})
		if want := edge(band(want) + 1); v1.Resistance != want {
			t.Errorf("R is %v for %v V, want %v", v1.Resistance, v, want)
		}
	}
	// Where all of a lane pass, the price is that of the lanes below.
	s = crowd(lanes, map[float64]uint32{400: 50, 50: 1, 20: 49}, 0)
	s.supply.covered = 0
	s.rate = 1.2 * supply
	for v, want := range map[float64]float64{400: 20, 50: 20, 30: 20, 20: 20} {
		v1 := physics.Judge(s, physics.Query{Voltage: v, Inflight: 42, U: .995})
		if want := edge(band(want) + 1); v1.Resistance != want {
			t.Errorf("R is %v for %v V, want %v", v1.Resistance, v, want)
		}
	}
}

// Every band is in one range, of its lane or between two.
func TestAround(t *testing.T) {
	ls := lanes{{low: 3, high: 5}, {low: 6, high: 6}, {low: 9, high: 20}}
	for b, want := range map[int][2]int{0: {0, 2}, 2: {0, 2}, 3: {3, 5}, 5: {3, 5}, 6: {6, 6}, 7: {7, 8}, 8: {7, 8}, 9: {9, 20}, 20: {9, 20}, 21: {21, bands - 1}, bands - 1: {21, bands - 1}} {
		if low, high := ls.around(b); low != want[0] || high != want[1] {
			t.Errorf("band %d is in %d to %d, want %v", b, low, high, want)
		}
	}
}

// A callee that fails is closed to the lower lanes, floor or not.
func TestFloorsYieldToFailure(t *testing.T) {
	s := crowd([]Lane{{UpTo: 25, Floor: .5}}, map[float64]uint32{400: 50, 25: 50}, 1000)
	q := physics.Query{Voltage: 25, Inflight: 42, U: .1}
	if !s.Allow(q) {
		t.Fatal("the floor does not hold in health")
	}
	s.failures = failures{all: 100, good: 1}
	s.seal()
	if s.Allow(q) {
		t.Error("the floor holds against the memory of failure")
	}
	if q.Voltage, q.U = 400, 0; !s.Allow(q) {
		t.Error("nobody probes")
	}
}

// V > R is true for who passes and false for who does not, and Allow says the
// same as Decide; with any lanes, bids, also those nobody was seen with, and
// loads. In a lane, and at one draw, who bids more passes first.
func TestLanesRuleAsTheyExplain(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	passes, stops := 0, 0
	for range 300 {
		var lanes []Lane
		above := 0.0
		for range rng.IntN(6) {
			from := above * (1 + .3*float64(rng.IntN(2)))
			above = max(from, 1) * (1.1 + 2*rng.Float64())
			lanes = append(lanes, Lane{Above: from, UpTo: above, Floor: .15 * (rng.Float64() + .01)})
		}
		counts := map[float64]uint32{}
		for range rng.IntN(30) {
			counts[math.Exp(rng.Float64()*7-1)] += uint32(1 + rng.IntN(100))
		}
		s := crowd(lanes, counts, math.Exp(rng.Float64()*6+3))
		s.supply.busy = 30 + 100*rng.Float64()
		if rng.IntN(3) == 0 {
			s.failures = failures{all: 100, good: 40 * rng.Float64()}
		}
		s.seal()
		q := physics.Query{Inflight: int64(rng.IntN(50)), U: rng.Float64()}
		passed, lowest := false, -1
		for b := band(.2); b < band(3000); b++ {
			q.Voltage = edge(b + 1)
			v := physics.Judge(s, q)
			if v.Allow != (q.Voltage > v.Resistance) || v.Allow != s.Allow(q) {
				t.Fatalf("%v V against R %v: decided %v, allowed %v; lanes %v, counts %v, %+v", q.Voltage, v.Resistance, v.Allow, s.Allow(q), lanes, counts, q)
			}
			if low, _ := s.price.lanes.around(b); low != lowest {
				passed, lowest = false, low
			}
			if passed && !v.Allow {
				t.Fatalf("%v V do not pass, less does, in the same lane; lanes %v, counts %v, %+v", q.Voltage, lanes, counts, q)
			}
			passed = v.Allow
			if passed {
				passes++
			} else {
				stops++
			}
		}
	}
	if passes < 1000 || stops < 1000 {
		t.Errorf("%d passed, %d did not", passes, stops)
	}
}

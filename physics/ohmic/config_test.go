package ohmic

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// ranges are the least and the greatest value of every field, the others being
// the defaults, and values beyond them.
var ranges = map[string]struct{ low, high, below, above any }{
	"Floor":         {0.0, 1e9, -1e-9, 1.1e9},
	"Headroom":      {0.05, 1.0, 0.04, 1.01},
	"Reserve":       {0.0, 1.0, -0.01, 1.01},
	"BidMemory":     {50 * time.Millisecond, time.Minute, 49 * time.Millisecond, 61 * time.Second},
	"RateMemory":    {10 * time.Millisecond, 5 * time.Second, 9 * time.Millisecond, 11 * time.Second},
	"SlowMemory":    {100 * time.Millisecond, 10 * time.Minute, 99 * time.Millisecond, 601 * time.Second},
	"FailureMemory": {50 * time.Millisecond, time.Minute, 49 * time.Millisecond, 61 * time.Second},
	"Tolerance":     {1.0, 100.0, 0.99, 101.0},
	"FailureCalls":  {10.0, 1e9, 9.9, 1.1e9},
	"Evidence":      {1.0, 1000.0, 0.99, 1001.0},
	"Gamma":         {0.0, 1.0, -0.01, 1.01},
	"PeerCalls":     {0.0, 1e9, -0.01, 1.1e9},
	"WordMost":      {0.0, 0.9, -0.01, 0.91},
	"DipDepth":      {0.1, 0.74, 0.09, 0.96},
	"Knee":          {1.0, 1.66, 0.99, 3.01},
	"Congested":     {1.1, 10.0, 1.09, 10.1},
	"StartLimit":    {4.0, 1e6, 0.99, 1.01e6},
	"LeastLimit":    {1.0, 8.0, 0.99, 8.01},
	"DipEvery":      {100 * time.Millisecond, 10 * time.Second, 99 * time.Millisecond, 11 * time.Second},
	"DipAtMost":     {time.Second, 10 * time.Minute, 999 * time.Millisecond, 601 * time.Second},
}

// with is the default configuration with one other value.
func with(field string, v any) Config {
	c := DefaultConfig()
	reflect.ValueOf(&c).Elem().FieldByName(field).Set(reflect.ValueOf(v))
	return c
}

// Every field is held to its range, ends included, and the error of one outside
// names it, its value and what is allowed.
func TestConfigRanges(t *testing.T) {
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if name == "Lanes" {
			continue // see TestLanesConfig
		}
		r, ok := ranges[name]
		if !ok {
			t.Errorf("nothing tests the range of %s", name)
			continue
		}
		for _, v := range []any{r.low, r.high} {
			if err := with(name, v).Validate(); err != nil {
				t.Errorf("%s %v is refused: %v", name, v, err)
			}
		}
		bad := []any{r.below, r.above}
		if fields.Field(i).Type.Kind() == reflect.Float64 {
			bad = append(bad, math.NaN(), math.Inf(1), math.Inf(-1))
		} else {
			bad = append(bad, time.Duration(math.MinInt64), time.Duration(math.MaxInt64))
		}
		for _, v := range bad {
			law, err := New(with(name, v))
			want := fmt.Sprintf("ohmic: %s is %v, allowed ", name, v)
			if law != nil || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), " to ") {
				t.Errorf("%s %v: law %v, error %v, want %q in it", name, v, law, err, want)
			}
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := (Config{}).Validate(); err == nil || strings.Count(err.Error(), "\n") < 8 {
		t.Errorf("an empty configuration: %v, want all its faults", err)
	}
}

// A dip must go below the knee, or the baseline creeps up with the load.
func TestDipReachesBelowTheKnee(t *testing.T) {
	for _, x := range []struct {
		theta, knee float64
		ok          bool
	}{{0.6, 1.6, true}, {0.5, 2, false}, {0.6, 1.7, false}, {0.95, 1.05, true}, {0.95, 1.1, false}} {
		c := DefaultConfig()
		c.DipDepth, c.Knee = x.theta, x.knee
		err := c.Validate()
		if (err == nil) != x.ok || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("DipDepth*Knee is %v, must be below 1", x.theta*x.knee)) {
			t.Errorf("%v*%v: %v", x.theta, x.knee, err)
		}
	}
}

// The law of a configuration keeps it; what it makes knows nothing yet.
func TestNew(t *testing.T) {
	c := with("StartLimit", 20.0)
	c.Floor = 0.1
	law := must(New(c))
	s := law.NewState().(*State)
	if learned, held := s.Limit(); learned != 20 || held != 20 {
		t.Errorf("limit %v, held %v, want the start", learned, held)
	}
	if law.Name() != "ohmic" || !law.Draws() || s.Break() != 0 || s.Epoch() == 0 || s.Mode().String() != "bootstrap" {
		t.Errorf("%v, draws %v, break %v, epoch %v, mode %v", law.Name(), law.Draws(), s.Break(), s.Epoch(), s.Mode())
	}
	// Prices have 20 bits, and so has the floor: what is a little above the
	// one asked for passes.
	if got := law.cfg.Floor; got > 0.1 || got < 0.1*(1-1e-6) {
		t.Errorf("floor %v", got)
	}
}

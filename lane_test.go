package atrion_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/atrion-io/atrion"
)

// A tier of one's own is bid by its name, changes at once, and may go.
func TestOwnTiers(t *testing.T) {
	e := newEngine(t, atrion.Config{Tiers: map[string]float64{"gold": 300, "!~": 77}})
	r := newRoute(t, e, "r")
	bids := func(name atrion.Lane, options ...atrion.AcquireOption) float64 {
		t.Helper()
		_, d, err := r.AcquireDecision(context.Background(), append([]atrion.AcquireOption{name}, options...)...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return d.Voltage
	}
	for name, want := range map[atrion.Lane]float64{"gold": 300, "!~": 77, "critical": 400, "bulk": 25} {
		if got := bids(name); got != want {
			t.Errorf("%s bids %v, want %v", name, got, want)
		}
		if v, err := e.LaneVoltage(name); v != want || err != nil {
			t.Errorf("LaneVoltage(%q) is %v, %v", name, v, err)
		}
	}
	if got := bids("gold", atrion.Retry(1)); got != 240 {
		t.Errorf("a retry of gold bids %v", got)
	}
	if got := bids("gold", atrion.Voltage(50)); got != 50 {
		t.Errorf("the last option does not win: %v", got)
	}
	unknown := func(name atrion.Lane, known string) {
		t.Helper()
		_, err := r.Acquire(context.Background(), name)
		var field *atrion.FieldError
		if !errors.Is(err, atrion.ErrInvalidTelemetry) || !errors.As(err, &field) || field.Field != "tier" || field.Value != fmt.Sprintf("%q", name) || field.Allowed != known {
			t.Errorf("%q: %v, want the list %s", name, err, known)
		}
		if _, err := e.Decide("r", atrion.Telemetry{}, name); !errors.As(err, &field) {
			t.Errorf("Decide with %q: %v", name, err)
		}
	}
	unknown("silver", "critical, gold, high, normal, !~, low, bulk")
	unknown("", "critical, gold, high, normal, !~, low, bulk")
	if err := e.SetTiers(map[string]float64{"silver": 150}); err != nil {
		t.Fatal(err)
	}
	if got := bids("silver"); got != 150 {
		t.Errorf("silver bids %v", got)
	}
	unknown("gold", "critical, high, silver, normal, low, bulk")
	tiers := e.Tiers()
	if want := map[string]float64{"critical": 400, "high": 200, "silver": 150, "normal": 100, "low": 50, "bulk": 25}; !maps.Equal(tiers, want) {
		t.Errorf("%v, want %v", tiers, want)
	}
	tiers["silver"] = 1 // the caller's copy
	if got := bids("silver"); got != 150 {
		t.Errorf("silver bids %v", got)
	}
}

// A tier that every engine has may bid something else, by its name and by its
// number, and again what it always did.
func TestKnownTierBidsSomethingElse(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	r, err := e.Route("r")
	if err != nil {
		t.Fatal(err)
	}
	bids := func(o atrion.AcquireOption) float64 {
		p, d, err := r.AcquireDecision(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		p.Drop()
		return d.Voltage
	}
	for _, want := range []float64{200, 777, 200} {
		tiers := map[string]float64{}
		if want != 200 {
			tiers["high"] = want
		}
		if err := e.SetTiers(tiers); err != nil {
			t.Fatal(err)
		}
		if n, m := bids(atrion.High), bids(atrion.Lane("high")); n != want || m != want {
			t.Errorf("high bids %v and %v, want %v", n, m, want)
		}
	}
}

// Wrong tiers and floors are refused whole, by field, value and range.
func TestTiersAndFloorsRefused(t *testing.T) {
	many := map[string]float64{}
	for i := range atrion.MaxTiers + 1 {
		many[fmt.Sprint("t", i)] = 1
	}
	e := newEngine(t, atrion.Config{Tiers: map[string]float64{"gold": 300}})
	for _, x := range []struct {
		tiers map[string]float64
		want  string
	}{
		{many, "Tiers is 33 tiers (allowed: 0 to 32)"},
		{map[string]float64{"": 1}, `Tiers is "" (allowed: 1 to 32 visible ASCII`},
		{map[string]float64{"a b": 1}, `Tiers is "a b"`},
		{map[string]float64{"é": 1}, `Tiers is "é"`},
		{map[string]float64{strings.Repeat("x", 33): 1}, "visible ASCII"},
		{map[string]float64{"gold": 0}, `Tiers["gold"] is 0 (allowed: above 0, at most 1e+09, in volts)`},
		{map[string]float64{"gold": math.NaN()}, `Tiers["gold"] is NaN`},
		{map[string]float64{"gold": 2e9}, `Tiers["gold"] is 2e+09`},
	} {
		_, err := atrion.New(atrion.Config{Tiers: x.tiers})
		if !errors.Is(err, atrion.ErrInvalidConfig) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("New: %v, want %q", err, x.want)
		}
		if err := e.SetTiers(x.tiers); err == nil || !strings.Contains(err.Error(), x.want) || e.Tiers()["gold"] != 300 {
			t.Errorf("SetTiers: %v, want %q; tiers %v", err, x.want, e.Tiers())
		}
	}
	for _, x := range []struct {
		cfg  atrion.Config
		want string
	}{
		{atrion.Config{Floors: map[string]float64{"gold": .1}}, `Floors["gold"] is of no tier (allowed: critical, high, normal, low, bulk)`},
		{atrion.Config{Floors: map[string]float64{"low": 0}}, `Floors["low"] is 0 (allowed: above 0`},
		{atrion.Config{Floors: map[string]float64{"low": math.NaN()}}, `Floors["low"] is NaN`},
		{atrion.Config{Floors: map[string]float64{"low": .5, "bulk": .5}}, "0.9 at most all together"},
		{atrion.Config{Floors: map[string]float64{"low": .5}, Law: published()}, "none beside Law"},
		{atrion.Config{Tiers: map[string]float64{"near": 25.1}, Floors: map[string]float64{"near": .1}}, "more than 4.4 %"},
		{atrion.Config{Tiers: map[string]float64{"same": 25}, Floors: map[string]float64{"same": .1, "bulk": .1}}, "overlap"},
		{atrion.Config{Quota: atrion.Quota{Above: 100}}, "Quota.Rate is 0 (allowed: above 0"},
		{atrion.Config{Quota: atrion.Quota{Rate: 1}}, "Quota.Above is 0 (allowed: above 0"},
		{atrion.Config{Quota: atrion.Quota{Above: 1e9, Rate: 1}}, "Quota.Above is 1e+09"},
		{atrion.Config{Quota: atrion.Quota{Above: 1, Rate: 2e6}}, "Quota.Rate is 2e+06"},
		{atrion.Config{Quota: atrion.Quota{Above: 1, Rate: 1, Burst: -1}}, "Quota.Burst is -1 (allowed: 1 to 1000000)"},
		{atrion.Config{Quota: atrion.Quota{Above: 1, Rate: 1, Identities: 1 << 25}}, "Quota.Identities is 33554432"},
	} {
		if _, err := atrion.New(x.cfg); !errors.Is(err, atrion.ErrInvalidConfig) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v, want %q", err, x.want)
		}
		if err := x.cfg.Validate(); !errors.Is(err, atrion.ErrInvalidConfig) {
			t.Errorf("Validate: %v", err)
		}
	}
}

// Tiers may be replaced while requests name them.
func TestTiersReplacedMeanwhile(t *testing.T) {
	e := newEngine(t, atrion.Config{Tiers: map[string]float64{"gold": 300}})
	r := newRoute(t, e, "r")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				p, d, err := r.AcquireDecision(context.Background(), atrion.Lane("gold"))
				if err != nil || d.Voltage != 300 && d.Voltage != 500 {
					t.Errorf("%v, %v", d.Voltage, err)
				}
				p.Drop()
			}
		})
	}
	for i := range 500 {
		if err := e.SetTiers(map[string]float64{"gold": 300 + 200*float64(i%2)}); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

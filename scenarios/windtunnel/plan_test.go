package windtunnel

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// small are cases that take little time.
func small(t *testing.T) []scenarios.Scenario {
	t.Helper()
	cases, err := ParseScenarios("coldsmall4x,low1rps")
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// TestSameBytes: what is written does not depend on how many runs happen at a
// time, nor on whether traces are kept.
func TestSameBytes(t *testing.T) {
	play := func(parallel int, trace bool) map[string]string {
		return written(t, mustPlay(t, &Plan{
			Scenarios: small(t), Arms: entries(t, "none", "breaker", "classic", UnderTest, "codel"),
			Seeds: []Range{{1, 2}, {101, 101}}, Parallel: parallel, Trace: trace,
		}))
	}
	first := play(1, true)
	for what, got := range map[string]map[string]string{"again": play(1, true), "two at a time": play(2, true)} {
		for format := range first {
			if got[format] != first[format] {
				t.Errorf("%s: other %s", what, format)
			}
		}
	}
	if got := play(2, false); got["json"] != first["json"] {
		t.Error("a trace changes what is traced")
	}
}

// TestLines: a line is a result as the simulator returns it, and the lines come
// by scenario, arm and seed.
func TestLines(t *testing.T) {
	cases := small(t)
	arms := entries(t, "static", "none")
	s := mustPlay(t, &Plan{Scenarios: cases, Arms: arms, Seeds: []Range{{2, 3}}, Parallel: 2})
	var want strings.Builder
	for _, sc := range cases {
		c := sc.(scenarios.Looped).Case()
		for _, a := range arms {
			for seed := uint64(2); seed <= 3; seed++ {
				r, err := sim.Run(&c.Scenario, a.Name, a.Factory, seed, sim.Options{})
				if err != nil {
					t.Fatal(err)
				}
				line, _ := json.Marshal(r)
				want.Write(append(line, '\n'))
			}
		}
	}
	if got := written(t, s)["json"]; got != want.String() {
		t.Errorf("got\n%swant\n%s", got, want.String())
	}
}

func TestVoltagesAndMeasuresReachTheirPlaces(t *testing.T) {
	var got atomic.Value
	p := &Plan{
		Scenarios: []scenarios.Scenario{spy(func(o sim.Options) { got.Store(o.Voltages) })},
		Arms:      entries(t, "none"), Seeds: []Range{{1, 1}}, Voltages: sim.Decades,
	}
	mustPlay(t, p)
	if got.Load() != sim.Decades {
		t.Errorf("played with %v", got.Load())
	}
	if c := p.Command(); !strings.Contains(c, "--voltages decades") || !strings.Contains(c, "--scenario spy") {
		t.Errorf("command %q", c)
	}

	s := mustPlay(t, &Plan{
		Scenarios: []scenarios.Scenario{&tale{name: "shop", goodput: map[string][]float64{"none": {.5}}, measures: true}},
		Arms:      entries(t, "none"), Seeds: []Range{{1, 1}},
	})
	out := written(t, s)
	if !strings.HasSuffix(out["json"], `"measures":[{"name":"revenue","value":0.5,"unit":"1"},{"name":"gap","value":null,"unit":"s"}]}`+"\n") {
		t.Errorf("JSON %s", out["json"])
	}
	for _, format := range []string{"table", "html"} {
		if !strings.Contains(out[format], "revenue") || !strings.Contains(out[format], "gap s") {
			t.Errorf("%s without the measures", format)
		}
	}
}

type spy func(sim.Options)

func (spy) Name() string                                    { return "spy" }
func (spy) About() string                                   { return "" }
func (spy) Verdict([]scenarios.Outcome) []scenarios.Failure { return nil }
func (f spy) Run(a scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, error) {
	f(o)
	return scenarios.Outcome{Result: scenarios.Unknown("spy", a.Name, seed)}, nil
}

// TestUnknownNumbers: what is not known is null in JSON and a dash elsewhere,
// and no mean is taken of it.
func TestUnknownNumbers(t *testing.T) {
	nan := math.NaN()
	s := mustPlay(t, &Plan{
		Scenarios: []scenarios.Scenario{taleCase{&tale{name: "shop", goodput: map[string][]float64{
			"none": {nan, nan}, UnderTest: {nan, .75},
		}}}},
		Arms: entries(t, "none", UnderTest), Seeds: []Range{{1, 2}},
	})
	if x := s.cells[0][1].mean(goodput); x != .75 {
		t.Errorf("mean %v of NaN and .75", x)
	}
	for format, text := range written(t, s) {
		if strings.Contains(text, "NaN") {
			t.Errorf("%s has a NaN:\n%s", format, text)
		}
		if unknown := map[string]string{"json": `"goodput":null`}[format]; !strings.Contains(text, unknown) || format != "json" && !strings.Contains(text, absent) {
			t.Errorf("%s does not say what is unknown:\n%s", format, text)
		}
	}
}

func TestErrorOfARun(t *testing.T) {
	p := &Plan{
		Scenarios: []scenarios.Scenario{&tale{name: "shop", goodput: map[string][]float64{"none": {.5}}}},
		Arms:      entries(t, "none", "static"), Seeds: []Range{{1, 1}}, Parallel: 2,
	}
	s, err := p.Play(t.Context())
	if s != nil || !errors.Is(err, errTale) || !strings.Contains(err.Error(), "shop with static, seed 1") {
		t.Errorf("%v, %v", s, err)
	}
}

// TestInterrupt: what was played until then is there, and is said to be
// partial; nothing is judged by half of its seeds.
func TestInterrupt(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	runs := 0
	p := &Plan{
		Scenarios: []scenarios.Scenario{&tale{name: "shop", floor: .9, goodput: map[string][]float64{
			"none": {.1, .1, .1}, UnderTest: {.2, .2, .2},
		}, played: func() {
			if runs++; runs == 4 {
				stop()
			}
		}}},
		Arms: entries(t, "none", UnderTest), Seeds: []Range{{1, 3}}, Parallel: 1,
	}
	s, err := p.Play(ctx)
	if !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "4 of 6 runs") || !s.Partial {
		t.Fatalf("%v, %+v", err, s)
	}
	out := written(t, s)
	if n := strings.Count(out["json"], "\n"); n != 4 {
		t.Errorf("%d lines, want 4", n)
	}
	for _, format := range []string{"table", "html", "markdown"} {
		if !strings.Contains(strings.ToLower(out[format]), "partial") {
			t.Errorf("%s does not say that it is partial", format)
		}
	}
	if v := s.verdict(0, 0); !v.judged || v.pass() {
		t.Errorf("none, all of whose seeds were played: %+v", v)
	}
	if v := s.verdict(0, 1); v.judged {
		t.Errorf("%s, with one of three seeds: %+v", UnderTest, v)
	}
	if failed, _ := s.Failed(UnderTest); len(failed) != 0 {
		t.Errorf("failed %v", failed)
	}
}

func TestProgressEndsAtOne(t *testing.T) {
	var last float64
	calls := 0
	mustPlay(t, &Plan{
		Scenarios: append(small(t), &tale{name: "shop", goodput: map[string][]float64{"none": {.5}}}),
		Arms:      entries(t, "none"), Seeds: []Range{{1, 1}},
		Progress: func(done float64) {
			if calls++; done <= last {
				t.Errorf("%v after %v", done, last)
			}
			last = done
		},
	})
	if calls != 3 || math.Abs(last-1) > 1e-9 {
		t.Errorf("%d calls, the last with %v", calls, last)
	}
}

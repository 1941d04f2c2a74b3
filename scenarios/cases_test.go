package scenarios

import (
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios/control"
)

// play runs a scenario with a controller for the seeds 1 to n.
func play(t testing.TB, s *sim.Scenario, arm string, n int) []sim.Result {
	t.Helper()
	c, ok := control.Lookup(arm)
	if !ok {
		t.Fatalf("no controller %q", arm)
	}
	var all []sim.Result
	for seed := 1; seed <= n; seed++ {
		r, err := sim.Run(s, c.Name, c.New, uint64(seed), sim.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// doNothing plays one seed of a scenario with the controller none, which two
// tests want, only once.
func doNothing(t testing.TB, s *sim.Scenario) sim.Result {
	t.Helper()
	type key struct {
		name     string
		duration float64
	}
	once, _ := idle.LoadOrStore(key{s.Name, s.Duration}, sync.OnceValue(func() sim.Result {
		return play(t, s, "none", 1)[0]
	}))
	return once.(func() sim.Result)()
}

var idle sync.Map

func TestCasesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		if seen[c.Name] || c.Name == "" || c.Story == "" {
			t.Errorf("%q: twice, or without a story", c.Name)
		}
		seen[c.Name] = true
		if got, ok := Lookup(c.Name); !ok || got.Duration != c.Duration {
			t.Errorf("Lookup(%q) finds another one", c.Name)
		}
		if c.Floors.Goodput == 0 || len(c.Healthy) == 0 {
			t.Errorf("%s promises nothing, or is never healthy", c.Name)
		}
		if p := c.Plain(); c.Probe > 0 && (p.Duration != c.Probe || c.Duration <= c.Probe) {
			t.Errorf("%s: probe at %v of %v", c.Name, c.Probe, c.Duration)
		}
	}
	if len(seen) != 28 {
		t.Errorf("%d cases, want 28", len(seen))
	}
	if _, ok := Lookup("nothing"); ok {
		t.Error("Lookup finds a case that is not there")
	}
}

// TestDoingNothingFailsEveryCase: a verdict that doing nothing passes is none.
func TestDoingNothingFailsEveryCase(t *testing.T) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			failures := c.Verdict([]sim.Result{doNothing(t, &c.Scenario)})
			if len(failures) == 0 {
				t.Error("doing nothing keeps every promise")
			}
			for _, f := range failures {
				t.Log(f)
			}
		})
	}
}

// TestVerdictsCanBePassed: a limit that knows the capacity and reserves a part
// of it for each higher class keeps the promises of cases of all kinds.
func TestVerdictsCanBePassed(t *testing.T) {
	for _, name := range []string{"steady70", "step5x", "coldsmall4x", "capdrop", "errburst50", "hang", "pscapdrop", "lowvar5x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := Lookup(name)
			var results []sim.Result
			for seed := range uint64(2) {
				r, err := sim.Run(&c.Scenario, "reserve", newReserve, seed+1, sim.Options{})
				if err != nil {
					t.Fatal(err)
				}
				results = append(results, r)
			}
			for _, f := range c.Verdict(results) {
				t.Error(f)
			}
		})
	}
}

type reserve struct{ inflight, capacity float64 }

func newReserve(env *sim.Env) sim.Controller { return &reserve{capacity: env.Cap} }

func (r *reserve) Admit(a sim.Attempt) (sim.Ticket, bool) {
	if r.inflight >= r.capacity*[sim.Classes]float64{1.6, 1.2, 1}[a.Class] {
		return 0, false
	}
	r.inflight++
	return 0, true
}

func (r *reserve) Done(sim.Ticket, float64, sim.Kind) { r.inflight-- }

func TestVerdict(t *testing.T) {
	c := Case{Floors: Floors{Goodput: .9, Worst: .8, VIP: .95, FalseShed: .01, Recover: 2, Lockout: 1, Failing: .3}}
	c.Name, c.Fault = "case", sim.Interval{From: 1, To: 2}
	good := sim.Result{Goodput: .95, VIP: .97, FalseShed: .005, Recover: 1, Lockout: .5, FailingAdmits: .1}
	if f := c.Verdict([]sim.Result{good, good}); len(f) != 0 {
		t.Errorf("good results fail: %v", f)
	}
	if f := c.Verdict(nil); len(f) == 0 {
		t.Error("no results pass")
	}
	nan := sim.Number(math.NaN())
	for promise, change := range map[string]func(r *sim.Result){
		"mean goodput":           func(r *sim.Result) { r.Goodput = .84 },
		"goodput of the worst":   func(r *sim.Result) { r.Goodput = .79 },
		"VIP success":            func(r *sim.Result) { r.VIP = .9 },
		"VIP success >=":         func(r *sim.Result) { r.VIP = nan },
		"false shed":             func(r *sim.Result) { r.FalseShed = .1 },
		"recovery":               func(r *sim.Result) { r.Recover = 9 },
		"lock-out":               func(r *sim.Result) { r.Lockout = 1.5 },
		"failing admits":         func(r *sim.Result) { r.FailingAdmits = .9 },
		"goodput of the worst s": func(r *sim.Result) { r.Goodput = nan },
	} {
		bad := good
		change(&bad)
		found := false
		for _, f := range c.Verdict([]sim.Result{good, bad}) {
			found = found || strings.Contains(f.String(), promise) && strings.HasPrefix(f.String(), "case: ")
		}
		if !found {
			t.Errorf("%s: not noticed", promise)
		}
	}
}

// TestControllersReplay: whoever stands at the gateway, the same seed gives the
// same bytes.
func TestControllersReplay(t *testing.T) {
	c, _ := Lookup("spike8x5s")
	c.Duration, c.Healthy = 30, nil
	for _, arm := range control.All() {
		t.Run(arm.Name, func(t *testing.T) {
			t.Parallel()
			first, _ := json.Marshal(play(t, &c.Scenario, arm.Name, 2))
			second, _ := json.Marshal(play(t, &c.Scenario, arm.Name, 2))
			if string(first) != string(second) {
				t.Errorf("first\n%s\nthen\n%s", first, second)
			}
		})
	}
}

package stories

import (
	"encoding/json"
	"math"
	"sync"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// seeds returns how many seeds a story is judged by. Where a run takes
// milliseconds there are more, because rare things happen there, too.
func seeds(name string) uint64 {
	switch {
	case testing.Short():
		return 1
	case name == "llm-router":
		return 12
	}
	return 5
}

// played keeps what was played, by story, arm and seed: several tests look at it.
var played sync.Map

func play(t testing.TB, s scenarios.Scenario, name string, seed uint64) scenarios.Outcome {
	t.Helper()
	type key struct {
		story, arm string
		seed       uint64
	}
	once, _ := played.LoadOrStore(key{s.Name(), name, seed}, sync.OnceValues(func() (scenarios.Outcome, error) {
		return s.Run(arm(t, name), seed, sim.Options{})
	}))
	out, err := once.(func() (scenarios.Outcome, error))()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestProductKeepsItsPromises, but for the misses that are listed, each of which
// it must still miss.
func TestProductKeepsItsPromises(t *testing.T) {
	for _, sc := range All() {
		t.Run(sc.Name(), func(t *testing.T) {
			t.Parallel()
			var outcomes []scenarios.Outcome
			for seed := range seeds(sc.Name()) {
				outcomes = append(outcomes, play(t, sc, "ohmic", seed+1))
			}
			s := sc.(*story)
			for _, p := range s.promises {
				got := p.got(outcomes)
				miss, known := missOf(s.name, p.measure)
				switch {
				case p.kept(got):
					t.Logf("kept: %v, got %.4g", p, got)
					if known && !testing.Short() {
						t.Errorf("kept, but listed as a miss: %v, got %.4g", p, got)
					}
				case !known:
					t.Errorf("not kept: %v, got %.4g", p, got)
				default:
					t.Logf("known miss: %v, got %.4g", p, got)
					if math.Abs(got-miss.Got) > .5*miss.Got && !testing.Short() {
						t.Errorf("missed by another number than listed: %v, got %.4g, listed %.4g", p, got, miss.Got)
					}
				}
			}
		})
	}
}

func missOf(story, measure string) (Miss, bool) {
	for _, m := range Misses() {
		if m.Story == story && m.Measure == measure {
			return m, true
		}
	}
	return Miss{}, false
}

func TestMissesAreOfPromises(t *testing.T) {
	for _, m := range Misses() {
		sc, ok := Find(m.Story)
		if !ok || m.Cause == "" {
			t.Errorf("%+v: no such story, or no cause", m)
			continue
		}
		found := false
		for _, p := range sc.(*story).promises {
			found = found || p.measure == m.Measure
		}
		if !found {
			t.Errorf("%s: nothing is promised of %s", m.Story, m.Measure)
		}
	}
}

// TestDoingNothingFails: a verdict that doing nothing passes is none.
func TestDoingNothingFails(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name(), func(t *testing.T) {
			t.Parallel()
			failures := s.Verdict([]scenarios.Outcome{play(t, s, "none", 1)})
			if len(failures) == 0 {
				t.Error("doing nothing keeps every promise")
			}
			for _, f := range failures {
				t.Log(f)
			}
		})
	}
}

// TestOtherArmsPlay: the standard breaker and the static limit live through every
// story, and the breaker keeps the promises of none.
func TestOtherArmsPlay(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name(), func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"breaker", "static"} {
				failures := s.Verdict([]scenarios.Outcome{play(t, s, name, 1)})
				t.Logf("%s: %d promises not kept: %v", name, len(failures), failures)
				if name == "breaker" && len(failures) == 0 {
					t.Error("the standard breaker keeps every promise")
				}
			}
		})
	}
}

// TestStoriesReplay: the same seed, the same bytes, in a test that runs beside
// others.
func TestStoriesReplay(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name(), func(t *testing.T) {
			t.Parallel()
			again, err := s.Run(arm(t, "ohmic"), 1, sim.Options{})
			if err != nil {
				t.Fatal(err)
			}
			first, err := json.Marshal(play(t, s, "ohmic", 1))
			if err != nil {
				t.Fatal(err)
			}
			second, err := json.Marshal(again)
			if err != nil {
				t.Fatal(err)
			}
			if string(first) != string(second) {
				t.Errorf("first\n%s\nthen\n%s", first, second)
			}
		})
	}
}

// TestStoriesAreComplete: fifteen stories, each with a name of its own, a line
// about it, and measures for all that it promises.
func TestStoriesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, sc := range All() {
		s := sc.(*story)
		if seen[s.name] || s.name == "" || s.about == "" || len(s.promises) == 0 || len(s.promises) != len(s.Promises()) {
			t.Errorf("%q: twice, or without a line or promises", s.name)
		}
		seen[s.name] = true
		if _, ok := sc.(Frank); !ok {
			t.Errorf("%s does not say what it promises", s.name)
		}
		out := play(t, sc, "ohmic", 1)
		if out.Scenario != s.name || out.Controller != "ohmic" || out.Seed != 1 {
			t.Errorf("%s: outcome of %q by %q, seed %d", s.name, out.Scenario, out.Controller, out.Seed)
		}
		names := map[string]bool{}
		for _, m := range out.Measures {
			if names[m.Name] {
				t.Errorf("%s: measure %s twice", s.name, m.Name)
			}
			names[m.Name] = true
		}
		for _, p := range s.promises {
			if !names[p.measure] {
				t.Errorf("%s: nothing measures %s", s.name, p.measure)
			}
		}
		if f := s.Verdict(nil); len(f) == 0 {
			t.Errorf("%s: nothing keeps every promise", s.name)
		}
	}
	if len(seen) != 15 {
		t.Errorf("%d stories, want 15", len(seen))
	}
	if _, ok := Find("nothing"); ok {
		t.Error("Find finds a story that is not there")
	}
}

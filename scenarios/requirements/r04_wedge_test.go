package requirements

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// R4: nothing wedges. Whatever a route went through, and however many of its
// callers never said how their call ended, once the dependency is well the
// route is open within the permits' time to live and a few seconds more.
//
// The law has no half-open state: probes are ordinary permits, which are taken
// back between one and two times PermitTTL. What takes longest is a limit that
// the history left at its floor: with a dip a second it needs some ten seconds to
// climb to what is asked. The histories are a sample of 300; each loses permits,
// fails, hangs, slows down and is overloaded at random for half a minute.
const (
	historyEnd = 30.0
	permitTTL  = 2 * time.Second
	wedgeBound = 16.0 // s: twice the time to live, and 12 s to drain, forget and climb
	wedgeShare = .95
)

// history is a random half minute, followed by health.
func history(rng *rand.Rand) sim.Scenario {
	var load, errors, alive, slow []sim.Point
	var hang []sim.Interval
	for t := 0.0; t < historyEnd; {
		load = append(load, at(t, []float64{.1, .3, .6, 1.5, 4}[rng.IntN(5)]))
		errors = append(errors, at(t, []float64{0, 0, .01, .5, .9, 1}[rng.IntN(6)]))
		alive = append(alive, at(t, []float64{1, 1, .5, .1, 0}[rng.IntN(5)]))
		slow = append(slow, at(t, []float64{1, 1, 2, 10}[rng.IntN(4)]))
		next := min(historyEnd, t+.5+6*rng.Float64())
		if rng.IntN(5) == 0 {
			hang = append(hang, sim.Interval{From: t, To: next})
		}
		t = next
	}
	servers := 1 << rng.IntN(5)
	return sim.Scenario{
		Name: "history", Duration: historyEnd + wedgeBound + 10,
		Clients: sim.Clients{
			Load:     sim.Steps(append(load, at(historyEnd, .3))...),
			Attempts: 1 + rng.IntN(3),
		},
		Backend: sim.Backend{
			Servers: servers,
			Service: sim.Exponential(20 + 80*rng.Float64()),
			// A bound on the queue, so that the dependency is well when its
			// faults end and not when it has worked off who is long gone.
			Bound:    2 * servers,
			Errors:   sim.Steps(append(errors, at(historyEnd, 0))...),
			Alive:    sim.Steps(append(alive, at(historyEnd, 1))...),
			Slowness: sim.Steps(append(slow, at(historyEnd, 1))...),
			Hang:     hang,
		},
	}
}

// open plays a history and returns the share admitted after the bound.
func open(t testing.TB, seed uint64, s setup) float64 {
	rng := rand.New(rand.NewPCG(seed, 4))
	scenario, lost := history(rng), .2*rng.Float64()
	var g *gate
	s.began = func(began *gate) { g = began }
	s.loses = func() bool { return seconds(g.env) < historyEnd && rng.Float64() < lost }
	_, l := play(t, scenario, product(s), seed)
	return l.between(int(historyEnd+wedgeBound), len(l.seconds)).share()
}

func TestR04NothingWedges(t *testing.T) {
	histories := uint64(300)
	if testing.Short() {
		histories = 30
	}
	const parts = 4
	worst := make([]float64, parts)
	t.Run("histories", func(t *testing.T) {
		for part := range uint64(parts) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				worst[part] = 1
				for seed := part; seed < histories; seed += parts {
					share := open(t, seed, setup{engine: func(c *atrion.Config) { c.PermitTTL = permitTTL }})
					worst[part] = min(worst[part], share)
					if share < wedgeShare {
						t.Errorf("history %d: %.3f admitted from %v s after its end, want %v", seed, share, wedgeBound, wedgeShare)
					}
				}
			})
		}
	})
	t.Logf("%d histories, the worst admits %.3f from %v s on", histories, min(worst[0], worst[1], worst[2], worst[3]), wedgeBound)
}

// The control arms: permits that live for a day wedge the route, and so does a
// memory of failure of a minute.
func TestR04ControlsWedge(t *testing.T) {
	for name, s := range map[string]setup{
		"permits for a day": {engine: func(c *atrion.Config) { c.PermitTTL = 24 * time.Hour }},
		"long memory":       {law: func(c *ohmic.Config) { c.FailureMemory, c.FailureCalls = time.Minute, 1e6 }, engine: func(c *atrion.Config) { c.PermitTTL = permitTTL }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var wedged atomic.Int32
			for seed := range uint64(20) {
				if open(t, seed, s) < wedgeShare {
					wedged.Add(1)
				}
			}
			t.Logf("%d of 20 histories wedge", wedged.Load())
			if wedged.Load() == 0 {
				t.Error("the control arm wedges in no history: the test shows nothing")
			}
		})
	}
}

package requirements

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
)

// R11: slow counts, though nothing fails. If the median latency is five times
// the usual one for 10 s, shedding begins within 5 s. If calls pile up that
// never end, R rises within 2 s.
//
// The law sheds load, and not latency: what slows down must also be short of
// room. Slow servers are, and so is a route that never was in overload: its
// limit is at most 10/3 of its usual calls in flight, and comes down at the
// first congestion. Known misses are those who have room: a route of few
// requests, whose limit of 8 leaves room for 9 calls that hang, and one that was
// in overload before and uses a fraction of the limit learned then; there the
// law takes the new latency for the unloaded one.
const (
	slowFrom = 60
	slowTo   = slowFrom + 10
)

// reaction is what follows when a dependency slows down or hangs, in seconds.
type reaction struct {
	shed float64 // until a request is rejected
	rise float64 // until R is above R_base, for an ordinary request
}

func react(t testing.TB, s sim.Scenario, seed uint64) (r reaction) {
	s.Name, s.Duration = "slow", slowTo
	s.Clients.Attempts, s.Clients.Timeout = 1, 60_000
	r = reaction{math.Inf(1), math.Inf(1)}
	shed := uint64(0)
	play(t, s, product(setup{began: func(g *gate) {
		every(g.env, 20*time.Millisecond, func() {
			x, now := g.explain(100), seconds(g.env)-slowFrom
			if now > 0 && x.Shed > shed {
				r.shed = min(r.shed, now)
			}
			if now > 0 && x.Decision.Resistance > x.Decision.Terms.Base {
				r.rise = min(r.rise, now)
			}
			shed = x.Shed
		})
	}}), seed)
	return r
}

// slowed is a dependency that takes five times as long, on the servers it has or
// on as many as it takes.
func slowed(rate float64, servers int) sim.Scenario {
	b := sim.Backend{Servers: servers, Service: sim.Exponential(50), Slowness: sim.Steps(at(0, 1), at(slowFrom, 5))}
	return sim.Scenario{Clients: sim.Clients{Load: sim.Const(rate / b.Capacity())}, Backend: b}
}

func hung(rate float64) sim.Scenario {
	b := sim.Backend{Servers: 1000, Service: sim.Exponential(50), Hang: []sim.Interval{{From: slowFrom, To: slowTo}}}
	return sim.Scenario{Clients: sim.Clients{Load: sim.Const(rate / b.Capacity())}, Backend: b}
}

const plenty = 1000 // servers

func TestR11SlowIsShed(t *testing.T) {
	for _, rate := range []float64{10, 20, 100, 500} {
		for _, servers := range []int{int(math.Ceil(rate / 20 * 2)), plenty} {
			t.Run(fmt.Sprintf("%v rps on %d", rate, servers), func(t *testing.T) {
				t.Parallel()
				worst := 0.0
				for seed := uint64(1); seed <= 3; seed++ {
					worst = max(worst, react(t, slowed(rate, servers), seed).shed)
				}
				t.Logf("shed after %.2f s", worst)
				if worst > 5 {
					t.Errorf("shed after %.2f s, promised 5", worst)
				}
			})
		}
	}
	t.Run("few requests", func(t *testing.T) {
		t.Parallel()
		miss{what: "s until 2 rps are shed at five times the latency", promised: 5, measured: math.Inf(1)}.
			check(t, react(t, slowed(2, plenty), 1).shed)
	})
	t.Run("busier before", func(t *testing.T) {
		t.Parallel()
		s := slowed(1000, 50)
		s.Clients.Load = sim.Steps(at(0, 1.5), at(slowFrom-20, .05))
		miss{what: "s until 50 rps are shed at five times the latency, where there were 1500 before", promised: 5, measured: math.Inf(1)}.
			check(t, react(t, s, 1).shed)
	})
}

func TestR11PileUpRaisesR(t *testing.T) {
	for _, rate := range []float64{10, 20, 100, 1000} {
		t.Run(fmt.Sprintf("%v rps", rate), func(t *testing.T) {
			t.Parallel()
			worst := 0.0
			for seed := uint64(1); seed <= 3; seed++ {
				worst = max(worst, react(t, hung(rate), seed).rise)
			}
			t.Logf("R rises after %.2f s", worst)
			if worst > 2 {
				t.Errorf("R rises after %.2f s, promised 2", worst)
			}
		})
	}
	t.Run("few requests", func(t *testing.T) {
		t.Parallel()
		miss{what: "s until R rises when 2 rps hang", promised: 2, measured: 5.32}.
			check(t, react(t, hung(2), 1).rise)
	})
}

// The control arm: nothing happens to the dependency, and nothing is seen.
func TestR11ControlSeesNothing(t *testing.T) {
	s := slowed(100, plenty)
	s.Backend.Slowness = sim.Const(1)
	if r := react(t, s, 1); !math.IsInf(r.shed, 1) || !math.IsInf(r.rise, 1) {
		t.Errorf("a dependency as always: %+v: the test shows nothing", r)
	}
}

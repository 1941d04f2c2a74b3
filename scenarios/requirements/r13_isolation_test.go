package requirements

import (
	"testing"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/internal/vtime"
)

// R13: routes do not share fate. When one route of an engine becomes ten times
// slower and fails, another one of the same engine rejects nothing that it would
// not have rejected anyway; what a route learns is its own.
//
// Both lives of the other route are played with the same requests and the same
// chance, through calm and an overload of its own, and every decision must be
// the same. The chance of a request hangs on the instant at which it is made,
// so that the neighbour's requests do not move anybody's luck.
const neighbourFails = 15.0

// life is the decisions of a route beside a neighbour that is well or degrades,
// and shares the route or has one of its own.
func life(t testing.TB, degrades, shared bool) (decisions []bool, calm int, neighbour *stream) {
	s := sim.Scenario{
		Name: "beside", Duration: 50,
		Clients: sim.Clients{Load: sim.Steps(at(0, .4), at(30, 2), at(40, .4)), Attempts: 1},
		Backend: sim.Backend{Servers: 32, Service: sim.Exponential(50)},
	}
	var loop *vtime.Loop
	play(t, s, product(setup{
		engine: func(c *atrion.Config) {
			loop = c.Clock.(*vtime.Loop)
			c.Random = func() float64 { return luck(loop.Now()) }
		},
		began: func(g *gate) {
			route := g.route
			if !shared {
				route = must(g.eng.Route("neighbour"))
			}
			neighbour = newStream(loop, route, 1)
			neighbour.rate, neighbour.until = 200, 50
			neighbour.latency = func(now float64) float64 {
				if degrades && now >= neighbourFails {
					return 500
				}
				return 50
			}
			neighbour.fails = func(now float64) float64 {
				if degrades && now >= neighbourFails {
					return .9
				}
				return 0
			}
			neighbour.start()
		},
		each: func(_ sim.Attempt, _ atrion.Decision, passed bool) {
			decisions = append(decisions, passed)
			if now := elapsed(loop.Now()); !passed && now > neighbourFails && now < 30 {
				calm++
			}
		},
	}), 1)
	return decisions, calm, neighbour
}

// luck is a number in [0,1) that hangs on the instant alone (SplitMix64).
func luck(instant int64) float64 {
	x := uint64(instant) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

// differ counts the decisions that are not the same.
func differ(a, b []bool) (n int) {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			n++
		}
	}
	return n + max(len(a), len(b)) - min(len(a), len(b))
}

func TestR13Isolation(t *testing.T) {
	t.Parallel()
	well, wellCalm, _ := life(t, false, false)
	beside, besideCalm, neighbour := life(t, true, false)
	rejected := 0
	for _, allow := range well {
		if !allow {
			rejected++
		}
	}
	t.Logf("%d decisions, %d rejections, %d of them in calm; the neighbour rejects %d of %d",
		len(well), rejected, wellCalm, neighbour.asked-neighbour.passed, neighbour.asked)
	if besideCalm > wellCalm {
		t.Errorf("%d rejections in calm beside a route that degrades, otherwise %d", besideCalm, wellCalm)
	}
	if n := differ(well, beside); n > 0 {
		t.Errorf("%d of %d decisions differ beside a route that degrades", n, len(well))
	}
	if rejected < 1000 || neighbour.passed > neighbour.asked*3/4 {
		t.Error("nothing happens: the test shows nothing")
	}
}

// The control arm: on one route there is no isolation.
func TestR13ControlShares(t *testing.T) {
	t.Parallel()
	well, _, _ := life(t, false, true)
	beside, calm, _ := life(t, true, true)
	n := differ(well, beside)
	t.Logf("%d of %d decisions differ, %d rejections in calm", n, len(well), calm)
	if n == 0 || calm == 0 {
		t.Error("two kinds of calls on one route do not disturb each other: the test shows nothing")
	}
}

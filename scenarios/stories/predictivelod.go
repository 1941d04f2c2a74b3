package stories

import (
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// PredictiveLOD is the game server that sees it coming: it lowers the level while
// the route's momentum, the part of R that a rise of the load alone makes, says
// that more is on its way. In the original no switch happened during the ramp; all
// three "predictions" came after the jump that they predicted.
//
// Model: see game.go; within a layer the players' bids differ by up to .9, so that
// R moves as soon as the first of them is turned away. For 5 s there are 60
// players, and the route finds its limit: one that has never been there finds it by
// a queue, and misses frames of which nothing warned. For 15 s there are 10 to 30,
// at random for each tick, all of whom fit at HIGH; then their number rises from 10
// to 100 in 20 s, stays for 10 s, and it is noise again. The level goes down by one
// if there was momentum in the last half second, and otherwise follows the rule of
// game-lod-v2.
//
// Oracle: knows how many players there are.
//
// Promises: in the ramp the first switch comes before the first missed frame; none
// comes from noise; at most .02 of the frames missed; the integral of quality at
// least .85 of the oracle's.
func PredictiveLOD() scenarios.Scenario {
	s := &story{
		name:  "predictive-lod",
		about: "level of detail from the momentum of the tick, noise and a ramp",
		promises: []promise{
			atLeast(0, "lead_s", "from the first switch of the ramp to its first missed frame"),
			atMost(0, "false_predictions", "switches in noise"),
			atMost(.02, "missed", "frames missed"),
			atLeast(.85, "quality", "integral of quality, of the oracle's"),
		},
	}
	const before, ramp, high, calm, end = 5, 20, 40, 50, 65
	players := func(t float64, d *dice) int {
		noise := d.float()
		switch {
		case t < before:
			return 60
		case t >= ramp && t < high:
			return 10 + int((t-ramp)*90/(high-ramp))
		case t >= high && t < calm:
			return 100
		}
		return 10 + int(noise*21)
	}
	s.play = func(arm scenarios.Arm, seed uint64, _ sim.Options) (scenarios.Outcome, error) {
		out := s.outcome(arm, seed)
		f := new(foresight)
		g, err := playGame(arm, seed, end, players, .9, f.decide)
		if err != nil {
			return out, err
		}
		first := float64(high)
		for _, c := range g.switches {
			if c.at >= ramp && c.at < first && c.to < c.from {
				first = c.at
			}
		}
		miss := g.firstMiss(ramp, high)
		lead := miss - first
		if first >= high {
			lead = -high // nothing was foreseen
		}
		put(&out, "lead_s", lead, "s")
		put(&out, "false_predictions", g.changes(before+4, ramp)+g.changes(calm+4, end), "1")
		put(&out, "missed", ratio(g.missed.sum(0, end), g.born.sum(0, end)), "1")
		put(&out, "quality", ratio(g.got, g.ideal), "1")
		setResult(&out, 1-float64(out.Measure("missed")))
		put(&out, "predictions", f.predictions, "1")
		put(&out, "first_switch_s", first-ramp, "s")
		return out, nil
	}
	return s
}

// foresight lowers the level for momentum.
type foresight struct {
	steady
	rising      [10]bool
	ticks       int
	predictions float64
}

func (f *foresight) decide(s sight) level {
	if !s.known {
		return s.level
	}
	f.rising[f.ticks%len(f.rising)] = s.x.Decision.Terms.Momentum > 0
	f.ticks++
	n := 0
	for _, r := range f.rising {
		if r {
			n++
		}
	}
	l := f.steady.decide(s)
	if n >= 1 && l == s.level && l > low {
		f.rising = [len(f.rising)]bool{}
		f.predictions++
		return f.to(s.level - 1)
	}
	return l
}

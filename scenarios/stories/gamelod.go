package stories

import (
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// GameLOD is a game server whose level of detail follows the resistance of its
// tick: 10, 30, 60, 100 and 20 players. In the original a lower level made the
// server slower, and it never came back from the lowest.
//
// Model: see game.go; eight seconds a phase. The level is chosen at every tick:
// the highest whose bid is above R.
//
// Oracle: knows how many players there are, gives each the layers that are worth
// most for the cores' time, and never lets a core wait.
//
// Promises: the integral of quality at least .9 of the oracle's; a tick's cost per
// player falls with the level; HIGH again, and for good, within 2 s after the crowd
// is gone; no more than .02 of the frames missed.
func GameLOD() scenarios.Scenario {
	s := &story{
		name:  "game-lod",
		about: "level of detail from the resistance of the tick, 10 to 100 players",
		promises: []promise{
			atLeast(.9, "quality", "integral of quality, of the oracle's"),
			atMost(.02, "missed", "frames missed"),
			atMost(1, "cost_falls", "cost per player and tick at a level, of the next higher one's"),
			atMost(2, "restore_s", "HIGH again after the crowd"),
		},
	}
	s.play = func(arm scenarios.Arm, seed uint64, _ sim.Options) (scenarios.Outcome, error) {
		out := s.outcome(arm, seed)
		const end = gamePhase * len(gamePlayers)
		g, err := playGame(arm, seed, float64(end), gameCrowd, 0, byResistance)
		if err != nil {
			return out, err
		}
		measureGame(&out, g, float64(end))
		return out, nil
	}
	return s
}

func measureGame(out *scenarios.Outcome, g *game, end float64) {
	put(out, "quality", ratio(g.got, g.ideal), "1")
	put(out, "missed", ratio(g.missed.sum(0, end), g.born.sum(0, end)), "1")
	falls := nan
	for l := low; l < high; l++ {
		if c := ratio(ratio(g.work[l].ms, g.work[l].frames), ratio(g.work[l+1].ms, g.work[l+1].frames)); !(c <= falls) {
			falls = c
		}
	}
	put(out, "cost_falls", falls, "1")
	restore := 0.0
	from := end - gamePhase
	for _, c := range g.switches {
		if c.at >= from && c.to == high {
			restore = c.at - from
		}
	}
	if g.level != high {
		restore = gamePhase
	}
	put(out, "restore_s", restore, "s")
	most := 0.0
	for t := 0.0; t < end; t += gamePhase {
		most = max(most, g.changes(t, t+gamePhase))
	}
	put(out, "switches", most, "1")
	setResult(out, 1-float64(out.Measure("missed")))
}

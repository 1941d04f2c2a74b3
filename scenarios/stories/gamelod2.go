package stories

import (
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// GameLOD2 is the second version of the game server: the same resistance, the same
// players, but a level that everybody keeps for a while. The original's second
// version was measured on a shorter schedule than the first, and called faster.
//
// Model: see game.go; the schedule is game-lod's. The level follows R over the
// last second, and goes up only when what it would cost fits into what the route
// has learned that it can take.
//
// Oracle: that of game-lod, and game-lod itself in the same seed.
//
// Promises: fewer frames missed than game-lod; at most one switch in a phase; the
// integral of quality at least .9 of the oracle's, which mixes levels; HIGH again
// within 4 s.
func GameLOD2() scenarios.Scenario {
	s := &story{
		name:  "game-lod-v2",
		about: "game-lod with a level that is kept for a while",
		promises: []promise{
			atMost(.999, "missed_ratio", "frames missed, of game-lod's"),
			atMost(1, "switches", "switches in any phase"),
			atLeast(.9, "quality", "integral of quality, of the oracle's"),
			atMost(4, "restore_s", "HIGH again after the crowd"),
		},
	}
	s.play = func(arm scenarios.Arm, seed uint64, _ sim.Options) (scenarios.Outcome, error) {
		out := s.outcome(arm, seed)
		const end = float64(gamePhase * len(gamePlayers))
		g, err := playGame(arm, seed, end, gameCrowd, 0, new(steady).decide)
		if err != nil {
			return out, err
		}
		first, err := playGame(scenarios.Arm{Name: "ohmic", Product: true, Factory: scenarios.Product(nil)}, seed, end, gameCrowd, 0, byResistance)
		if err != nil {
			return out, err
		}
		put(&out, "missed_ratio", ratio(g.missed.sum(0, end), first.missed.sum(0, end)), "1")
		measureGame(&out, g, end)
		return out, nil
	}
	return s
}

package scenarios

import (
	"cmp"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
)

// study holds the goodput that another implementation of the same specification
// measured, mean of ten seeds: of doing nothing, and of gradient2. In the cases
// marked as chancy, doing nothing collapses in some seeds and not in others, or
// at another instant in each, so that one or two seeds say little.
var study = []struct {
	name            string
	none, gradient2 float64
	chancy          bool
}{
	{"steady70", .999, .992, false},
	{"steady90mmpp", .083, .958, true},
	{"step2x", .226, .987, false},
	{"step5x", .220, .987, false},
	{"step10x", .219, .988, false},
	{"ramp", .162, .957, true},
	{"spike8x5s", .331, 1.006, false},
	{"capdrop", .271, .974, false},
	{"errburst50", 1.024, 1.023, false},
	{"outage", .962, .994, true},
	{"hang", .358, .982, false},
	{"flap5s", .979, 1.013, true},
	{"gray1of4", .557, .578, true},
	{"metastable", .136, .966, true},
	{"diurnal", .112, .969, false},
	{"low1rps", 1.001, 1.001, false},
	{"high10krps", .298, .088, false},
	{"prio3x", .156, .965, false},
	{"bimodal2x", .350, .981, false},
	{"coldstart3x", .018, .940, false},
	{"lognorm3x", .235, .981, false},
	{"lowvar5x", .232, .981, false},
	{"coldsmall4x", .018, .829, false},
	{"ps5x", .276, .983, false},
	{"pscapdrop", .304, .962, false},
	{"err2steady", .999, .990, false},
	{"latshift3x", .999, .646, false},
	{"qbound5x", .920, .987, false},
}

func goodput(r *sim.Result) sim.Number { return r.Goodput }

// TestStudyIsReproduced: two implementations of one specification, by different
// hands and with different random numbers, must agree.
func TestStudyIsReproduced(t *testing.T) {
	for _, want := range study {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			c, ok := Lookup(want.name)
			if !ok {
				t.Fatal("no such case")
			}
			if testing.Short() && c.Backend.Servers > 32 {
				t.Skip("takes long")
			}
			s := c.Plain()
			check := func(r sim.Result, want, tolerance float64) {
				t.Logf("%s: goodput %.3f, study %.3f", r.Controller, r.Goodput, want)
				if !(math.Abs(float64(r.Goodput)-want) <= tolerance) {
					t.Errorf("%s: goodput %.3f, want %.3f +- %v", r.Controller, r.Goodput, want, tolerance)
				}
			}
			if !want.chancy {
				check(doNothing(t, &s), want.none, .012)
			}
			check(play(t, &s, "gradient2", 1)[0], want.gradient2, .025)
		})
	}
}

// TestTable prints what controllers make of the cases without their probes:
// ATRION_STUDY=10 ATRION_ARMS=none,codel go test ./scenarios -run Table -v
func TestTable(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("ATRION_STUDY"))
	if err != nil || n < 1 {
		t.Skip("ATRION_STUDY is no number of seeds")
	}
	for _, arm := range strings.Split(cmp.Or(os.Getenv("ATRION_ARMS"), "none,gradient2"), ",") {
		for _, c := range Cases() {
			s := c.Plain()
			rs := play(t, &s, arm, n)
			worst := math.Inf(1)
			for i := range rs {
				worst = min(worst, float64(rs[i].Goodput))
			}
			mean := func(of func(*sim.Result) sim.Number) float64 { return average(rs, of) }
			t.Logf("%-12s %-9s good %.3f [%.3f] fault %.3f | VIP %.3f nm %.3f bg %.3f | value %.3f inv %.3f | "+
				"fshed %.4f prot %.1f rec %.1f flaps %.1f lock %.1f | waste %.3f p50 %.0f p99 %.0f fadm %.3f",
				s.Name, arm, mean(goodput), worst,
				mean(func(r *sim.Result) sim.Number { return r.GoodputFault }),
				mean(func(r *sim.Result) sim.Number { return r.VIP }),
				mean(func(r *sim.Result) sim.Number { return r.Normal }),
				mean(func(r *sim.Result) sim.Number { return r.Background }),
				mean(func(r *sim.Result) sim.Number { return r.Value }),
				mean(func(r *sim.Result) sim.Number { return r.Inversions }),
				mean(func(r *sim.Result) sim.Number { return r.FalseShed }),
				mean(func(r *sim.Result) sim.Number { return r.Protect }),
				mean(func(r *sim.Result) sim.Number { return r.Recover }),
				mean(func(r *sim.Result) sim.Number { return sim.Number(r.Transitions) }),
				mean(func(r *sim.Result) sim.Number { return r.Lockout }),
				mean(func(r *sim.Result) sim.Number { return r.Waste }),
				mean(func(r *sim.Result) sim.Number { return r.P50 }),
				mean(func(r *sim.Result) sim.Number { return r.P99 }),
				mean(func(r *sim.Result) sim.Number { return r.FailingAdmits }))
		}
	}
}

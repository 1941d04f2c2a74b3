package tunnel

import (
	"math"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// Goodput as an earlier simulator, written apart from this one, had it for ten
// seeds. Only what does not hang on chance is compared: some peers are caught
// by the retries in one seed and not in the next.
var published = []struct {
	scenario, controller string
	goodput              float64
}{
	{"step5x", "gobreaker", .387},
	{"step5x", "gobreaker-default", .220},
	{"step5x", "failsafe-breaker", .539},
	{"step5x", "failsafe-adaptive", .936},
	{"step5x", "failsafe-throttler", .220},
	{"step5x", "gozero-breaker", .374},
	{"step5x", "gozero-shedder", .880},
	{"capdrop", "gobreaker-default", .321},
	{"capdrop", "failsafe-breaker", .516},
	{"capdrop", "failsafe-throttler", .271},
	{"capdrop", "failsafe-throttler-prio", .535},
	{"capdrop", "gozero-shedder", .954},
	{"capdrop", "kratos-bbr", .943},
	{"coldsmall4x", "failsafe-adaptive", .830},
	{"low1rps", "gozero-breaker", .996},
	{"low1rps", "failsafe-throttler", .968},
}

func TestTable(t *testing.T) {
	const seeds, tolerance = 3, .05
	for _, p := range published {
		t.Run(p.scenario+"/"+p.controller, func(t *testing.T) {
			t.Parallel()
			c, _ := scenarios.Lookup(p.scenario)
			s := c.Plain()
			mean := 0.0
			for seed := range uint64(seeds) {
				r, err := Run(t, &s, p.controller, seed+1, sim.Options{})
				if err != nil {
					t.Fatal(err)
				}
				mean += float64(r.Goodput) / seeds
			}
			if math.Abs(mean-p.goodput) > tolerance {
				t.Errorf("goodput %.3f, published %.3f", mean, p.goodput)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	c, _ := scenarios.Lookup("step5x")
	if _, err := Run(t, &c.Scenario, "hystrix", 1, sim.Options{}); err == nil {
		t.Error("an unknown controller ran")
	}
	if _, err := Run(t, &sim.Scenario{}, "gobreaker", 1, sim.Options{}); err == nil {
		t.Error("an empty scenario ran")
	}
}

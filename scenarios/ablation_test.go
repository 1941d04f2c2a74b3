package scenarios

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// TestAblation prints what each mechanism of the law is worth: the cases, played
// with one of them disabled or bent. It judges nothing.
//
//	ATRION_ABLATION=10 go test ./scenarios -run Ablation -v -timeout 1h
//
// With ATRION_ABLATION_ONLY only the law, and the variants that have that in
// their name.
func TestAblation(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("ATRION_ABLATION"))
	if err != nil || n < 1 {
		t.Skip("set ATRION_ABLATION to a number of seeds")
	}
	variants := []struct {
		name string
		bend func(*ohmic.Config)
		flat bool // bids that do not differ
	}{
		{name: "the law"},
		{name: "no bids: every request bids the same", flat: true},
		{name: "no reserve for bands that are covered", bend: func(c *ohmic.Config) { c.Reserve = 0 }},
		{name: "reserve up to .9 of the capacity", bend: func(c *ohmic.Config) { c.Reserve = 0.9 }},
		{name: "no memory of failure", bend: func(c *ohmic.Config) { c.Evidence, c.Tolerance = 1000, 100 }},
		{name: "memory of failure 5 s", bend: func(c *ohmic.Config) { c.FailureMemory = 5 * time.Second }},
		{name: "dips every 10 min only", bend: func(c *ohmic.Config) { c.DipEvery, c.DipAtMost = 10*time.Minute, 10*time.Minute }},
		{name: "dips to .9 of the limit, theta K_T = .99", bend: func(c *ohmic.Config) { c.DipDepth, c.Knee = 0.9, 1.1 }},
		{name: "K_T 1.2", bend: func(c *ohmic.Config) { c.Knee = 1.2 }},
		{name: "K_T 1.5", bend: func(c *ohmic.Config) { c.Knee = 1.5 }},
		{name: "headroom .3", bend: func(c *ohmic.Config) { c.Headroom = 0.3 }},
		{name: "headroom .1", bend: func(c *ohmic.Config) { c.Headroom = 0.1 }},
		{name: "start at 64 calls", bend: func(c *ohmic.Config) { c.StartLimit = 64 }},
		{name: "rate memory 10 ms", bend: func(c *ohmic.Config) { c.RateMemory = 10 * time.Millisecond }},
		{name: "rate memory 1 s", bend: func(c *ohmic.Config) { c.RateMemory = time.Second }},
		{name: "floors of .15 and .1 for the two lower classes", bend: func(c *ohmic.Config) {
			c.Lanes = []ohmic.Lane{{UpTo: 25, Floor: .1}, {Above: 25, UpTo: 60, Floor: .15}}
		}},
	}
	fmt.Println("| variant | goodput, mean | worst case | VIP | value | false shed | failing admits |\n|---|---|---|---|---|---|---|")
	only := os.Getenv("ATRION_ABLATION_ONLY")
	for _, v := range variants {
		if v.name != "the law" && !strings.Contains(v.name, only) {
			continue
		}
		cfg := ohmic.DefaultConfig()
		if v.bend != nil {
			v.bend(&cfg)
		}
		law, err := ohmic.New(cfg)
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		f := Product(law)
		if v.flat {
			f = flat(f)
		}
		all := playAll(t, f, n, true, sim.Options{})
		fmt.Println(row(v.name, all))
	}
}

// row sums a variant up over the cases.
func row(name string, all map[string][]sim.Result) string {
	var vip, value, shed, failing, vips float64
	worst, at := 2.0, ""
	for _, c := range Cases() {
		r := all[c.Name]
		if g := average(r, goodput); g < worst {
			worst, at = g, c.Name
		}
		value += average(r, func(r *sim.Result) sim.Number { return r.Value }) / float64(len(all))
		failing += average(r, func(r *sim.Result) sim.Number { return r.FailingAdmits }) / float64(len(all))
		shed += average(r, func(r *sim.Result) sim.Number { return r.FalseShed }) / float64(len(all))
		if x := average(r, func(r *sim.Result) sim.Number { return r.VIP }); x == x {
			vip += x
			vips++
		}
	}
	m, _ := means(all)
	return "| " + strings.Join([]string{
		name, fmt.Sprintf("%.4f", m), fmt.Sprintf("%.3f %s", worst, at),
		fmt.Sprintf("%.3f", vip/vips), fmt.Sprintf("%.4f", value), fmt.Sprintf("%.4f", shed), fmt.Sprintf("%.4f", failing),
	}, " | ") + " |"
}

// flat makes every request bid the same.
func flat(f sim.Factory) sim.Factory {
	return func(env *sim.Env) sim.Controller { return level{f(env)} }
}

type level struct{ sim.Controller }

func (l level) Admit(a sim.Attempt) (sim.Ticket, bool) {
	a.Voltage = 100
	return l.Controller.Admit(a)
}

package scenarios

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
)

// playFleet plays a case with seeds from first on.
func playFleet(t *testing.T, name string, f sim.Factory, first, seeds int) []sim.Result {
	t.Helper()
	c, ok := Lookup(name)
	if !ok {
		t.Fatal("no case", name)
	}
	results := make([]sim.Result, seeds)
	var wg sync.WaitGroup
	next := make(chan int)
	for range 2 {
		wg.Go(func() {
			for i := range next {
				sc := c.Plain()
				r, err := sim.Run(&sc, "fleet", f, uint64(first+i), sim.Options{})
				if err != nil {
					t.Error(err)
				}
				results[i] = r
			}
		})
	}
	for i := range seeds {
		next <- i
	}
	close(next)
	wg.Wait()
	return results
}

func worstAndMean(rs []sim.Result) (worst, mean, vip float64) {
	worst = 2
	for _, r := range rs {
		worst = min(worst, float64(r.Goodput))
		mean += float64(r.Goodput) / float64(len(rs))
		vip += float64(r.VIP) / float64(len(rs))
	}
	return
}

// Three gateways before one callee that loses half its capacity, all calls sharing
// what is left: no seed below .8, at 100 and at 250 ms between two messages. Nodes
// that exchange nothing fail it. ATRION_SEEDS=200 is the gate.
func TestFleetSharesACallee(t *testing.T) {
	seeds := seeds(t, 4)
	for _, interval := range []time.Duration{100 * time.Millisecond, 250 * time.Millisecond} {
		worst, mean, vip := worstAndMean(playFleet(t, "pscapdrop", Fleet{Interval: interval}.Arm(nil), 1001, seeds))
		t.Logf("every %v, seeds 1001 to %d: worst %.3f, mean %.3f, VIP %.3f", interval, 1000+seeds, worst, mean, vip)
		if worst < .8 {
			t.Errorf("every %v: goodput of the worst seed %.3f, want .8", interval, worst)
		}
	}
	if worst, _, _ := worstAndMean(playFleet(t, "pscapdrop", Fleet{Alone: true}.Arm(nil), 1001, min(seeds, 4))); worst >= .8 {
		t.Errorf("nodes that exchange nothing reach %.3f: the test proves nothing", worst)
	}
}

// A fleet is nearly as good as one node: the mean of all cases within .01 at 100 ms
// and .02 at 250 ms, VIPs within .02 and .03. ATRION_FLEET=1 plays all 28 cases with ten seeds,
// which takes some minutes; otherwise a few.
func TestFleetIsNearlyOneNode(t *testing.T) {
	cases, seeds := []string{"step5x", "capdrop", "prio3x", "outage", "coldstart3x"}, 1
	if os.Getenv("ATRION_FLEET") != "" {
		cases, seeds = nil, 10
		for _, c := range Cases() {
			cases = append(cases, c.Name)
		}
	}
	type sum struct{ good, vip, vips float64 }
	mean := func(f sim.Factory) (s sum, text string) {
		for _, name := range cases {
			rs := playFleet(t, name, f, 1, seeds)
			worst, good, vip := worstAndMean(rs)
			text += fmt.Sprintf("\n%-14s mean %.3f worst %.3f VIP %.3f", name, good, worst, vip)
			s.good += good / float64(len(cases))
			if vip == vip {
				s.vip += vip
				s.vips++
			}
		}
		s.vip /= s.vips
		return s, text
	}
	one, _ := mean(Product(nil))
	for _, x := range []struct {
		name      string
		fleet     Fleet
		good, vip float64
	}{
		{"100 ms", Fleet{}, .01, .02},
		{"250 ms", Fleet{Interval: 250 * time.Millisecond}, .02, .03},
		{"100 ms, 50 ms on the way", Fleet{Delay: 50 * time.Millisecond}, .02, .03},
		{"100 ms, a tenth lost", Fleet{Loss: .1}, .02, .03},
		{"100 ms, shares .7 .2 .1", Fleet{Shares: []float64{.7, .2, .1}}, .02, .03},
		{"100 ms, five nodes", Fleet{Nodes: 5}, .02, .05},
	} {
		if seeds == 1 && x.name != "100 ms" {
			continue
		}
		got, text := mean(x.fleet.Arm(nil))
		t.Logf("%s: goodput %.4f, VIP %.3f; one node %.4f, %.3f%s", x.name, got.good, got.vip, one.good, one.vip, text)
		slack := 0.0
		if seeds == 1 {
			slack = .01 // a single seed
		}
		if got.good < one.good-x.good-slack || got.vip < one.vip-x.vip-slack {
			t.Errorf("%s: goodput %.4f, VIP %.3f; one node has %.4f, %.3f, and %.2f and %.2f less are allowed", x.name, got.good, got.vip, one.good, one.vip, x.good, x.vip)
		}
	}
}

// overload is a callee that is offered half as much again as it can serve, for
// two minutes.
func overload(load float64) sim.Scenario {
	c, _ := Lookup("step2x")
	sc := c.Plain()
	sc.Name, sc.Duration, sc.Fault, sc.Healthy = "overload", 120, sim.Interval{}, nil
	sc.Clients.Load, sc.Clients.Attempts = sim.Const(load), 1
	return sc
}

// A node that is cut off for a minute costs nobody else anything: what the others
// serve meanwhile is what they serve in a run without the cut, and so is what all
// serve two seconds after it.
func TestFleetPartition(t *testing.T) {
	sc := overload(1.5)
	served := func(c Cut, f Fleet) (others, all, after float64) {
		for seed := range uint64(3) {
			f.Cut, f.Log = c, &FleetLog{}
			if _, err := sim.Run(&sc, "fleet", f.Arm(nil), 1+seed, sim.Options{}); err != nil {
				t.Fatal(err)
			}
			for node := range 3 {
				n := float64(Sum(f.Log.Served, node, 30, 90))
				if all += n; node != 2 {
					others += n
				}
				after += float64(Sum(f.Log.Served, node, 92, 120))
			}
		}
		return
	}
	others, all, after := served(Cut{}, Fleet{})
	cutOthers, cutAll, cutAfter := served(Cut{Node: 2, During: sim.Interval{From: 30, To: 90}}, Fleet{})
	t.Logf("served while cut off: the others %.3f, all %.3f of a run without; from 2 s after: %.3f", cutOthers/others, cutAll/all, cutAfter/after)
	if cutOthers < .99*others {
		t.Errorf("the others serve %.3f of what they serve without the cut", cutOthers/others)
	}
	if cutAfter < .98*after {
		t.Errorf("two seconds after the cut all serve %.3f of what they serve without it", cutAfter/after)
	}
}

// When a node dies, the others take its part over within a second or two; and they
// go on learning, whichever it was: ten seconds later the callee loses half of its
// servers.
func TestFleetOutlivesANode(t *testing.T) {
	sc := overload(1.5)
	sc.Backend.Alive = sim.Steps(sim.Point{T: 0, V: 1}, sim.Point{T: 40, V: .5})
	served := func(c Cut) (before, after float64) {
		f := Fleet{Log: &FleetLog{}, Cut: c}
		if _, err := sim.Run(&sc, "fleet", f.Arm(nil), 1, sim.Options{}); err != nil {
			t.Fatal(err)
		}
		for node := range 3 {
			before += float64(Sum(f.Log.Served, node, 32, 40))
			after += float64(Sum(f.Log.Served, node, 44, 120))
		}
		return
	}
	before, after := served(Cut{})
	for node := range 3 {
		b, a := served(Cut{Node: node, During: sim.Interval{From: 30, To: 120}, Dead: true})
		t.Logf("without node %d: %.3f and %.3f of what three serve before and after the loss of capacity", node, b/before, a/after)
		if b < .94*before || a < .97*after {
			t.Errorf("without node %d two serve %.3f and %.3f of what three do", node, b/before, a/after)
		}
	}
}

// One node of five whose own network fails leaves the others admitting; three of
// five that see a fault raise what the other two ask for, within a second.
func TestFleetBelievesMost(t *testing.T) {
	sc := overload(.5)
	sc.Duration = 40
	run := func(bad []int, gamma float64) *FleetLog {
		f := Fleet{Nodes: 5, Bad: Bad{Nodes: bad, During: sim.Interval{From: 20, To: 40}, Fails: 1}, Log: &FleetLog{}}
		if _, err := sim.Run(&sc, "fleet", f.Arm(lawOf(t, gamma)), 3, sim.Options{}); err != nil {
			t.Fatal(err)
		}
		return f.Log
	}
	share := func(l *FleetLog, node, from, to int) float64 {
		return float64(Sum(l.Passed, node, from, to)) / float64(Sum(l.Asked, node, from, to))
	}
	one := run([]int{0}, 1)
	for node := 1; node < 5; node++ {
		if got := share(one, node, 20, 40); got < .99 {
			t.Errorf("node %d admits %.3f while node 0 has a fault of its own, want .99", node, got)
		}
	}
	if got := share(one, 0, 21, 40); got > .5 {
		t.Errorf("the bad node admits %.3f of what fails", got)
	}
	most := run([]int{0, 1, 2}, 1)
	for node := 3; node < 5; node++ {
		before, after := share(most, node, 10, 20), share(most, node, 21, 40)
		t.Logf("three of five fail: node %d admits %.3f, %.3f before", node, after, before)
		if before < .99 || after > .85 || after < .6 {
			t.Errorf("node %d admits %.3f before and %.3f from a second after three of five see a fault; want .99, and about .75", node, before, after)
		}
	}
	if got := share(run([]int{0, 1, 2}, 0), 3, 21, 40); got < .99 {
		t.Errorf("with gamma 0 node 3 admits %.3f", got)
	}
}

// Whichever node learns, it learns from what all see: a fleet in which one node
// has a twenty-fifth of the traffic is as good as any, whichever it is.
func TestFleetLearnsFromAll(t *testing.T) {
	_, one, _ := worstAndMean(playFleet(t, "capdrop", Product(nil), 1, 3))
	for node := range 3 {
		shares := []float64{.48, .48, .48}
		shares[node] = .04
		_, mean, vip := worstAndMean(playFleet(t, "capdrop", Fleet{Shares: shares}.Arm(nil), 1, 3))
		t.Logf("node %d has a twenty-fifth: goodput %.3f, VIP %.3f; one node %.3f", node, mean, vip, one)
		if mean < one-.02 {
			t.Errorf("node %d has a twenty-fifth: goodput %.3f, one node %.3f", node, mean, one)
		}
	}
}

// Two nodes of five whose answers take 800 ms longer on their own path do not make
// the others hold less.
func TestFleetIgnoresASlowPath(t *testing.T) {
	sc := overload(1.5)
	served := func(bad Bad) (n float64) {
		f := Fleet{Nodes: 5, Bad: bad, Log: &FleetLog{}}
		if _, err := sim.Run(&sc, "fleet", f.Arm(nil), 1, sim.Options{}); err != nil {
			t.Fatal(err)
		}
		for node := range 3 {
			n += float64(Sum(f.Log.Served, node, 40, 120))
		}
		return
	}
	with, without := served(Bad{Nodes: []int{3, 4}, During: sim.Interval{From: 30, To: 120}, Slow: 800 * time.Millisecond}), served(Bad{})
	t.Logf("the others serve %.3f of what they serve without", with/without)
	if with < .97*without {
		t.Errorf("the others serve %.3f of what they serve without", with/without)
	}
}

// In an outage the nodes of a fleet probe together about as often as one node
// would, and never stop.
func TestFleetProbesAsOne(t *testing.T) {
	sc := overload(.8)
	sc.Duration = 60
	sc.Backend.Errors = sim.Steps(sim.Point{T: 0, V: 0}, sim.Point{T: 20, V: 1})
	probes := func(f Fleet) (rate float64, longest int) {
		f.Log = &FleetLog{}
		if _, err := sim.Run(&sc, "fleet", f.Arm(nil), 1, sim.Options{}); err != nil {
			t.Fatal(err)
		}
		silent := 0
		for second := 25; second < 60; second++ {
			n := 0
			for node := range f.Log.Passed {
				n += Sum(f.Log.Passed, node, second, second+1)
			}
			if rate += float64(n) / 35; n > 0 {
				silent = 0
				continue
			}
			silent++
			longest = max(longest, silent)
		}
		return
	}
	one, _ := probes(Fleet{Nodes: 1})
	three, silent := probes(Fleet{})
	alone, _ := probes(Fleet{Alone: true})
	t.Logf("probes a second: one node %.1f, three %.1f, three that exchange nothing %.1f", one, three, alone)
	if three > 1.3*one || silent > 0 {
		t.Errorf("three nodes probe %.1f times a second, one node %.1f; longest silence %d s", three, one, silent)
	}
	if alone < 1.5*one {
		t.Errorf("nodes that exchange nothing probe %.1f times a second: the test proves nothing", alone)
	}
}

// Where nothing is to be learned hardly anything is said: a healthy route under
// steady traffic costs a node some words a minute.
func TestFleetSaysLittle(t *testing.T) {
	sc := overload(.5)
	sc.Duration = 120
	f := Fleet{Log: &FleetLog{}}
	if _, err := sim.Run(&sc, "fleet", f.Arm(nil), 1, sim.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("words in two minutes, by node: %v", f.Log.Told)
	for node, n := range f.Log.Told {
		if n > 120 {
			t.Errorf("node %d said %d things in two healthy minutes", node, n)
		}
	}
}

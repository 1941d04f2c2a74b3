package sim

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// TestOracle compares the oracle's capacity with a calculation by hand.
func TestOracle(t *testing.T) {
	at := func(s Scenario, seconds float64) float64 {
		r := mustStart(t, s, newOpen, Options{})
		return r.oracle()[int(seconds*perSecond+.5)]
	}
	s := plain(.7, 10)
	near(t, "capacity", 5, at(s, 5), 64, 1e-9)

	s.Backend.Alive = Steps(Point{0, 1}, Point{5, .5})
	near(t, "all alive", 4.9, at(s, 4.9), 64, 1e-9)
	near(t, "half alive", 5, at(s, 5), 32, 1e-9)

	s = plain(.7, 10)
	s.Backend.Replicas, s.Backend.Gray = 4, Const(10)
	near(t, "one of four gray", 5, at(s, 5), 64*3.1/4, 1e-9)

	s = plain(.7, 10)
	s.Backend.Slowness, s.Backend.Elastic = Const(3), Const(3)
	near(t, "slower and more", 5, at(s, 5), 64, 1e-9)

	s = plain(.7, 10)
	s.Backend.Hang = []Interval{{4, 6}}
	near(t, "hang", 5, at(s, 5), 0, 0)

	s = plain(5, 10)
	s.Backend.Errors = Const(.5)
	near(t, "errors in overload", 5, at(s, 5), 32, 1e-9)
	s = plain(.01, 10)
	s.Backend.Errors = Const(1)
	near(t, "all errors", 5, at(s, 5), 0, 0)
}

// TestBlock checks the sums of a second by hand.
func TestBlock(t *testing.T) {
	l := ledger{bins: make([]count, 20), capacity: make([]float64, 20)}
	for i := range l.capacity {
		l.capacity[i] = 3
	}
	l.bins[0].offered = [Classes]uint32{10, 30, 20}
	l.bins[3].good = [Classes]uint32{9, 12, 4}
	l.bins[5].attempts, l.bins[5].admitted, l.bins[5].rejected, l.bins[5].swaps = 10, 7, 3, 2
	l.bins[6].attempts, l.bins[6].admitted = 5, 5
	got := l.sum(0, 2)
	want := block{
		attempts: 15, admitted: 12, rejected: 3, swaps: 2, selective: 7,
		possible: 30, done: 25, // the second second offers nothing
		ideal: 10*10 + 3*20, achieved: 10*9 + 3*12 + 4,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestInversions(t *testing.T) {
	for _, c := range []struct {
		rejected, admitted []Class
		swaps              int
	}{
		{nil, []Class{Background, Background}, 0},
		{[]Class{VIP, VIP}, nil, 0},
		{[]Class{Background}, []Class{VIP, Normal}, 0},
		{[]Class{VIP}, []Class{Background, Background, Normal}, 1},
		{[]Class{VIP, VIP, VIP}, []Class{Background, Normal}, 2},
		{[]Class{VIP, Normal, Normal}, []Class{Background, Background, VIP}, 2},
		{[]Class{Normal}, []Class{Normal, VIP}, 0},
	} {
		for _, ranked := range []bool{true, false} {
			v := inversion{ranked: ranked}
			for side, classes := range [][]Class{c.rejected, c.admitted} {
				for _, class := range classes {
					v.note(&request{class: class, voltage: Standard[class].Low}, side == 1)
				}
			}
			if got := v.close(); got != c.swaps {
				t.Errorf("ranked %v: %v rejected, %v admitted: %d swaps, want %d", ranked, c.rejected, c.admitted, got, c.swaps)
			}
			if got := v.close(); got != 0 {
				t.Errorf("%d swaps in an empty bin", got)
			}
		}
	}
}

// shut rejects everything between two instants.
func shut(from, to float64) Factory {
	return func(env *Env) Controller {
		return &probe{admit: func(Attempt) bool {
			t := float64(env.Now()-3600e9) / 1e9
			return t < from || t >= to
		}}
	}
}

// TestTimes: a controller that is shut for a known time has a known lock-out,
// recovery and number of transitions.
func TestTimes(t *testing.T) {
	s := plain(.7, 60)
	s.Clients.Attempts = 1
	s.Fault = Interval{20, 30}
	r := mustRun(t, s, shut(25, 37), Options{})
	near(t, "lock-out", 12, float64(r.Lockout), 12, .2)
	// A second that misses its first tenth and a few more still passes for good
	// enough: the slack is about a tenth of it.
	near(t, "recovery", 7, float64(r.Recover), 7, .3)
	near(t, "protection", 0, float64(r.Protect), 0, 0)
	if r.Transitions != 2 {
		t.Errorf("%d transitions, want 2", r.Transitions)
	}
	near(t, "goodput", 0, float64(r.Goodput), 48.0/60, .01)
	near(t, "goodput in the fault", 0, float64(r.GoodputFault), .5, .01)
	near(t, "VIP", 0, float64(r.VIP), .5, .03)
	near(t, "false shed", 0, float64(r.FalseShed), 12.0/60, .01)

	r = mustRun(t, s, shut(22, 1000), Options{})
	if r.Recover != 30 || r.Protect != 10 {
		t.Errorf("recovery %v s, protection %v s; want all there was: 30, 10", r.Recover, r.Protect)
	}
}

func TestQuantile(t *testing.T) {
	l := ledger{latency: make([]uint32, 101)}
	if !math.IsNaN(l.quantile(.5)) {
		t.Error("a quantile of nothing")
	}
	for ms := range int64(10) {
		l.end(OK, (ms+1)*1e6)
	}
	l.end(Timeout, 1e9) // beyond the histogram
	if got := l.quantile(.5); got != 6 {
		t.Errorf("median %v, want 6", got)
	}
	if got := l.quantile(1); got != 10 {
		t.Errorf("highest %v, want the histogram's end", got)
	}
}

func TestResultJSON(t *testing.T) {
	s := plain(.5, 5)
	b, err := json.Marshal(mustRun(t, s, newOpen, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(`scenario controller seed goodput goodput_fault vip normal background value
		inversions false_shed protect_s recover_s transitions lockout_s waste p50_ms p99_ms failing_admits`) {
		if _, ok := fields[name]; !ok {
			t.Errorf("%s is missing", name)
		}
		delete(fields, name)
	}
	if len(fields) != 0 {
		t.Errorf("more than was asked for: %v", fields)
	}
	var back Result
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if back.VIP.Known() || !back.Goodput.Known() {
		t.Errorf("null does not become NaN: %s", b)
	}
}

func TestTraceChangesNothing(t *testing.T) {
	s := plain(2, 10)
	var tr Trace
	a, b := mustRun(t, s, newLimit, Options{}), mustRun(t, s, func(e *Env) Controller {
		return &gauged{limit{most: int(e.Cap)}}
	}, Options{Trace: &tr})
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("without trace %s\nwith trace    %s", x, y)
	}
	offered := 0
	for _, class := range tr.Offered {
		for _, n := range class {
			offered += int(n)
		}
	}
	if len(tr.Attempts) != 100 || len(tr.Gauges) != 100 || len(tr.Capacity) != 100 || math.Abs(float64(offered)-12800) > 500 {
		t.Errorf("%d bins, %d gauges, %d requests", len(tr.Attempts), len(tr.Gauges), offered)
	}
	if g := tr.Gauges[50]; g.N != 32 || g.L != 32 {
		t.Errorf("gauge %+v, want the limit reached", g)
	}
}

type gauged struct{ limit }

func (g *gauged) Inspect() Gauge { return Gauge{N: float64(g.inflight), L: float64(g.most)} }

func TestBadScenariosAndOptions(t *testing.T) {
	for what, change := range map[string]func(*Scenario){
		"no time":            func(s *Scenario) { s.Duration = 0 },
		"no time at all":     func(s *Scenario) { s.Duration = math.NaN() },
		"no load":            func(s *Scenario) { s.Clients.Load = Curve{} },
		"negative load":      func(s *Scenario) { s.Clients.Load = Const(-1) },
		"wrong mix":          func(s *Scenario) { s.Clients.Mix = [Classes]float64{.5, .5, .5} },
		"negative share":     func(s *Scenario) { s.Clients.Mix = [Classes]float64{1.5, -.5, 0} },
		"burst":              func(s *Scenario) { s.Clients.Burst = 2 },
		"attempts":           func(s *Scenario) { s.Clients.Attempts = -1 },
		"backoff":            func(s *Scenario) { s.Clients.Backoff = -1 },
		"timeout":            func(s *Scenario) { s.Clients.Timeout = math.Inf(1) },
		"no servers":         func(s *Scenario) { s.Backend.Servers = 0 },
		"uneven replicas":    func(s *Scenario) { s.Backend.Replicas = 5 },
		"no service":         func(s *Scenario) { s.Backend.Service = nil },
		"no time for it":     func(s *Scenario) { s.Backend.Service = Exponential(0) },
		"bound while shared": func(s *Scenario) { s.Backend.Sharing, s.Backend.Bound = true, 3 },
		"too many errors":    func(s *Scenario) { s.Backend.Errors = Const(1.1) },
		"error cost":         func(s *Scenario) { s.Backend.ErrorCost = 2 },
		"more than alive":    func(s *Scenario) { s.Backend.Alive = Const(2) },
		"servers in a line":  func(s *Scenario) { s.Backend.Alive = Lines(Point{0, 1}, Point{5, 0.5}) },
		"elastic in a wave":  func(s *Scenario) { s.Backend.Elastic = Wave(1, .5, 10) },
		"fault outside":      func(s *Scenario) { s.Fault = Interval{5, 50} },
		"health outside":     func(s *Scenario) { s.Healthy = []Interval{{-1, 5}} },
		"slow":               func(s *Scenario) { s.Backend.Slow = math.NaN() },
	} {
		s := plain(.5, 10)
		change(&s)
		if _, err := Run(&s, "test", newOpen, 1, Options{}); !errors.Is(err, errScenario) && !errors.Is(err, errCurve) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, o := range []Options{
		{Attempts: -1}, {TelemetryDelay: -1}, {TelemetryLoss: 2}, {TelemetryLoss: math.NaN()},
		{Voltages: Voltages{{1, 1}}}, {Voltages: Voltages{{3, 2}, {1, 1}, {1, 1}}},
	} {
		s := plain(.5, 10)
		if _, err := Run(&s, "test", newOpen, 1, o); err == nil {
			t.Errorf("%+v passes", o)
		}
	}
	s := plain(.5, 10)
	if _, err := Run(&s, "test", nil, 1, Options{}); err == nil {
		t.Error("no controller passes")
	}
}

package sim

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/golden.jsonl anew; only if the change of behaviour is meant")

// goldens are runs that between them use everything that draws or rounds.
func goldens() []func() (Result, error) {
	run := func(s Scenario, f Factory, name string, o Options) func() (Result, error) {
		return func() (Result, error) { return Run(&s, name, f, 7, o) }
	}
	tail := plain(0, 30)
	tail.Name = "tail"
	tail.Clients.Load = Lines(Point{0, .5}, Point{10, 2}, Point{20, .5})
	tail.Clients.Burst = .3
	tail.Backend.Service = Lognormal{50, 1.2}
	tail.Backend.Slow = .5
	tail.Fault, tail.Healthy = Interval{5, 20}, []Interval{{0, 5}, {25, 30}}

	share := plain(.8, 30)
	share.Name = "share"
	share.Backend.Sharing, share.Backend.Slow = true, .5
	share.Backend.Alive = Steps(Point{0, 1}, Point{10, .5}, Point{20, 1})
	share.Fault = Interval{10, 20}

	bad := plain(0, 30)
	bad.Name = "bad"
	bad.Clients.Load = Wave(.9, .6, 30)
	bad.Backend.Service = Mixture{.1, Lognormal{400, .25}, Exponential(15)}
	bad.Backend.Replicas, bad.Backend.Gray = 4, Steps(Point{0, 1}, Point{12, 10}, Point{18, 1})
	bad.Backend.Slowness = Lines(Point{0, 1}, Point{30, 1.5})
	bad.Backend.Errors, bad.Backend.ErrorCost = Const(.02), .2
	bad.Backend.Hang = []Interval{{22, 23}}
	bad.Backend.Bound = 64
	bad.Fault = Interval{12, 23}

	late := Options{Voltages: Continuous, Attempts: 4, TelemetryDelay: 30 * time.Millisecond, TelemetryLoss: .01}
	return []func() (Result, error){
		run(tail, newOpen, "open", Options{}),
		run(tail, newLimit, "limit", Options{Voltages: Continuous}),
		run(share, newOpen, "open", Options{}),
		run(share, newLimit, "limit", Options{}),
		run(bad, newOpen, "open", late),
		run(bad, func(e *Env) Controller { return &limit{most: 64} }, "limit", Options{Voltages: Small}),
	}
}

// TestGolden: the same bytes on every machine. Run it with GOAMD64=v3 and
// GOARCH=386 too: the one fuses what is not rounded explicitly, the other has
// short integers.
func TestGolden(t *testing.T) {
	const path = "testdata/golden.jsonl"
	var got bytes.Buffer
	for _, play := range goldens() {
		r, err := play()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(&got).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
	}
}

// TestRunsDoNotMeet plays everything at once, twice, on as many processors as
// there are and on one: what runs beside a run, or ran before it, is nothing to
// it.
func TestRunsDoNotMeet(t *testing.T) {
	playAll := func() string {
		all := goldens()
		lines := make([][]byte, len(all))
		var wg sync.WaitGroup
		for i, play := range all {
			wg.Go(func() {
				r, err := play()
				if err != nil {
					t.Error(err)
					return
				}
				lines[i], _ = json.Marshal(r)
			})
		}
		wg.Wait()
		return string(bytes.Join(lines, []byte("\n")))
	}
	first := playAll()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if second := playAll(); second != first {
		t.Errorf("first\n%s\nthen\n%s", first, second)
	}
}

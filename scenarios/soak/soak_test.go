package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/client"
	"github.com/atrion-io/atrion/internal/node"
)

const (
	short     = 4 * time.Second
	maxRoutes = 1000
	pace      = 5 * time.Millisecond // a round of the churn
	perRound  = 2                    // names nobody used before
	stateTTL  = 2 * time.Second
	holdTTL   = 500 * time.Millisecond
)

func duration(t *testing.T) (d time.Duration, long bool) {
	v := os.Getenv("ATRION_SOAK")
	if v == "" {
		return short, false
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < 10*time.Second {
		t.Fatalf("ATRION_SOAK is %q (allowed: 10s or more)", v)
	}
	return d, d >= 4*time.Minute // KV markers live a minute: half of it must be level
}

func config(t *testing.T, dir string) node.Config {
	c := node.DefaultConfig()
	c.Node, c.Listen, c.StoreDir = "soak", "127.0.0.1:-1", dir
	c.MaxRoutes, c.IdleAfter, c.StateTTL, c.HoldTTL = maxRoutes, time.Second, stateTTL, holdTTL
	c.Monitor = "127.0.0.1:0"
	c.Quota = atrion.Quota{Above: 150, Rate: 1, Identities: 1024}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t *testing.T, c node.Config) *node.Node {
	t.Helper()
	n, err := node.Start(context.Background(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func stop(t *testing.T, n *node.Node) {
	t.Helper()
	if err := n.Stop(); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

// TestSoak churns routes: names that nobody used before, all the time; telemetry
// of calls that went well and of calls that failed; decisions, some for callers
// who are new as well; permits, of which every other one is never ended.
func TestSoak(t *testing.T) {
	length, long := duration(t)
	// What is started once and for all in a process is no leak.
	warm := t.TempDir()
	stop(t, start(t, config(t, warm)))
	goroutines, files := settled(), openFiles()

	dir := t.TempDir()
	n := start(t, config(t, dir))
	w := newWatch(t, n, dir)
	end := time.Now().Add(length)
	every := max(length/60, 100*time.Millisecond)
	next := time.Now().Add(every)
	c := newChurn(t, n.URL())
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for time.Now().Before(end) {
		<-tick.C
		c.round()
		if time.Now().After(next) {
			w.sample(c)
			next = next.Add(every)
		}
	}
	last := w.sample(c)
	w.print(c)
	c.close()
	w.close()
	stop(t, n)

	if last.Engine.Routes > maxRoutes {
		t.Errorf("%d routes, allowed %d", last.Engine.Routes, maxRoutes)
	}
	if c.routes < 10*uint64(length.Seconds()) || last.Bus.HoldsExpired == 0 || last.Engine.Saves == 0 || last.Engine.Samples == 0 {
		t.Errorf("nothing much went on: %d routes, %+v", c.routes, last)
	}
	if length > 30*time.Second && (last.Engine.Refused == 0 || last.Engine.Evicted == 0) {
		t.Errorf("the cap on routes was never met: %+v", last.Engine)
	}
	w.judge(long)

	// After the end nothing is left: no goroutine, no open file, no lock.
	if left := until(goroutines); left > goroutines {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", left, goroutines, buf[:runtime.Stack(buf, true)])
	}
	if left := openFiles(); left > files {
		t.Errorf("%d open files, %d before", left, files)
	}
	stop(t, start(t, config(t, dir))) // the store is nobody's
}

// churn makes traffic.
type churn struct {
	t      *testing.T
	nc     *nats.Conn
	client *client.Client
	routes uint64
	asked  uint64
	denied uint64 // refused for want of room
}

func newChurn(t *testing.T, url string) *churn {
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	return &churn{t: t, nc: nc, client: client.New(nc)}
}

func (c *churn) close() { c.nc.Close() }

func (c *churn) round() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for range perRound {
		c.routes++
		route := fmt.Sprintf("user/%d/cart", c.routes)
		outcome := atrion.OK
		if c.routes%5 == 0 {
			outcome = atrion.Error
		}
		for range 3 {
			if err := c.client.Report(route, client.Sample{Latency: 20 * time.Millisecond, Outcome: outcome}); err != nil {
				c.t.Error(err)
			}
		}
		for i := range 2 {
			d, err := c.client.Decide(ctx, route, client.Request{Hold: i == 0, Tier: "critical", Subject: fmt.Sprint("user", c.routes)})
			c.asked++
			var refused *client.Error
			switch {
			case errors.As(err, &refused) && refused.Code == 429:
				c.denied++
			case err != nil:
				c.t.Errorf("decision %d: %v", c.asked, err)
			case d.Permit != "" && c.routes%2 == 0:
				if err := c.client.Report(route, client.Sample{Permit: d.Permit}); err != nil {
					c.t.Error(err)
				}
			}
		}
	}
}

// reading is a node at one moment.
type reading struct {
	bus.Health
	at         float64 // s
	heap       float64 // bytes, after a collection
	goroutines int
	keys       uint64 // of the KV, with the markers of those that expired
	stored     uint64 // bytes of the KV
	disk       int64  // bytes of files in the store
	names      uint64 // made up so far
}

// watch reads a node now and then.
type watch struct {
	t        *testing.T
	nc       *nats.Conn
	js       jetstream.JetStream
	dir      string
	began    time.Time
	readings []reading
}

func newWatch(t *testing.T, n *node.Node, dir string) *watch {
	nc, err := nats.Connect(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &watch{t: t, nc: nc, js: js, dir: dir, began: time.Now()}
}

func (w *watch) close() { w.nc.Close() }

func (w *watch) sample(c *churn) reading {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r := reading{at: time.Since(w.began).Seconds(), names: c.routes}
	m, err := w.nc.RequestWithContext(ctx, bus.HealthSubject, nil)
	if err == nil {
		err = json.Unmarshal(m.Data, &r.Health)
	}
	if err != nil {
		w.t.Errorf("health: %v", err)
	}
	stream, err := w.js.Stream(ctx, "KV_ATRION_STATE")
	if err != nil {
		w.t.Errorf("bucket: %v", err)
	} else {
		state := stream.CachedInfo().State
		r.keys, r.stored = state.Msgs, state.Bytes
	}
	_ = filepath.WalkDir(w.dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				r.disk += info.Size()
			}
		}
		return nil // files come and go meanwhile
	})
	r.goroutines = runtime.NumGoroutine()
	r.heap = heap()
	w.readings = append(w.readings, r)
	return r
}

// heap is what is in use after a collection; the second one empties pools.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func (w *watch) print(c *churn) {
	rs := w.readings
	w.t.Logf("%d names made up, %d decisions asked, %d refused for want of room", c.routes, c.asked, c.denied)
	w.t.Log("| s | names | routes | evicted | refused | holds | heap, MB | goroutines | KV keys | KV, kB | disk, MB |")
	w.t.Log("|---|---|---|---|---|---|---|---|---|---|---|")
	step := max(len(rs)/12, 1)
	for i := (len(rs) - 1) % step; i < len(rs); i += step {
		r := &rs[i]
		w.t.Logf("| %.0f | %d | %d | %d | %d | %d | %.2f | %d | %d | %.1f | %.2f |", r.at, r.names, r.Engine.Routes, r.Engine.Evicted, r.Engine.Refused,
			r.Bus.Holds, r.heap/1e6, r.goroutines, r.keys, float64(r.stored)/1e3, float64(r.disk)/1e6)
	}
}

// judge holds the second half to a level: what a straight line through it gains
// from its beginning to its end. Stored state is only level once markers expire.
func (w *watch) judge(long bool) {
	half := w.readings[len(w.readings)/2:]
	for _, x := range []struct {
		what  string
		of    func(reading) float64
		share float64 // of its mean it may gain
		least float64 // or so much
		late  bool    // level only after a minute
	}{
		{"heap", func(r reading) float64 { return r.heap }, .1, 8e6, false},
		{"goroutines", func(r reading) float64 { return float64(r.goroutines) }, .1, 20, false},
		{"holds", func(r reading) float64 { return float64(r.Bus.Holds) }, .2, 300, false},
		{"routes", func(r reading) float64 { return float64(r.Engine.Routes) }, .1, 100, true},
		{"KV keys", func(r reading) float64 { return float64(r.keys) }, .15, 100, true},
		{"KV bytes", func(r reading) float64 { return float64(r.stored) }, .15, 1e5, true},
		{"disk", func(r reading) float64 { return float64(r.disk) }, .25, 4e6, true},
	} {
		if x.late && !long {
			continue
		}
		gain, mean := line(half, x.of)
		w.t.Logf("%s: %.4g on average in the second half, %+.3g from its beginning to its end", x.what, mean, gain)
		if gain > max(x.share*mean, x.least) {
			w.t.Errorf("%s is not level: %+.3g in half of the time, of %.4g", x.what, gain, mean)
		}
	}
}

// line fits a straight line and returns what it gains over the readings, and
// their mean.
func line(rs []reading, of func(reading) float64) (gain, mean float64) {
	var t, v, tt, tv float64
	n := float64(len(rs))
	for _, r := range rs {
		t += r.at / n
		v += of(r) / n
	}
	for _, r := range rs {
		tt += (r.at - t) * (r.at - t)
		tv += (r.at - t) * (of(r) - v)
	}
	if tt == 0 {
		return 0, v
	}
	return tv / tt * (rs[len(rs)-1].at - rs[0].at), v
}

// A leak must show: a line that rises is found, noise is not.
func TestLine(t *testing.T) {
	var rs []reading
	for i := range 20 {
		rs = append(rs, reading{at: float64(i), heap: 100 + 5*float64(i), disk: int64(100 + 10*(i%2))})
	}
	if gain, mean := line(rs, func(r reading) float64 { return r.heap }); gain < 94.9 || gain > 95.1 || mean != 147.5 {
		t.Errorf("gain %v of %v, want 95 of 147.5", gain, mean)
	}
	if gain, _ := line(rs, func(r reading) float64 { return float64(r.disk) }); gain > 2 {
		t.Errorf("noise gains %v", gain)
	}
}

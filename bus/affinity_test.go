package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/client"
	"github.com/atrion-io/atrion/providers"
)

// fleet is nodes with affinity on one NATS server.
type fleet struct {
	t     *testing.T
	url   string
	nodes map[string]*fleetNode
	nc    *nats.Conn
	ask   *client.Client
	state func() providers.Provider // of the next node; nil: none
}

type fleetNode struct {
	eng     *atrion.Engine
	service *bus.Service
	conns   []*nats.Conn
	ended   bool
}

func newFleet(t *testing.T, url string, names ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, url: url, nodes: map[string]*fleetNode{}}
	f.nc = f.dial()
	f.ask = client.New(f.nc)
	for _, name := range names {
		f.start(name, true)
	}
	return f
}

func (f *fleet) dial() *nats.Conn {
	f.t.Helper()
	nc, err := nats.Connect(f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(nc.Close)
	return nc
}

func (f *fleet) start(name string, affinity bool) {
	f.t.Helper()
	cfg := atrion.Config{Node: name}
	if f.state != nil {
		cfg.Provider = f.state()
	}
	eng, err := atrion.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	n := &fleetNode{eng: eng, conns: []*nats.Conn{f.dial(), f.dial()}}
	opts := bus.Options{Node: name}
	if affinity {
		opts.Affinity = f.dial()
		n.conns = append(n.conns, opts.Affinity)
	}
	if n.service, err = bus.Serve(n.conns[0], n.conns[1], eng, opts); err != nil {
		f.t.Fatal(err)
	}
	f.nodes[name] = n
	f.t.Cleanup(func() { f.stop(name) })
}

// stop stops a node as its operator would.
func (f *fleet) stop(name string) {
	f.t.Helper()
	n := f.nodes[name]
	if n.ended {
		return
	}
	n.ended = true
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(n.service.Drain(ctx), n.eng.Close(ctx)); err != nil {
		f.t.Errorf("stop %s: %v", name, err)
	}
}

// kill cuts a node off, as if its process had been killed.
func (f *fleet) kill(name string) {
	for _, nc := range f.nodes[name].conns {
		nc.Close()
	}
}

// alone waits until every partition is had by one of the nodes that live.
func (f *fleet) alone(live ...string) {
	f.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		sum, knows := 0, true
		for _, name := range live {
			st := f.nodes[name].service.Stats()
			sum += st.Partitions
			knows = knows && st.Nodes == len(live)
		}
		if sum == 64 && knows {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%d partitions are had by %v", sum, live)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// owner is who decides a route.
func (f *fleet) owner(route string) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	d, err := f.ask.Decide(ctx, route, client.Request{})
	if err != nil {
		f.t.Fatalf("%s: %v", route, err)
	}
	if d.Route != route {
		f.t.Fatalf("asked about %q, answered about %q", route, d.Route)
	}
	return d.Node
}

// mapped is a server that maps routes to partitions.
func mapped(t *testing.T) *bus.Embedded {
	t.Helper()
	s, err := bus.StartEmbedded(bus.EmbeddedConfig{Port: -1, Memory: true, Affinity: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var someRoutes = func() (routes []string) {
	for i := range 40 {
		routes = append(routes, fmt.Sprintf("r%d", i), fmt.Sprintf("api.r%d", i), fmt.Sprintf("a.b.r%d", i), fmt.Sprintf("GET /%d/%%", i), fmt.Sprintf("r%d.b.c.d.e.f", i))
	}
	return routes
}()

// Every route is decided by one node, whichever is asked, and what is told of it
// goes to that node: a permit is known to who gave it.
func TestAffinity(t *testing.T) {
	f := newFleet(t, mapped(t).ClientURL(), "a", "b", "c")
	f.alone("a", "b", "c")
	owners := map[string]int{}
	ctx := context.Background()
	for _, route := range someRoutes {
		who := f.owner(route)
		owners[who]++
		for range 3 {
			if again := f.owner(route); again != who {
				t.Fatalf("%s is decided by %s and by %s", route, who, again)
			}
		}
		d, err := f.ask.Decide(ctx, route, client.Request{Hold: true})
		if err != nil || d.Permit == "" {
			t.Fatalf("%+v, %v", d, err)
		}
		if err := f.ask.Report(route, client.Sample{Permit: d.Permit, Latency: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		if n := owners[name]; n < len(someRoutes)/10 {
			t.Errorf("%s decides %d of %d routes", name, n, len(someRoutes))
		}
	}
	f.eventually("all permits ended by who gave them", func() bool {
		samples, unknown, holds := uint64(0), uint64(0), 0
		for _, n := range f.nodes {
			st := n.service.Stats()
			samples, unknown, holds = samples+n.eng.Stats().Samples, unknown+st.UnknownPermits, holds+st.Holds
		}
		return samples == uint64(len(someRoutes)) && unknown == 0 && holds == 0
	})
	// Errors come with what was asked, and any node can be asked.
	m, err := f.nc.Request("atrion.route.r1", []byte(`{"voltage": -1}`), 5*time.Second)
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "400" || !strings.Contains(string(m.Data), "voltage") {
		t.Errorf("a wrong request: %v, %v", m, err)
	}
	seen := map[any]bool{}
	for range 60 {
		m, err := f.nc.Request("atrion.any.route.r1", nil, 5*time.Second)
		var v map[string]any
		if err != nil || json.Unmarshal(m.Data, &v) != nil || v["route"] != "r1" {
			t.Fatalf("any node: %v, %v", m, err)
		}
		seen[v["node"]] = true
	}
	if len(seen) != 3 {
		t.Errorf("%v answer for any", seen)
	}
}

func (f *fleet) eventually(what string, is func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("not so: %s", what)
		}
	}
}

const askers = 4

// asker asks about routes all the time, as the client of the house does, and
// counts who decides, and what is not answered.
type asker struct {
	mu       sync.Mutex
	asked    int
	failed   []error
	by       map[string]int
	worst    time.Duration
	stop     chan struct{}
	finished sync.WaitGroup
}

func (f *fleet) asking(routes []string) *asker {
	a := &asker{by: map[string]int{}, stop: make(chan struct{})}
	for g := range askers {
		c := client.New(f.dial())
		a.finished.Go(func() {
			for i := g; ; i++ {
				select {
				case <-a.stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				began := time.Now()
				d, err := c.Decide(ctx, routes[i%len(routes)], client.Request{})
				took := time.Since(began)
				cancel()
				a.mu.Lock()
				a.asked++
				a.worst = max(a.worst, took)
				if err != nil {
					a.failed = append(a.failed, err)
				} else {
					a.by[d.Node]++
				}
				a.mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	return a
}

func (a *asker) end(t *testing.T) {
	t.Helper()
	close(a.stop)
	a.finished.Wait()
	t.Logf("%d decisions by %v, slowest %v", a.asked, a.by, a.worst.Round(time.Millisecond))
	// What a killed node had received dies with it: one of each asker at most.
	if len(a.failed) > askers {
		t.Errorf("%d of %d decisions not answered, the first: %v", len(a.failed), a.asked, a.failed[0])
	}
	if a.asked < 100 {
		t.Errorf("only %d asked", a.asked)
	}
}

// plainly asks, until do is done and every partition has its one owner, as a
// program does that does not ask elsewhere, and returns how long that took and how
// often nobody was there.
func (f *fleet) plainly(do func(), live ...string) (nobody int, took time.Duration) {
	nc := f.dial()
	stop, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := nc.Request("atrion.route."+fmt.Sprint("plain", i%100), nil, time.Second); err != nil {
				nobody++
			}
		}
	}()
	began := time.Now()
	do()
	f.alone(live...)
	took = time.Since(began)
	close(stop)
	<-finished
	return nobody, took
}

// Nodes come, leave and are killed, and every decision is answered but what a killed
// node had received; only while it is missed is a program that does not ask elsewhere
// told that nobody is there.
func TestHandOver(t *testing.T) {
	f := newFleet(t, mapped(t).ClientURL(), "a", "b")
	f.alone("a", "b")
	a := f.asking(someRoutes)
	before := map[string]string{}
	for _, r := range someRoutes {
		before[r] = f.owner(r)
	}
	timed := func(what string, do func(), live ...string) (nobody int, took time.Duration) {
		nobody, took = f.plainly(do, live...)
		t.Logf("%s: every partition has its one owner again after %v; nobody there %d times", what, took.Round(time.Millisecond), nobody)
		return nobody, took
	}
	if nobody, _ := timed("c comes", func() { f.start("c", true) }, "a", "b", "c"); nobody > 0 {
		t.Error("c takes what it has not been given")
	}
	for _, r := range someRoutes {
		if who := f.owner(r); who != before[r] && who != "c" {
			t.Errorf("%s went from %s to %s when c came", r, before[r], who)
		}
	}
	// a misses b, and c is told of it.
	if _, took := timed("b is killed", func() { f.kill("b") }, "a", "c"); took >= 2*time.Second { // what it said last was up to a second before
		t.Error("b was missed by its silence alone")
	}
	if nobody, _ := timed("a leaves", func() { f.stop("a") }, "c"); nobody > 0 {
		t.Error("a leaves before others are in its place")
	}
	for _, r := range someRoutes {
		if who := f.owner(r); who != "c" {
			t.Errorf("%s is decided by %s", r, who)
		}
	}
	a.end(t)
}

// A node that is said to be gone and is not takes its place again.
func TestNotGone(t *testing.T) {
	f := newFleet(t, mapped(t).ClientURL(), "a", "b")
	f.alone("a", "b")
	had := f.nodes["b"].service.Stats().Partitions
	for _, m := range []string{`{"node":"b","gone":true}`, `{"node":"a","gone":true}`, `{"node":""}`, `rubbish`, `{"node":"` + strings.Repeat("x", 65) + `"}`, strings.Repeat(" ", 513) + `{"node":"z"}`} {
		if err := f.nc.Publish("atrion.gossip.node", []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	f.eventually("wrong messages are refused", func() bool { return f.nodes["a"].service.Stats().Refused == 4 })
	f.alone("a", "b")
	if now := f.nodes["b"].service.Stats().Partitions; now != had {
		t.Errorf("b had %d partitions and has %d", had, now)
	}
}

// A node that hangs, so that NATS still knows it, is gone after some silence.
func TestHangs(t *testing.T) {
	t.Parallel()
	f := newFleet(t, mapped(t).ClientURL(), "a", "b")
	f.alone("a", "b")
	if _, err := f.nc.SubscribeSync("atrion.gossip.ping.*"); err != nil {
		t.Fatal(err)
	}
	if err := f.nc.Publish("atrion.gossip.node", []byte(`{"node":"c"}`)); err != nil {
		t.Fatal(err)
	}
	f.eventually("c is known", func() bool {
		return f.nodes["a"].service.Stats().Nodes == 3 && f.nodes["b"].service.Stats().Nodes == 3
	})
	f.alone("a", "b")
}

// On a server that does not map, nodes with affinity are a plain queue group.
func TestAffinityWithoutMappings(t *testing.T) {
	s, err := bus.StartEmbedded(bus.EmbeddedConfig{Port: -1, Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := newFleet(t, s.ClientURL(), "a", "b")
	f.alone("a", "b")
	seen := map[string]bool{}
	for range 60 {
		seen[f.owner("r")] = true
	}
	if len(seen) != 2 {
		t.Errorf("decided by %v", seen)
	}
}

// What docs/operations.md tells the operator of another NATS server to add makes
// that server map as an embedded one does.
func TestDocumentedMappings(t *testing.T) {
	doc, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)    mappings \{\n.*?\n    \}\n`).FindString(string(doc))
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, block)
	}
	for from, to := range bus.Mappings() {
		if !strings.Contains(block, fmt.Sprintf("%q: %q", from, to)) {
			t.Errorf("the document does not map %s to %s", from, to)
		}
	}
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", -1, true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(5 * time.Second) {
		t.Fatal("not ready")
	}
	own := newFleet(t, mapped(t).ClientURL(), "a", "b", "c")
	theirs := newFleet(t, srv.ClientURL(), "a", "b", "c")
	own.alone("a", "b", "c")
	theirs.alone("a", "b", "c")
	for _, r := range someRoutes {
		if a, b := own.owner(r), theirs.owner(r); a != b {
			t.Errorf("%s is decided by %s on an embedded server, by %s on another", r, a, b)
		}
	}
}

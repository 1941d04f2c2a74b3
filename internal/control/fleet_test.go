package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/client"
	"github.com/atrion-io/atrion/internal/control"
	"github.com/atrion-io/atrion/internal/wire"
)

// fleet is a real NATS server with JetStream in files, and nodes on it: an
// engine, a controller and a service each.
type fleet struct {
	t     *testing.T
	opts  server.Options
	srv   *server.Server
	nodes []*node
	nc    *nats.Conn // an operator's
	audit *nats.Subscription
}

type node struct {
	name string
	eng  *atrion.Engine
	ctl  *control.Controller
	svc  *bus.Service
}

func newFleet(t *testing.T, nodes int, cfg atrion.Config) *fleet {
	t.Helper()
	f := &fleet{t: t, opts: server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		JetStreamMaxMemory: 1 << 28, JetStreamMaxStore: 1 << 30,
	}}
	f.startServer()
	t.Cleanup(func() { f.stopServer() })
	f.nc = f.dial()
	var err error
	if f.audit, err = f.nc.SubscribeSync("atrion.event.*"); err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		f.startNode(fmt.Sprint("n", i+1), cfg)
	}
	return f
}

func (f *fleet) startServer() {
	f.t.Helper()
	opts := f.opts
	s, err := server.NewServer(&opts)
	if err != nil {
		f.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		f.t.Fatal("the server is not ready")
	}
	f.srv, f.opts.Port = s, opts.Port
}

func (f *fleet) stopServer() {
	f.srv.Shutdown()
	f.srv.WaitForShutdown()
}

func (f *fleet) dial() *nats.Conn {
	f.t.Helper()
	nc, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", f.opts.Port), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectJitter(0, 0), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(nc.Close)
	return nc
}

func (f *fleet) startNode(name string, cfg atrion.Config) *node {
	f.t.Helper()
	eng, err := atrion.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	kv, err := control.NewKV(f.dial(), control.KVConfig{})
	if err != nil {
		f.t.Fatal(err)
	}
	n := &node{name: name, eng: eng, ctl: control.New(eng, kv, control.Options{Node: name})}
	if n.svc, err = bus.Serve(f.dial(), f.dial(), eng, bus.Options{Node: name, Control: n.ctl}); err != nil {
		f.t.Fatal(err)
	}
	f.nodes = append(f.nodes, n)
	f.t.Cleanup(func() { f.stopNode(n) })
	return n
}

func (f *fleet) stopNode(n *node) {
	i := slices.Index(f.nodes, n)
	if i < 0 {
		return
	}
	f.nodes = slices.Delete(f.nodes, i, i+1)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(n.svc.Drain(ctx), n.eng.Close(ctx)); err != nil && f.srv.Running() {
		f.t.Errorf("stop %s: %v", n.name, err)
	}
}

// ask asks whichever node answers.
func (f *fleet) ask(operation string, request, reply any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return client.New(f.nc).Admin(ctx, operation, request, reply)
}

func (f *fleet) must(operation string, request, reply any) {
	f.t.Helper()
	if err := f.ask(operation, request, reply); err != nil {
		f.t.Fatalf("%s: %v", operation, err)
	}
}

// everywhere waits until ok is true of every node.
func (f *fleet) everywhere(what string, ok func(*node) bool) {
	f.t.Helper()
	began := time.Now()
	for _, n := range f.nodes {
		for !ok(n) {
			if time.Since(began) > 15*time.Second {
				f.t.Fatalf("%s: not at %s within 15 s", what, n.name)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// timed is how long f takes.
func timed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// event waits for one on the audit stream.
func (f *fleet) event(ok func(control.Event) bool) control.Event {
	f.t.Helper()
	for {
		m, err := f.audit.NextMsg(10 * time.Second)
		if err != nil {
			f.t.Fatalf("no such event: %v", err)
		}
		var e control.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			f.t.Fatal(err)
		}
		if m.Subject == "atrion.event."+e.Event && ok(e) {
			return e
		}
	}
}

func (n *node) decide(t testing.TB, route, subject string, volts float64) atrion.Decision {
	t.Helper()
	d, err := n.eng.Decide(route, atrion.Telemetry{Voltage: volts}, atrion.Subject(subject))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (n *node) inForce(t testing.TB) uint64 {
	t.Helper()
	s, err := n.ctl.Config(context.Background())
	if err != nil && !errors.Is(err, control.ErrNotFound) && !errors.Is(err, control.ErrUnavailable) {
		t.Fatal(err)
	}
	return s.InForce
}

const promised = time.Second

// typical fails if more than half of the times are longer than was promised: one
// may be, on a machine that does other things.
func typical(t *testing.T, what string, took []time.Duration) {
	t.Helper()
	slices.Sort(took)
	t.Logf("%s: %v", what, took)
	if m := took[len(took)/2]; m > promised {
		t.Errorf("%s everywhere after %v (median of %d), promised %v", what, m, len(took), promised)
	}
}

// What an operator says at one node is in force on all in a second, and shows in
// what they decide and on the audit stream.
func TestInForceEverywhere(t *testing.T) {
	f := newFleet(t, 3, atrion.Config{})
	var bans, overrides, configs []time.Duration
	for i := range 5 {
		who, route := fmt.Sprint("bot", i), fmt.Sprint("api/", i)
		bans = append(bans, timed(func() {
			f.must("ban.add", wire.RuleRequest{Route: "api/*", Subject: who, TTL: "1m", By: "alice", Reason: "scraping"}, nil)
			f.everywhere("ban", func(n *node) bool {
				d := n.decide(t, route, who, 400)
				return !d.Allow && d.Reason == atrion.Banned && d.Ban.By == "alice" && d.Ban.Reason == "scraping" && d.ExpiresIn > 50*time.Second && d.ExpiresIn <= time.Minute
			})
		}))
		overrides = append(overrides, timed(func() {
			f.must("override.set", wire.RuleRequest{Route: route, Mode: "open", TTL: "90s", By: "bob", Reason: "drill"}, nil)
			f.everywhere("override", func(n *node) bool {
				d := n.decide(t, route, "", 400)
				return !d.Allow && d.Reason == atrion.Overridden && d.Override.By == "bob" && d.ExpiresIn > 80*time.Second
			})
		}))
		var r wire.ConfigReply
		f.must("config.get", nil, &r)
		parent := r.Revision
		doc := fmt.Sprintf(`{"ohmic": {"floor": %d}, "routes": {"free/*": {"disabled": true}}}`, 10+i)
		configs = append(configs, timed(func() {
			f.must("config.set", wire.ConfigRequest{Document: json.RawMessage(doc), Revision: &parent, By: "carol", Reason: "tuning"}, &r)
			f.everywhere("config", func(n *node) bool {
				return n.inForce(t) == r.Revision && n.decide(t, "other", "", 400).Terms.Base == float64(10+i) && n.decide(t, "free/1", "", 1).Reason == atrion.Disabled
			})
		}))
	}
	typical(t, "a ban", bans)
	typical(t, "an override", overrides)
	typical(t, "a document", configs)
	e := f.event(func(e control.Event) bool { return e.Event == "ban" })
	if e.Action != "add" || e.By != "alice" || e.Reason != "scraping" || e.Route != "api/*" || e.Subject != "bot0" || e.TTLMs != 60_000 || e.Time == 0 || e.Node == "" {
		t.Errorf("%+v", e)
	}
	e = f.event(func(e control.Event) bool { return e.Event == "override" })
	if e.Action != "set" || e.By != "bob" || e.Mode != "open" || e.Route != "api/0" || e.TTLMs != 90_000 {
		t.Errorf("%+v", e)
	}
	e = f.event(func(e control.Event) bool { return e.Event == "config" && e.Action == "set" })
	if e.By != "carol" || e.Reason != "tuning" || e.Revision == 0 || e.Changes != 2 {
		t.Errorf("%+v", e)
	}
	f.event(func(e control.Event) bool { return e.Event == "config" && e.Action == "applied" && e.Node == "n3" })

	// And taken back everywhere.
	typical(t, "the end of both", []time.Duration{timed(func() {
		f.must("ban.remove", wire.RuleRequest{Route: "api/*", Subject: "bot0", By: "alice"}, nil)
		f.must("override.clear", wire.RuleRequest{Route: "api/0", By: "bob"}, nil)
		f.everywhere("taken back", func(n *node) bool { return n.decide(t, "api/0", "bot0", 400).Allow })
	})})
	f.event(func(e control.Event) bool { return e.Event == "ban" && e.Action == "remove" && e.By == "alice" })
	f.event(func(e control.Event) bool { return e.Event == "override" && e.Action == "clear" && e.By == "bob" })
	var refused *client.Error
	if err := f.ask("ban.remove", wire.RuleRequest{Route: "api/*", Subject: "bot0", By: "alice"}, nil); !errors.As(err, &refused) || refused.Code != 404 {
		t.Errorf("again: %v", err)
	}
	var list wire.RuleReply
	f.must("ban.list", wire.RuleRequest{Offset: 1, Limit: 2}, &list)
	if len(list.Bans) != 2 || list.Total != 4 || list.Bans[0].Subject != "bot2" || list.Bans[0].ExpiresInMs == 0 {
		t.Errorf("%+v", list)
	}
	f.must("override.list", nil, &list)
	if len(list.Overrides) != 4 || list.Overrides[3].Mode != "open" {
		t.Errorf("%+v", list)
	}
}

// A caller over NATS sees why.
func TestDecisionsOverNATSShowIt(t *testing.T) {
	f := newFleet(t, 2, atrion.Config{})
	f.must("ban.add", wire.RuleRequest{Subject: "bot", TTL: "1m", By: "alice", Reason: "scraping"}, nil)
	f.must("override.set", wire.RuleRequest{Route: "api/*", Mode: "shadow", TTL: "1m", By: "bob", Reason: "trial"}, nil)
	f.everywhere("both", func(n *node) bool { return len(n.eng.Bans()) == 1 && len(n.eng.Overrides()) == 1 })
	c := client.New(f.nc)
	ctx := context.Background()
	for range 10 { // both nodes answer
		d, err := c.Decide(ctx, "web", client.Request{Subject: "bot"})
		if err != nil || d.Allow || d.Reason != "banned" || d.Verdict != "allowed" || d.Ban.By != "alice" || d.Ban.Subject != "bot" || d.Ban.ExpiresInMs < 50_000 || d.RetryAfterMs < 50_000 || d.Override.Mode != "" {
			t.Fatalf("%+v, %v", d, err)
		}
		d, err = c.Decide(ctx, "api/x", client.Request{Subject: "bot", Hold: true})
		if err != nil || !d.Allow || d.Reason != "shadow" || d.Verdict != "banned" || d.Override.By != "bob" || d.Override.Mode != "shadow" || d.Override.ExpiresInMs < 50_000 || d.Ban.By != "alice" {
			t.Fatalf("%+v, %v", d, err)
		}
		d, err = c.Decide(ctx, "web", client.Request{Subject: "somebody"})
		if err != nil || !d.Allow || d.Ban != (wire.Ban{}) || d.Override != (wire.Override{}) || d.Verdict != "" {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	x, err := c.Explain(ctx, "api/x", 0)
	if err != nil || x.Override == nil || x.Override.By != "bob" || !strings.Contains(x.Text, "by bob (trial)") {
		t.Errorf("%+v, %v", x, err)
	}
}

// What expires does so by itself, everywhere, and from the store too.
func TestExpiresEverywhere(t *testing.T) {
	f := newFleet(t, 3, atrion.Config{})
	f.must("ban.add", wire.RuleRequest{Subject: "bot", TTL: "1500ms", By: "alice", Reason: "x"}, nil)
	f.must("override.set", wire.RuleRequest{Route: "r", Mode: "open", TTL: "1s", By: "alice", Reason: "x"}, nil)
	f.everywhere("both", func(n *node) bool {
		return n.decide(t, "a", "bot", 400).Reason == atrion.Banned && n.decide(t, "r", "", 400).Reason == atrion.Overridden
	})
	f.everywhere("neither", func(n *node) bool {
		return n.decide(t, "a", "bot", 400).Allow && n.decide(t, "r", "", 400).Allow && len(n.eng.Bans()) == 0 && len(n.eng.Overrides()) == 0
	})
	js, err := jetstream.New(f.nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(context.Background(), control.DefaultBucket)
	if err != nil {
		t.Fatal(err)
	}
	f.everywhere("nothing in the store", func(*node) bool {
		keys, err := kv.Keys(context.Background())
		return errors.Is(err, jetstream.ErrNoKeysFound) || err == nil && len(keys) == 0
	})
}

// All nodes and the server stop, and what operators said is in force again, for
// what is left of its time, before the first answer.
func TestSurvivesRestart(t *testing.T) {
	f := newFleet(t, 3, atrion.Config{})
	f.must("ban.add", wire.RuleRequest{Subject: "bot", TTL: "1m", By: "alice", Reason: "scraping"}, nil)
	f.must("ban.add", wire.RuleRequest{Subject: "brief", TTL: "1s", By: "alice", Reason: "scraping"}, nil)
	f.must("override.set", wire.RuleRequest{Route: "GET /x *", Mode: "closed", TTL: "2m", By: "bob", Reason: "drill"}, nil)
	f.must("config.set", wire.ConfigRequest{Document: json.RawMessage(`{"ohmic": {"floor": 30}}`), By: "carol"}, nil)
	for len(f.nodes) > 0 {
		f.stopNode(f.nodes[0])
	}
	f.stopServer()
	time.Sleep(1200 * time.Millisecond)
	f.startServer()
	for i := range 3 {
		n := f.startNode(fmt.Sprint("n", i+1), atrion.Config{})
		d := n.decide(t, "r", "bot", 400)
		if d.Reason != atrion.Banned || d.ExpiresIn > 59*time.Second || d.ExpiresIn < 30*time.Second || d.Terms.Base != 30 {
			t.Errorf("%s: %+v", n.name, d)
		}
		if d := n.decide(t, "r", "brief", 400); d.Reason == atrion.Banned {
			t.Errorf("%s: longer than it was to be: %+v", n.name, d)
		}
		if d := n.decide(t, "GET /x 1", "", 1); !d.Allow || d.Reason != atrion.Overridden || d.ExpiresIn > 119*time.Second {
			t.Errorf("%s: %+v", n.name, d)
		}
	}
}

// The server restarts under live nodes: they hear of changes again at once, not
// after the 10 to 20 seconds that a watcher needs by itself.
func TestServerRestarts(t *testing.T) {
	f := newFleet(t, 3, atrion.Config{})
	f.must("ban.add", wire.RuleRequest{Subject: "bot", TTL: "1m", By: "alice", Reason: "x"}, nil)
	f.everywhere("the ban", func(n *node) bool { return len(n.eng.Bans()) == 1 })
	f.stopServer()
	for _, n := range f.nodes {
		if d := n.decide(t, "r", "bot", 400); d.Reason != atrion.Banned {
			t.Errorf("%s without NATS: %v", n.name, d)
		}
	}
	f.everywhere("degraded", func(n *node) bool { return n.ctl.Degraded() != "" })
	err := f.nodes[0].ctl.AddBan(context.Background(), atrion.Ban{Subject: "other", TTL: time.Minute, By: "alice", Reason: "x"})
	if !errors.Is(err, control.ErrUnavailable) || len(f.nodes[0].eng.Bans()) != 1 {
		t.Errorf("a ban without NATS: %v, in force %v", err, f.nodes[0].eng.Bans())
	}
	f.startServer()
	began := time.Now()
	for f.ask("ban.add", wire.RuleRequest{Subject: "later", TTL: "1m", By: "alice", Reason: "x"}, nil) != nil {
		if time.Since(began) > 15*time.Second {
			t.Fatal("no node answers")
		}
		time.Sleep(20 * time.Millisecond)
	}
	took := timed(func() {
		f.everywhere("the ban after the restart", func(n *node) bool { return n.decide(t, "r", "later", 400).Reason == atrion.Banned })
	})
	t.Logf("in force everywhere %v after it was said", took)
	if took > 5*time.Second {
		t.Errorf("after %v: a blind watcher was not replaced", took)
	}
	f.everywhere("well", func(n *node) bool { return n.ctl.Degraded() == "" })
}

// A document that is wrong is refused whole; one that somebody writes past the
// nodes leaves the old one in force, and says so.
func TestInvalidDocument(t *testing.T) {
	f := newFleet(t, 3, atrion.Config{})
	var good wire.ConfigReply
	f.must("config.set", wire.ConfigRequest{Document: json.RawMessage(`{"ohmic": {"floor": 30}}`), By: "carol"}, &good)
	f.everywhere("good", func(n *node) bool { return n.inForce(t) == good.Revision })

	var refused *client.Error
	err := f.ask("config.set", wire.ConfigRequest{Document: json.RawMessage(`{"voltage": 50, "ohmic": {"floor": -1}}`), Revision: &good.Revision, By: "carol"}, nil)
	if !errors.As(err, &refused) || refused.Code != 400 || refused.Field != "ohmic.floor" || refused.Value != "-1" || refused.Allowed != "0 to 1e+09" {
		t.Errorf("%v", err)
	}
	js, err := jetstream.New(f.nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(context.Background(), control.DefaultBucket)
	if err != nil {
		t.Fatal(err)
	}
	for _, forced := range []string{`{"by": "mallory", "t": 1, "document": {"voltage": -1, "shadow": true}}`, `rubbish`, `{}`} {
		revision, err := kv.PutString(context.Background(), "config", forced)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			e := f.event(func(e control.Event) bool {
				return e.Event == "config" && e.Action == "refused" && e.Revision == revision
			})
			if strings.HasPrefix(forced, `{"by"`) && (e.By != "mallory" || !strings.Contains(e.Error, "voltage is -1 (allowed: above 0")) || e.Error == "" {
				t.Errorf("%+v", e)
			}
		}
		f.everywhere("the old one stays", func(n *node) bool {
			d := n.decide(t, "r", "", 20)
			return n.inForce(t) == good.Revision && d.Terms.Base == 30 && !d.Allow && strings.Contains(n.ctl.Degraded(), "refused")
		})
	}
	h := f.nodes[0].svc.Health()
	if h.Status != "degraded" || len(h.Degraded) != 1 {
		t.Errorf("%+v", h)
	}
	// A node that comes now has no good one to keep, and says so.
	if late := f.startNode("late", atrion.Config{}); late.inForce(t) != 0 || late.ctl.Degraded() == "" {
		t.Errorf("a late node has %d in force, degraded %q", late.inForce(t), late.ctl.Degraded())
	}
	var now wire.ConfigReply
	f.must("config.rollback", wire.ConfigRequest{Revision: &good.Revision, By: "carol"}, &now)
	f.everywhere("good again", func(n *node) bool {
		return n.inForce(t) == now.Revision && n.ctl.Degraded() == "" && n.decide(t, "r", "", 400).Terms.Base == 30
	})
}

// Of operators who edit the same document one wins, and the others are told.
func TestOperatorsRace(t *testing.T) {
	f := newFleet(t, 3, atrion.Config{})
	var first wire.ConfigReply
	f.must("config.set", wire.ConfigRequest{Document: json.RawMessage(`{"voltage": 1}`), By: "carol"}, &first)
	var mu sync.Mutex
	var won []wire.ConfigReply
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			// The revision stands in the document, as "config get" prints it.
			doc := fmt.Sprintf(`{"revision": %d, "voltage": %d}`, first.Revision, i+2)
			var r wire.ConfigReply
			err := f.ask("config.set", wire.ConfigRequest{Document: json.RawMessage(doc), By: fmt.Sprint("op", i)}, &r)
			mu.Lock()
			defer mu.Unlock()
			var refused *client.Error
			switch {
			case err == nil:
				won = append(won, r)
			case !errors.As(err, &refused) || refused.Code != 409 || !strings.Contains(refused.Text, fmt.Sprintf("this was edited from %d", first.Revision)):
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d won", len(won))
	}
	f.everywhere("the winner's", func(n *node) bool { return n.inForce(t) == won[0].Revision })
	err := f.ask("config.set", wire.ConfigRequest{Document: json.RawMessage(`{}`), By: "late"}, nil)
	if err == nil || !strings.Contains(err.Error(), "by "+won[0].By) {
		t.Errorf("who edited nothing: %v", err)
	}
}

func TestHistoryAndRollback(t *testing.T) {
	f := newFleet(t, 2, atrion.Config{})
	var revisions []uint64
	parent := uint64(0)
	for i := range 70 {
		var r wire.ConfigReply
		f.must("config.set", wire.ConfigRequest{Document: json.RawMessage(fmt.Sprintf(`{"voltage": %d}`, i+1)), Revision: &parent, By: "carol", Reason: fmt.Sprint("step ", i)}, &r)
		revisions, parent = append(revisions, r.Revision), r.Revision
	}
	f.must("ban.add", wire.RuleRequest{Subject: "bot", TTL: "1m", By: "alice", Reason: "x"}, nil)
	var h wire.HistoryReply
	f.must("config.history", nil, &h)
	if len(h.Documents) != control.MaxHistory || h.Documents[0].Revision != revisions[69] || h.Documents[63].Revision != revisions[6] || h.Documents[0].Reason != "step 69" || h.Documents[0].Parent != revisions[68] || h.Documents[0].Document != nil {
		t.Fatalf("%d documents, %+v .. %+v", len(h.Documents), h.Documents[0], h.Documents[len(h.Documents)-1])
	}
	var r wire.ConfigReply
	f.must("config.rollback", wire.ConfigRequest{Revision: &revisions[30], By: "dave", Reason: "it was better"}, &r)
	if r.Restores != revisions[30] || r.Parent != revisions[69] || string(r.Document) != `{"voltage":31}` {
		t.Errorf("%+v", r)
	}
	f.everywhere("the old voltage", func(n *node) bool { return n.decide(t, "r", "", 0).Voltage == 31 })
	f.event(func(e control.Event) bool {
		return e.Action == "rollback" && e.By == "dave" && e.Restores == revisions[30] && e.Changes == 1
	})
	f.must("config.get", wire.ConfigRequest{Revision: &revisions[40]}, &r)
	if string(r.Document) != `{"voltage":41}` || r.Revision != revisions[40] {
		t.Errorf("%+v", r)
	}
	var refused *client.Error
	if err := f.ask("config.rollback", wire.ConfigRequest{Revision: &revisions[0], By: "dave"}, nil); !errors.As(err, &refused) || refused.Code != 404 {
		t.Errorf("to one that is gone: %v", err)
	}
	var d wire.DiffReply
	f.must("config.diff", wire.ConfigRequest{Document: json.RawMessage(`{"voltage": 31, "shadow": true}`)}, &d)
	if len(d.Changes) != 1 || d.Changes[0] != (wire.DocumentChange{Path: "shadow", To: "true"}) {
		t.Errorf("%+v", d)
	}
}

// What a rule of one node bans is banned on all, by "rule".
func TestRuleBansEverywhere(t *testing.T) {
	f := newFleet(t, 3, atrion.Config{})
	doc := `{"ban_rules": [{"routes": "login/*", "on": "rejected", "count": 5, "within": "10s", "for": "1m"}], "ohmic": {"floor": 10}}`
	f.must("config.set", wire.ConfigRequest{Document: json.RawMessage(doc), By: "carol"}, nil)
	f.everywhere("the rule", func(n *node) bool { return n.decide(t, "x", "", 400).Terms.Base == 10 })
	typical(t, "the ban of a rule", []time.Duration{timed(func() {
		for range 5 {
			f.nodes[1].decide(t, "login/form", "bot", 5)
		}
		f.everywhere("the ban", func(n *node) bool {
			d := n.decide(t, "login/other", "bot", 400)
			return d.Reason == atrion.Banned && d.Ban.By == "rule" && d.Ban.Reason == "5 rejected in 10s"
		})
	})})
	e := f.event(func(e control.Event) bool { return e.Event == "ban" })
	if e.Action != "add" || e.By != "rule" || e.Node != "n2" || e.Subject != "bot" || e.Route != "login/*" {
		t.Errorf("%+v", e)
	}
	// An operator may end it, everywhere.
	f.must("ban.remove", wire.RuleRequest{Route: "login/*", Subject: "bot", By: "alice"}, nil)
	f.everywhere("the end", func(n *node) bool { return n.decide(t, "login/other", "bot", 400).Allow })
}

// Bounds hold over NATS, and what is asked wrongly is refused by name.
func TestRefusals(t *testing.T) {
	f := newFleet(t, 1, atrion.Config{MaxBans: 3, MaxOverrides: 2})
	for i := range 3 {
		f.must("ban.add", wire.RuleRequest{Subject: fmt.Sprint("s", i), TTL: "1m", By: "a", Reason: "b"}, nil)
	}
	for i := range 2 {
		f.must("override.set", wire.RuleRequest{Route: fmt.Sprint("r", i), Mode: "open", TTL: "1m", By: "a", Reason: "b"}, nil)
	}
	good := wire.RuleRequest{Route: "r1", Subject: "s1", TTL: "1m", By: "a", Reason: "b", Mode: "open"}
	with := func(change func(*wire.RuleRequest)) wire.RuleRequest {
		q := good
		change(&q)
		return q
	}
	zero := uint64(0)
	for _, c := range []struct {
		operation string
		request   any
		code      int
		field     string
	}{
		{"ban.add", with(func(q *wire.RuleRequest) { q.Mode, q.Subject = "", "s9" }), 429, ""},
		{"override.set", with(func(q *wire.RuleRequest) { q.Subject, q.Route = "", "r9" }), 429, ""},
		{"ban.add", with(func(q *wire.RuleRequest) { q.TTL = "" }), 400, "ttl"},
		{"ban.add", with(func(q *wire.RuleRequest) { q.TTL = "10" }), 400, "ttl"},
		{"ban.add", with(func(q *wire.RuleRequest) { q.TTL = "100ms" }), 400, "ttl"},
		{"ban.add", with(func(q *wire.RuleRequest) { q.TTL = "9000h" }), 400, "ttl"},
		{"ban.add", with(func(q *wire.RuleRequest) { q.By = "" }), 400, "by"},
		{"ban.add", with(func(q *wire.RuleRequest) { q.By = "rule" }), 400, "by"},
		{"ban.add", with(func(q *wire.RuleRequest) { q.Reason = "" }), 400, "reason"},
		{"ban.add", with(func(q *wire.RuleRequest) { q.Route, q.Subject = "", "" }), 400, "route"},
		{"ban.add", with(func(q *wire.RuleRequest) { q.Subject = "a b" }), 400, "subject"},
		{"ban.add", map[string]any{"subjct": "bob", "route": "r", "ttl": "1m", "by": "a", "reason": "b"}, 400, ""},
		{"ban.list", wire.RuleRequest{Limit: 1001}, 400, "limit"},
		{"ban.list", wire.RuleRequest{Offset: -1}, 400, "offset"},
		{"override.set", with(func(q *wire.RuleRequest) { q.Mode = "ajar" }), 400, "mode"},
		{"override.set", with(func(q *wire.RuleRequest) { q.Mode = "none" }), 400, "mode"},
		{"override.set", with(func(q *wire.RuleRequest) { q.Route = "" }), 400, "route"},
		{"override.clear", wire.RuleRequest{Route: "r1"}, 400, "by"},
		{"override.clear", wire.RuleRequest{Route: "r7", By: "a"}, 404, ""},
		{"config.set", wire.ConfigRequest{Document: json.RawMessage(`{}`)}, 400, "by"},
		{"config.set", wire.ConfigRequest{By: "a"}, 400, ""},
		{"config.set", wire.ConfigRequest{Document: json.RawMessage(`{"shadw": true}`), By: "a"}, 400, "shadw"},
		{"config.rollback", wire.ConfigRequest{By: "a"}, 400, "revision"},
		{"config.rollback", wire.ConfigRequest{Revision: &zero, By: "a"}, 404, ""},
		{"config.diff", wire.ConfigRequest{Document: json.RawMessage(`{"voltage": 0}`)}, 400, "voltage"},
	} {
		err := f.ask(c.operation, c.request, nil)
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Code != c.code || refused.Field != c.field || c.field != "" && refused.Allowed == "" {
			t.Errorf("%s %+v: %v, want code %d and field %q", c.operation, c.request, err, c.code, c.field)
		}
	}
	if n := f.nodes[0]; len(n.eng.Bans()) != 3 || len(n.eng.Overrides()) != 2 || n.inForce(t) != 0 {
		t.Errorf("something was put in force: %v, %v, %d", n.eng.Bans(), n.eng.Overrides(), n.inForce(t))
	}
}

package bus_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/client"
	"github.com/atrion-io/atrion/internal/lawtest"
	"github.com/atrion-io/atrion/physics/classic"
)

// rig is a node in the test's process: a real NATS server on a real socket, an
// engine, a service, and a connection of somebody else's.
type rig struct {
	t       *testing.T
	server  *bus.Embedded
	eng     *atrion.Engine
	service *bus.Service
	nc      *nats.Conn
}

func newRig(t *testing.T, cfg atrion.Config, opts bus.Options) *rig {
	t.Helper()
	server, err := bus.StartEmbedded(bus.EmbeddedConfig{Port: -1, Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, server: server}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	r.eng, r.service = r.serve(cfg, opts)
	r.nc = r.dial()
	return r
}

// serve adds a node to the rig's NATS.
func (r *rig) serve(cfg atrion.Config, opts bus.Options) (*atrion.Engine, *bus.Service) {
	r.t.Helper()
	if cfg.Law == nil { // what these tests say of numbers is true of the published law
		law, err := classic.New(classic.DefaultConfig())
		if err != nil {
			r.t.Fatal(err)
		}
		cfg.Law = law
	}
	eng, err := atrion.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	if opts.Node == "" {
		opts.Node = "n1"
	}
	service, err := bus.Serve(r.dial(), r.dial(), eng, opts)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(service.Drain(ctx), eng.Close(ctx)); err != nil {
			r.t.Errorf("stop: %v", err)
		}
	})
	return eng, service
}

func (r *rig) dial() *nats.Conn {
	r.t.Helper()
	nc, err := nats.Connect(r.server.ClientURL())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(nc.Close)
	return nc
}

func (r *rig) request(subject string, body []byte) *nats.Msg {
	r.t.Helper()
	m, err := r.nc.Request(subject, body, 5*time.Second)
	if err != nil {
		r.t.Fatalf("%s: %v", subject, err)
	}
	return m
}

// ask returns the JSON answer to a JSON request.
func (r *rig) ask(subject, body string) map[string]any {
	r.t.Helper()
	m := r.request(subject, []byte(body))
	var v map[string]any
	if err := json.Unmarshal(m.Data, &v); err != nil {
		r.t.Fatalf("%s answered %q: %v", subject, m.Data, err)
	}
	return v
}

func (r *rig) publish(subject, body string) {
	r.t.Helper()
	if err := r.nc.Publish(subject, []byte(body)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return
		}
	}
	r.t.Fatalf("not within 10 s: %s", what)
}

func TestDecisionInTheEncodingOfTheRequest(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{})
	for name, body := range map[string]string{"empty": "", "JSON": `{"voltage": 50}`} {
		v := r.ask("atrion.route.api.checkout", body)
		want := 50.0
		if body == "" {
			want = atrion.DefaultVoltage
		}
		if v["allow"] != true || v["route"] != "api.checkout" || v["mode"] != "bootstrap" || v["reason"] != "allowed" || v["voltage"] != want || v["node"] != "n1" {
			t.Errorf("%s request answered %v", name, v)
		}
		terms := v["terms"].(map[string]any)
		sum := terms["base"].(float64) + terms["pressure"].(float64) + terms["momentum"].(float64) + terms["scar"].(float64)
		if sum != v["resistance"] || sum != 12 {
			t.Errorf("terms %v sum to %v, resistance %v, want 12", terms, sum, v["resistance"])
		}
	}
	body, err := msgpack.Marshal(map[string]any{"tier": "bulk"})
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := msgpack.Unmarshal(r.request("atrion.route.r", body).Data, &v); err != nil {
		t.Fatal(err)
	}
	if v["allow"] != true || v["voltage"] != 25.0 {
		t.Errorf("msgpack request answered %v", v)
	}
}

func TestTelemetryMovesARoute(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{})
	r.publish("atrion.telemetry.a%20b.c", `{"latencyMs": 45, "errorRate": 0.01, "saturation": 0.3}`)
	var batch []string
	for i := range 99 {
		batch = append(batch, fmt.Sprintf(`{"l": 45, "e": 0.01, "t": %d}`, 1700000000000+i*100))
	}
	r.publish("atrion.telemetry.a%20b.c", "["+strings.Join(batch, ",")+"]")
	pack, _ := msgpack.Marshal(map[string]any{"l": 45.5, "s": 0.25, "outcome": "ok"})
	r.publish("atrion.telemetry.a%20b.c", string(pack))
	r.eventually("101 samples", func() bool { return r.eng.Stats().Samples == 101 })
	d, err := r.eng.Decide("a b.c", atrion.Telemetry{})
	if err != nil || d.Mode != atrion.Operational || d.Terms.Base != 10 || d.Terms.Scar != 0 || d.Route != "a b.c" {
		t.Errorf("decision %v, %v", d, err)
	}
	if st := r.service.Stats(); st.TelemetryMessages != 3 || st.TelemetrySamples != 101 || st.Refused != 0 {
		t.Errorf("stats %+v", st)
	}
}

// Only differences between the times in one message count: the newest was now.
func TestTimesAreRelative(t *testing.T) {
	law := &lawtest.Recorder{}
	r := newRig(t, atrion.Config{Law: law}, bus.Options{})
	// A sender whose clock is years off.
	r.publish("atrion.telemetry.r", `[{"l": 1, "t": 5000}, {"l": 2, "t": 3000}, {"l": 3, "t": 4500}, {"l": 4}]`)
	r.eventually("4 samples", func() bool { return len(law.Samples()) == 4 })
	got := law.Samples()
	now := got[0].Time
	// Time does not run backwards towards a law: later entries of the message
	// with earlier times are raised to the latest seen.
	for i, s := range got {
		if s.Latency != float64(i+1) || s.Time < now {
			t.Errorf("sample %d: %+v", i, s)
		}
	}
	r.publish("atrion.telemetry.s", `[{"l": 1, "t": 3000}, {"l": 2, "t": 4500}, {"l": 3, "t": 5000}]`)
	r.eventually("3 more", func() bool { return len(law.Samples()) == 7 })
	got = law.Samples()[4:]
	if a, b := got[1].Time-got[0].Time, got[2].Time-got[1].Time; a != int64(1500*time.Millisecond) || b != int64(500*time.Millisecond) {
		t.Errorf("spaced %v and %v, want 1.5 s and 0.5 s", time.Duration(a), time.Duration(b))
	}
}

// With telemetry, a request is the original's route(id, telemetry): the answer
// knows it.
func TestRouteWithTelemetry(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{})
	for i := 1; i <= 50; i++ {
		v := r.ask("atrion.route.r", `{"telemetry": {"latencyMs": 900, "errorRate": 0.6, "saturation": 0.9}, "voltage": 70}`)
		if v["revision"].(float64) < float64(i) {
			t.Fatalf("call %d answered from revision %v", i, v["revision"])
		}
		if i == 50 && (v["allow"] != false || v["mode"] != "circuit_breaker" || v["reason"] != "tripped") {
			t.Errorf("after 50 bad calls: %v", v)
		}
	}
	if st := r.service.Stats(); st.Decisions != 50 || st.Shed == 0 || st.Shed > 45 {
		t.Errorf("stats %+v, want 50 decisions, some of them shed", st)
	}
}

// A hostile message is refused whole, with field, value and allowed range, is
// counted and reported, and changes nothing, to the bit.
func TestHostileMessagesChangeNothing(t *testing.T) {
	var now atomic.Int64 // a clock that stands still while nobody feeds it
	r := newRig(t, atrion.Config{Clock: clockFunc(now.Load)}, bus.Options{})
	for range 30 {
		now.Add(int64(time.Second))
		if _, err := r.eng.Decide("r", atrion.Telemetry{Latency: 45 * time.Millisecond, ErrorRate: 0.02, Saturation: 0.4}); err != nil {
			r.t.Fatal(err)
		}
	}
	route, err := r.eng.Route("r")
	if err != nil {
		t.Fatal(err)
	}
	before, samples := route.Decide(100), r.eng.Stats().Samples

	reports := make(chan *nats.Msg, 100)
	sub, err := r.nc.ChanSubscribe("atrion.event.refused", reports)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	if err := r.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	pack := func(v any) string {
		b, err := msgpack.Marshal(v)
		if err != nil {
			r.t.Fatal(err)
		}
		return string(b)
	}
	hexed := func(s string) string {
		b, err := hex.DecodeString(s)
		if err != nil {
			r.t.Fatal(err)
		}
		return string(b)
	}
	good := `{"l": 45},`
	cases := []struct{ name, body, field string }{
		{"NaN", pack(map[string]any{"l": math.NaN()}), "latencyMs"},
		{"Inf", pack(map[string]any{"latencyMs": math.Inf(1)}), "latencyMs"},
		{"negative", `{"latencyMs": -1}`, "latencyMs"},
		{"too long a latency", `{"latencyMs": 86400001}`, "latencyMs"},
		{"rate above 1", "[" + good + `{"errorRate": 1.5}]`, "errorRate"},
		{"rate below 0", "[" + good + `{"saturation": -0.1}]`, "saturation"},
		{"wrong type", `{"latencyMs": "45"}`, "latencyMs"},
		{"wrong type, msgpack", pack(map[string]any{"errorRate": true}), "errorRate"},
		{"unknown outcome", `{"outcome": "great"}`, "outcome"},
		{"nothing told", `{}`, "latencyMs"},
		{"t apart by more than an hour", `[{"l": 1, "t": 1700000000000}, {"l": 1, "t": 1700003600001}]`, "t"},
		{"2^31 samples claimed", hexed("dd80000000"), ""},
		{"five bytes", hexed("dd02000000"), ""},
		{"truncated", pack(map[string]any{"l": 45.5})[:8], ""},
		{"truncated JSON", `{"latencyMs": 4`, ""},
		{"no message", "hello", ""},
		{"empty", "", ""},
		{"trailing", `{"l": 1}{"l": 2}`, ""},
		{"1 MiB", "[" + strings.Repeat(`{"l":1},`, 1<<17-8) + `{"l":1}]`, ""},
	}
	for _, c := range cases {
		r.publish("atrion.telemetry.r", c.body)
		select {
		case m := <-reports:
			var v map[string]any
			if err := json.Unmarshal(m.Data, &v); err != nil {
				t.Fatal(err)
			}
			field, _ := v["field"].(string)
			if !strings.HasPrefix(field, c.field) || c.field == "" && field != "" || v["subject"] != "atrion.telemetry.r" || v["error"] == "" {
				t.Errorf("%s: reported as %v, want field %q", c.name, v, c.field)
			}
			if c.field != "" && (v["value"] == nil || v["allowed"] == nil) {
				t.Errorf("%s: the report lacks value or range: %v", c.name, v)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: no report", c.name)
		}
		time.Sleep(time.Second / 20) // reports are limited to 20 a second
	}
	// The same as requests: answered, with the field, and no decision.
	for _, c := range []struct{ body, code string }{
		{`{"voltage": -5}`, "400"}, {`{"voltage": "x"}`, "400"}, {`{"telemetry": {"latencyMs": -1}}`, "400"}, {`nonsense`, "400"}, {`{"tier": "vip"}`, "400"},
	} {
		m := r.request("atrion.route.r", []byte(c.body))
		var v map[string]any
		if err := json.Unmarshal(m.Data, &v); err != nil || v["error"] == "" {
			t.Errorf("%s answered %q: %v", c.body, m.Data, err)
		}
		if got := m.Header.Get("Nats-Service-Error-Code"); got != c.code {
			t.Errorf("%s: error code %q, want %s", c.body, got, c.code)
		}
	}
	for _, subject := range []string{"atrion.route.a%", "atrion.route.a%2A", "atrion.route." + strings.Repeat("x", 257)} {
		if m := r.request(subject, nil); m.Header.Get("Nats-Service-Error-Code") != "400" {
			t.Errorf("%.40s answered %q", subject, m.Data)
		}
	}
	if n := r.service.Stats().Refused; n != uint64(len(cases)+8) {
		t.Errorf("%d refused, want %d", n, len(cases)+8)
	}
	if after := route.Decide(100); after != before || r.eng.Stats().Samples != samples || r.eng.Stats().Routes != 1 {
		t.Errorf("state changed from %+v to %+v, stats %+v", before, after, r.eng.Stats())
	}
}

type clockFunc func() int64

func (f clockFunc) Now() int64 { return f() }

func TestReportsOfRefusalsAreBounded(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{})
	sub, err := r.nc.SubscribeSync("atrion.event.refused")
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		r.publish("atrion.telemetry.r", "rubbish")
	}
	r.eventually("all counted", func() bool { return r.service.Stats().Refused == 2000 })
	if n, _, _ := sub.Pending(); n > 100 {
		t.Errorf("%d reports of a flood of rubbish", n)
	}
}

// A retry bids less than its first try, whoever names the voltage.
func TestRetriesBidLess(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{})
	for ask, want := range map[string]float64{
		`{"voltage": 50, "retry": 1}`: 40, `{"tier": "high", "retry": 2}`: 128, `{"retry": 1}`: 80, `{"retry": 1, "hold": true}`: 80,
	} {
		if got := r.ask("atrion.route.r", ask)["voltage"]; math.Abs(got.(float64)-want) > 1e-9 {
			t.Errorf("%s bid %v volts, want %v", ask, got, want)
		}
	}
}

func TestHeldPermits(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{HoldTTL: 300 * time.Millisecond, MaxHolds: 3})
	route, err := r.eng.Route("r")
	if err != nil {
		t.Fatal(err)
	}
	hold := func() string {
		t.Helper()
		permit, _ := r.ask("atrion.route.r", `{"hold": true}`)["permit"].(string)
		if permit == "" {
			t.Fatal("no permit")
		}
		return permit
	}
	a, b := hold(), hold()
	if a == b || route.Inflight() != 2 {
		t.Fatalf("permits %s %s, %d in flight; want two", a, b, route.Inflight())
	}
	r.publish("atrion.telemetry.r", fmt.Sprintf(`{"permit": %q, "latencyMs": 20}`, a))
	r.eventually("the seat is back", func() bool { return route.Inflight() == 1 && r.eng.Stats().Samples == 1 })
	r.publish("atrion.telemetry.r", fmt.Sprintf(`{"permit": %q, "latencyMs": 20}`, a))
	r.eventually("a second report of a permit is a plain observation", func() bool {
		return r.eng.Stats().Samples == 2 && r.service.Stats().UnknownPermits == 1
	})
	if route.Inflight() != 1 {
		t.Errorf("%d in flight: a permit was ended twice", route.Inflight())
	}
	hold()
	hold()
	if m := r.request("atrion.route.r", []byte(`{"hold": true}`)); m.Header.Get("Nats-Service-Error-Code") != "429" {
		t.Errorf("a fourth hold of three was answered %q", m.Data)
	}
	if n := route.Inflight(); n != 3 {
		t.Errorf("%d in flight, want 3", n)
	}
	samples := r.eng.Stats().Samples
	r.eventually("lost permits expire", func() bool { return route.Inflight() == 0 })
	if st := r.service.Stats(); st.HoldsExpired != 3 || st.Holds != 0 || r.eng.Stats().Samples != samples {
		t.Errorf("stats %+v, samples %d: want 3 expired, and nothing learned from them", st, r.eng.Stats().Samples-samples)
	}
}

func TestEventsOnTheBus(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{})
	sub, err := r.nc.SubscribeSync("atrion.event.transition.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for range 60 {
		r.ask("atrion.route.api/x", `{"telemetry": {"latencyMs": 900, "errorRate": 0.9}}`)
	}
	for _, want := range []string{"operational", "circuit_breaker"} {
		m, err := sub.NextMsg(5 * time.Second)
		if err != nil {
			r.t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(m.Data, &v); err != nil {
			r.t.Fatal(err)
		}
		if m.Subject != "atrion.event.transition.api/x" || v["event"] != "transition" || v["to"] != want || v["node"] != "n1" || v["route"] != "api/x" {
			t.Errorf("%s %s, want a transition to %s", m.Subject, m.Data, want)
		}
	}
}

func TestServiceIsDiscoverable(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{Version: "1.2.3"})
	r.ask("atrion.route.r", "")
	var info micro.Info
	var stats micro.Stats
	for verb, v := range map[string]any{"INFO": &info, "STATS": &stats, "PING": &micro.Ping{}} {
		if err := json.Unmarshal(r.request("$SRV."+verb+".atrion", nil).Data, v); err != nil {
			t.Fatalf("%s: %v", verb, err)
		}
	}
	if info.Name != "atrion" || info.Version != "1.2.3" || len(info.Endpoints) != 18 || info.Metadata["node"] != "n1" {
		t.Errorf("info %+v", info)
	}
	for _, e := range stats.Endpoints {
		if e.Name == "route" && (e.NumRequests != 1 || !bytes.Contains(e.Data, []byte(`"decisions":1`))) {
			t.Errorf("stats of the route endpoint %+v %s", e, e.Data)
		}
	}
}

func TestExplainAndHealth(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{})
	if m := r.request("atrion.admin.explain.r", nil); m.Header.Get("Nats-Service-Error-Code") != "404" {
		t.Errorf("explain of an unknown route: %q %v", m.Data, m.Header)
	}
	r.ask("atrion.route.r", `{"telemetry": {"latencyMs": 50}}`)
	c := client.New(r.nc)
	x, err := c.Explain(context.Background(), "r", 5)
	if err != nil || x.Allow || x.Law != "classic" || x.Voltage != 5 || x.Terms.Base != 10 || x.LastSeenMs < 0 || !strings.Contains(x.Text, "is shed") {
		t.Errorf("%+v, %v", x, err)
	}
	v := r.ask("atrion.admin.health", "")
	if v["status"] != "ok" || v["engine"].(map[string]any)["Samples"] != 1.0 || v["bus"].(map[string]any)["decisions"] != 1.0 {
		t.Errorf("health %v", v)
	}
}

// Nodes share the work: every request is answered once, every sample counted
// once.
func TestNodesShareTheQueueGroup(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{})
	eng2, service2 := r.serve(atrion.Config{}, bus.Options{Node: "n2"})
	const n = 200
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range n / 4 {
				if _, err := r.nc.Request("atrion.route.r", nil, 5*time.Second); err != nil {
					t.Errorf("%v", err)
				}
				_ = r.nc.Publish("atrion.telemetry.r", []byte(`{"l": 1}`))
			}
		})
	}
	wg.Wait()
	r.eventually("all samples counted", func() bool { return r.eng.Stats().Samples+eng2.Stats().Samples == n })
	a, b := r.service.Stats(), service2.Stats()
	if a.Decisions+b.Decisions != n || a.Decisions == 0 || b.Decisions == 0 {
		t.Errorf("%d and %d decisions, want %d shared", a.Decisions, b.Decisions, n)
	}
}

// Drain answers what has arrived and lets the next caller know at once that
// nobody listens.
func TestDrain(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{})
	inbox := r.nc.NewInbox()
	answers, err := r.nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	const n = 500
	for range n {
		if err := r.nc.PublishRequest("atrion.route.r", inbox, nil); err != nil {
			r.t.Fatal(err)
		}
		r.publish("atrion.telemetry.r", `{"l": 1}`)
	}
	if err := r.nc.Flush(); err != nil { // all of it has reached the server
		t.Fatal(err)
	}
	// A round trip on the service's own connections: it has reached them too.
	r.ask("atrion.route.r", "")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.service.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	r.eventually("all requests answered", func() bool { got, _, _ := answers.Pending(); return got == n })
	if got := r.eng.Stats().Samples; got != n {
		r.eventually("all samples seen", func() bool { return r.eng.Stats().Samples == n })
	}
	if _, err := r.nc.Request("atrion.route.r", nil, time.Second); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("request after Drain: %v, want no responders", err)
	}
	if _, err := client.New(r.nc).Decide(ctx, "r", client.Request{}); !errors.Is(err, client.ErrNoNode) {
		t.Errorf("client after Drain: %v, want ErrNoNode", err)
	}
	if err := r.service.Drain(ctx); err != nil {
		t.Errorf("second Drain: %v", err)
	}
}

func TestClient(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{})
	c := client.New(r.nc)
	ctx := context.Background()
	d, err := c.Decide(ctx, "a b/*"[:3], client.Request{Tier: "high", Hold: true, Telemetry: &client.Sample{Latency: 30 * time.Millisecond}})
	if err != nil || !d.Allow || d.Voltage != 200 || d.Permit == "" || d.Revision != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	if err := c.Report("a b", client.Sample{Permit: d.Permit, Latency: time.Millisecond}, client.Sample{Outcome: atrion.Error, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	route, _ := r.eng.Route("a b")
	r.eventually("the permit ended and both samples counted", func() bool { return route.Inflight() == 0 && r.eng.Stats().Samples == 3 })
	var refused *client.Error
	if _, err := c.Decide(ctx, "a b", client.Request{Tier: "nobility"}); !errors.As(err, &refused) || refused.Field != "tier" || !strings.Contains(refused.Allowed, "critical, high, normal, low, bulk") {
		t.Errorf("an unknown tier: %v", err)
	}
	refused = nil
	if _, err := c.Decide(ctx, "", client.Request{}); err == nil || errors.As(err, &refused) {
		t.Errorf("an empty route: %v", err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Decide(short, "r", client.Request{}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

// Tiers of the node's own are known on the wire, and others are refused with the
// list of those that are.
func TestTiersOverTheBus(t *testing.T) {
	r := newRig(t, atrion.Config{Tiers: map[string]float64{"gold": 300}}, bus.Options{})
	for ask, want := range map[string]float64{
		`{"tier": "gold"}`: 300, `{"tier": "gold", "voltage": 50}`: 50, `{"tier": "gold", "retry": 1}`: 240, `{"tier": "gold", "hold": true}`: 300,
		`{"tier": "gold", "telemetry": {"v": 20, "l": 5}}`: 300, `{"telemetry": {"v": 20, "l": 5}}`: 20, `{"telemetry": {"v": 20, "l": 5}, "hold": true}`: 20,
		`{"tier": "gold", "telemetry": {"v": 20, "l": 5}, "hold": true}`: 300,
	} {
		if got := r.ask("atrion.route.r", ask)["voltage"]; got != want {
			t.Errorf("%s bid %v volts, want %v", ask, got, want)
		}
	}
	for _, subject := range []string{"atrion.route.r", "atrion.admin.explain.r"} {
		if got := r.ask(subject, `{"tier": "gold"}`)["voltage"]; got != 300. {
			t.Errorf("%s: %v volts", subject, got)
		}
		m := r.request(subject, []byte(`{"tier": "silver"}`))
		if m.Header.Get("Nats-Service-Error-Code") != "400" || !strings.Contains(string(m.Data), "critical, gold, high, normal, low, bulk") {
			t.Errorf("%s with an unknown tier answered %q", subject, m.Data)
		}
	}
}

// Headers say what a request bids where the node trusts them, whatever the body
// says, and are ignored and counted where it does not.
func TestBidsInHeaders(t *testing.T) {
	trusting := newRig(t, atrion.Config{Tiers: map[string]float64{"gold": 300}}, bus.Options{TrustHeaders: true})
	wary := newRig(t, atrion.Config{}, bus.Options{})
	ask := func(r *rig, body string, headers ...string) (volts any, m *nats.Msg) {
		t.Helper()
		m = nats.NewMsg("atrion.route.r")
		m.Data = []byte(body)
		for i := 0; i < len(headers); i += 2 {
			m.Header.Set(headers[i], headers[i+1])
		}
		m, err := r.nc.RequestMsg(m, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(m.Data, &v); err != nil {
			t.Fatal(err)
		}
		return v["voltage"], m
	}
	for _, x := range []struct {
		body    string
		headers []string
		want    float64
	}{
		{`{"voltage": 20}`, nil, 20},
		{`{"voltage": 20}`, []string{bus.TierHeader, "gold"}, 300},
		{`{"tier": "critical", "retry": 1}`, []string{bus.TierHeader, "high"}, 160},
		{``, []string{bus.VoltageHeader, "77.5"}, 77.5},
		{`{"tier": "critical"}`, []string{bus.VoltageHeader, "20", bus.TierHeader, "gold"}, 20},
		{`{"voltage": 20, "hold": true}`, []string{bus.TierHeader, "bulk"}, 25},
		{`{"telemetry": {"v": 400, "l": 5}}`, []string{bus.TierHeader, "bulk"}, 25},
	} {
		if got, _ := ask(trusting, x.body, x.headers...); got != x.want {
			t.Errorf("%s with %v bid %v, want %v", x.body, x.headers, got, x.want)
		}
	}
	for _, bad := range [][]string{
		{bus.VoltageHeader, "much"}, {bus.VoltageHeader, "0"}, {bus.VoltageHeader, "-1"}, {bus.VoltageHeader, "NaN"}, {bus.VoltageHeader, "1e10"}, {bus.TierHeader, "silver"},
	} {
		if _, m := ask(trusting, "", bad...); m.Header.Get("Nats-Service-Error-Code") != "400" {
			t.Errorf("%v answered %q", bad, m.Data)
		}
	}
	for _, h := range [][]string{{bus.TierHeader, "critical"}, {bus.VoltageHeader, "400"}, {bus.VoltageHeader, "much"}} {
		if got, _ := ask(wary, `{"voltage": 20}`, h...); got != 20. {
			t.Errorf("%v: %v volts on a node that does not trust headers", h, got)
		}
	}
	if got, _ := ask(wary, ``, "Other", "400"); got != 100. {
		t.Errorf("another header: %v volts", got)
	}
	if a, b := trusting.service.Stats().Untrusted, wary.service.Stats().Untrusted; a != 0 || b != 3 {
		t.Errorf("%d and %d requests with headers that are not trusted, want 0 and 3", a, b)
	}
}

// One identity may bid high so often and no more, with or without a permit.
func TestQuotaOverTheBus(t *testing.T) {
	r := newRig(t, atrion.Config{Quota: atrion.Quota{Above: 150, Rate: .01, Burst: 2}}, bus.Options{})
	for i, x := range []struct {
		ask    string
		want   float64
		capped any
	}{
		{`{"tier": "critical", "subject": "one"}`, 400, nil},
		{`{"voltage": 300, "subject": "one", "hold": true}`, 300, nil},
		{`{"tier": "critical", "subject": "one"}`, 150, true},
		{`{"tier": "critical", "subject": "one", "hold": true}`, 150, true},
		{`{"tier": "normal", "subject": "one"}`, 100, nil},
		{`{"tier": "critical", "subject": "two"}`, 400, nil},
		{`{"tier": "critical"}`, 400, nil},
		{`{"tier": "critical", "telemetry": {"l": 5}}`, 400, nil},
		{`{"tier": "critical"}`, 150, true},
	} {
		if got := r.ask("atrion.route.r", x.ask); got["voltage"] != x.want || got["capped"] != x.capped {
			t.Errorf("%d, %s: %v volts, capped %v, want %v, %v", i, x.ask, got["voltage"], got["capped"], x.want, x.capped)
		}
	}
	d, err := client.New(r.nc).Decide(context.Background(), "r", client.Request{Tier: "critical", Subject: "one"})
	if err != nil || !d.Capped || d.Voltage != 150 {
		t.Errorf("client: %+v, %v", d, err)
	}
	if got := r.service.Stats().Capped; got != 4 {
		t.Errorf("%d capped, want 4", got)
	}
}

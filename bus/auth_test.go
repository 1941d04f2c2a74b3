package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/providers/natskv"
)

// guarded is a node whose embedded server knows users, and a spy that hears
// everything on it.
type guarded struct {
	t    *testing.T
	e    *Embedded
	eng  *atrion.Engine
	keys map[string]nkeys.KeyPair // of users who have one

	mu    sync.Mutex
	heard map[string]int // messages by subject
}

const adminKey = "the admin's key" // stands for it in the tests

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{t: t, keys: map[string]nkeys.KeyPair{adminKey: pair}, heard: map[string]int{}}
	g.e = startTest(t, EmbeddedConfig{Port: -1, StoreDir: t.TempDir(), Auth: &AuthConfig{
		Buckets: []string{"ATRION_STATE", "ATRION_CONTROL"},
		Users: []User{
			{Name: "svc", Password: "s3", Role: RoleService},
			{Name: "svc2", Password: "s4", Role: RoleService},
			{Name: "obs", Password: "o5", Role: RoleObserver},
			{Name: "peer", Password: "p6", Role: RoleNode},
			{NKey: public, Role: RoleAdmin},
		}}})
	keep := g.must(g.e.Connect("state"))
	if _, err := natskv.Open(t.Context(), keep, natskv.Config{}); err != nil {
		t.Fatal(err)
	}
	if g.eng, err = atrion.New(atrion.Config{}); err != nil {
		t.Fatal(err)
	}
	service, err := Serve(g.must(g.e.ConnectSpeaker("telemetry")), g.must(g.e.ConnectSpeaker("decisions")), g.eng, Options{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { service.Drain(context.Background()); g.eng.Close(context.Background()) })
	spy := g.must(g.e.Connect("spy"))
	if _, err := spy.Subscribe(">", func(m *nats.Msg) {
		g.mu.Lock()
		g.heard[m.Subject]++
		g.mu.Unlock()
	}); err != nil {
		t.Fatal(err)
	}
	if err := spy.Flush(); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *guarded) must(nc *nats.Conn, err error) *nats.Conn {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(nc.Close)
	return nc
}

// as connects over TCP, as that user would.
func (g *guarded) as(user string) *nats.Conn {
	g.t.Helper()
	identity := nats.UserInfo(user, map[string]string{"svc": "s3", "svc2": "s4", "obs": "o5", "peer": "p6"}[user])
	if pair := g.keys[user]; pair != nil {
		user, _ = pair.PublicKey()
		identity = nats.Nkey(user, pair.Sign)
	}
	return g.must(nats.Connect(g.e.ClientURL(), identity, nats.CustomInboxPrefix(InboxPrefix(user)),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})))
}

// was returns how often the spy has heard of subject, after everything that
// was sent so far.
func (g *guarded) was(subject string) int {
	g.t.Helper()
	mark := "mark." + nats.NewInbox()
	if err := g.e.Conn().Publish(mark, nil); err != nil {
		g.t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		g.mu.Lock()
		n, done := g.heard[subject], g.heard[mark] > 0
		g.mu.Unlock()
		if done {
			return n
		}
	}
	g.t.Fatal("the spy is deaf")
	return 0
}

// violation is what the server said to nc about subject; "" if it let it pass.
func violation(t *testing.T, nc *nats.Conn, what, subject string) string {
	t.Helper()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	err := nc.LastError()
	if errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), what) && strings.Contains(err.Error(), `"`+subject+`"`) {
		return err.Error()
	}
	return ""
}

// What each role is not for is refused, one attempt each from a real client:
// other nodes' state, bans, configuration, events, other clients' answers, and
// taking decisions in place of a node.
func TestRolesAreRefused(t *testing.T) {
	g := newGuarded(t)
	forge := []string{
		"$KV.ATRION_STATE.r.n1", "$KV.ATRION_STATE.r.n2", "$KV.ATRION_CONTROL.ban.x", "$KV.ATRION_CONTROL.config.r",
		"$JS.API.INFO", "$JS.API.STREAM.INFO.KV_ATRION_STATE", "$JS.API.STREAM.DELETE.KV_ATRION_STATE", "$JS.API.STREAM.PURGE.KV_ATRION_CONTROL",
		"$JS.hub.API.INFO", "$JS.ACK.x", "atrion.event.transition.r", "atrion.event.refused", "atrion.event.ban.x",
		"atrion.gossip.n1", "atrion.gossip.n2", "_INBOX.x", "_INBOX_obs.x", "_INBOX_atrion.x", "_INBOX_svc2.x", "_INBOX_" + g.public(adminKey) + ".x",
		"$SYS.REQ.SERVER.PING", "other.subject",
	}
	change := []string{"atrion.admin.config.set", "atrion.admin.config.rollback", "atrion.admin.ban.add", "atrion.admin.ban.remove", "atrion.admin.override.set", "atrion.admin.override.clear", "atrion.admin.x"}
	look := []string{
		"atrion.admin.health", "atrion.admin.explain.r", "atrion.node.n1.health", "atrion.node.n1.explain.r",
		"atrion.admin.config.get", "atrion.admin.config.history", "atrion.admin.config.diff", "atrion.admin.ban.list", "atrion.admin.override.list", "$SRV.PING", "$SRV.STATS.atrion",
	}
	work := []string{"atrion.telemetry.r", "atrion.route.r", "atrion.node.n1.telemetry.r", "atrion.node.n2.route.r"}
	listen := []string{
		"atrion.route.>", "atrion.route.r", "atrion.telemetry.>", "atrion.admin.>", "atrion.admin.health", "atrion.node.>", "atrion.gossip.>", "atrion.>", ">", "*.>",
		"$KV.>", "$JS.>", "$SYS.>", "$SRV.>", "_INBOX.>", "_INBOX_peer.>", "_INBOX_atrion.>", "_INBOX_svc2.>",
	}
	concat := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	for _, c := range []struct {
		user                string
		no, yes             []string // publish
		noListen, yesListen []string
	}{
		{"svc", concat(forge, change, look), work, append(listen, "atrion.event.>"), []string{"_INBOX_svc.>", "_INBOX_svc.x.*"}},
		{"obs", concat(remove(forge, "_INBOX_obs.x"), []string{"_INBOX_obs.x"}, change, work), look, listen, []string{"_INBOX_obs.>", "atrion.event.>", "atrion.event.ban.*"}},
		{adminKey, concat(forge, work), concat(change, look), listen, []string{"_INBOX_" + g.public(adminKey) + ".>", "atrion.event.>"}},
		{"peer", []string{"$KV.OTHER.k", "$JS.API.STREAM.DELETE.KV_OTHER", "$JS.API.STREAM.CREATE.ORDERS", "$JS.API.STREAM.NAMES", "$SYS.REQ.SERVER.PING", "_INBOX_svc.x", "_INBOX_obs.x", "other.subject"},
			concat(work, []string{"atrion.event.transition.r", "atrion.gossip.n2", "$KV.ATRION_STATE.r.n2", "$JS.API.STREAM.INFO.KV_ATRION_STATE", "$JS.hub.API.CONSUMER.CREATE.KV_ATRION_CONTROL.a.b"}),
			[]string{">", "$KV.>", "$JS.>", "$SYS.>", "_INBOX.>", "_INBOX_svc.>"}, []string{"atrion.>", "$SRV.>", "_INBOX_peer.>"}},
	} {
		nc := g.as(c.user)
		for _, subject := range c.no {
			before := g.was(subject)
			if err := nc.Publish(subject, []byte("forged")); err != nil {
				t.Fatal(err)
			}
			if violation(t, nc, "Publish", subject) == "" || g.was(subject) != before {
				t.Errorf("%s may publish %s", c.user, subject)
			}
		}
		for _, subject := range c.yes {
			before := g.was(subject)
			if err := nc.Publish(subject, nil); err != nil {
				t.Fatal(err)
			}
			if v := violation(t, nc, "Publish", subject); v != "" || g.was(subject) == before {
				t.Errorf("%s may not publish %s: %q", c.user, subject, v)
			}
		}
		for _, group := range []string{"", Group, "q"} {
			for _, subject := range c.noListen {
				sub, err := nc.QueueSubscribeSync(subject, group)
				if err != nil {
					t.Fatal(err)
				}
				if violation(t, nc, "Subscription", subject) == "" {
					t.Errorf("%s may listen on %s in group %q", c.user, subject, group)
				}
				_ = sub.Unsubscribe()
			}
		}
		for _, subject := range c.yesListen {
			if _, err := nc.SubscribeSync(subject); err != nil {
				t.Fatal(err)
			}
			if v := violation(t, nc, "Subscription", subject); v != "" {
				t.Errorf("%s may not listen on %s: %q", c.user, subject, v)
			}
		}
	}
}

func remove(list []string, out string) (rest []string) {
	for _, s := range list {
		if s != out {
			rest = append(rest, s)
		}
	}
	return rest
}

func (g *guarded) public(user string) string {
	public, err := g.keys[user].PublicKey()
	if err != nil {
		g.t.Fatal(err)
	}
	return public
}

// What each role is for works, answers included.
func TestRolesWork(t *testing.T) {
	g := newGuarded(t)
	svc := g.as("svc")
	if err := svc.Publish("atrion.telemetry.r", []byte(`{"errorRate":1}`)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ user, subject, field string }{
		{"svc", "atrion.route.r", "allow"}, {"svc2", "atrion.route.r", "allow"},
		{"obs", "atrion.admin.health", "status"}, {"obs", "atrion.admin.explain.r", "text"}, {"obs", "atrion.node.n1.health", "status"}, {"obs", "$SRV.INFO.atrion", "endpoints"},
		{adminKey, "atrion.admin.health", "status"}, {adminKey, "atrion.node.n1.explain.r", "text"}, {adminKey, "$SRV.PING", "name"},
		{"peer", "atrion.route.r", "allow"}, {"peer", "atrion.node.n1.health", "status"},
	} {
		m, err := g.as(c.user).Request(c.subject, nil, 5*time.Second)
		if err != nil {
			t.Errorf("%s asks %s: %v", c.user, c.subject, err)
			continue
		}
		var v map[string]any
		if err := json.Unmarshal(m.Data, &v); err != nil || v[c.field] == nil {
			t.Errorf("%s asks %s: %s, %v", c.user, c.subject, m.Data, err)
		}
	}
	// Another node uses the buckets, and makes the ones that are its own.
	js, err := jetstream.New(g.as("peer"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(within(t), jetstream.KeyValueConfig{Bucket: "ATRION_CONTROL"}); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // what is refused is not answered
	defer cancel()
	if _, err := js.CreateKeyValue(short, jetstream.KeyValueConfig{Bucket: "OTHER"}); err == nil {
		t.Error("a node may make any bucket")
	}
	p, err := natskv.Open(t.Context(), g.as("peer"), natskv.Config{TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.Background())
	if s := p.Status(); !s.Ready {
		t.Errorf("the state bucket for a node: %+v", s)
	}
}

// Whoever asks chooses where the answer goes. A node must not be made to write
// state, or to give orders, by being asked to answer there.
func TestAnswersGoToInboxesOnly(t *testing.T) {
	g := newGuarded(t)
	open := startTest(t, EmbeddedConfig{Port: -1, Memory: true})
	targets := []string{"$KV.ATRION_STATE.r.n1", "$KV.ATRION_CONTROL.ban.x", "$JS.API.STREAM.DELETE.KV_ATRION_STATE", "atrion.admin.ban.add", "atrion.telemetry.victim", "atrion.event.transition.r"}
	for _, c := range []struct {
		user    string
		ask     []string
		targets []string
	}{
		{"svc", []string{"atrion.route.r"}, targets},
		{"obs", []string{"atrion.admin.health", "atrion.admin.explain.r", "atrion.node.n1.health"}, targets},
		// These the service does not see; the server holds the node back.
		{"obs", []string{"$SRV.PING", "$SRV.INFO", "$SRV.STATS.atrion"}, targets[:5]},
	} {
		nc := g.as(c.user)
		for _, subject := range c.ask {
			for _, target := range c.targets {
				asked, before := g.was(subject), g.was(target)
				if err := nc.PublishRequest(subject, target, nil); err != nil {
					t.Fatal(err)
				}
				// A second request, answered, has overtaken nothing.
				if _, err := nc.Request(subject, nil, 5*time.Second); err != nil {
					t.Fatalf("%s: %v", subject, err)
				}
				if g.was(subject) != asked+2 || g.was(target) != before {
					t.Errorf("%s on %s, to be answered on %s: heard there", c.user, subject, target)
				}
			}
		}
	}
	// A header asks the server for a trace message.
	svc := g.as("svc")
	m := nats.NewMsg("atrion.telemetry.r")
	m.Header.Set("Nats-Trace-Dest", targets[0])
	m.Data = []byte(`{"errorRate":1}`)
	before := g.was(targets[0])
	if err := errors.Join(svc.PublishMsg(m), svc.Flush()); err != nil || g.was(targets[0]) != before {
		t.Errorf("a trace message was written to %s, %v", targets[0], err)
	}

	// The same without users, where the service alone stands in the way.
	eng, err := atrion.New(atrion.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close(context.Background())
	tele, _ := open.Connect("telemetry")
	dec, _ := open.Connect("decisions")
	s, err := Serve(tele, dec, eng, Options{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Drain(context.Background())
	kv := bucket(t, open.Conn())
	nc := g.must(nats.Connect(open.ClientURL()))
	for range 3 {
		if err := nc.PublishRequest("atrion.route.r", "$KV.B.k", nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := nc.Request("atrion.route.r", nil, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if e, err := kv.Get(within(t), "k"); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("an answer was stored: %v, %v", e, err)
	}
	if n := s.Stats().Refused; n != 3 {
		t.Errorf("%d refused; want 3", n)
	}
}

// The node's own users are for its own process.
func TestEngineUserOverTCP(t *testing.T) {
	g := newGuarded(t)
	for _, u := range []*engineUser{g.e.engine.keeper, g.e.engine.speaker} {
		if nc, err := nats.Connect(g.e.ClientURL(), u.options()...); err == nil {
			nc.Close()
			t.Error("an engine user came in over TCP")
		}
	}
	for _, opts := range [][]nats.Option{nil, {nats.UserInfo("svc", "wrong")}, {nats.UserInfo("atrion", "")}, {nats.UserInfo("root", "s3")}} {
		if nc, err := nats.Connect(g.e.ClientURL(), opts...); !errors.Is(err, nats.ErrAuthorization) {
			nc.Close()
			t.Errorf("a stranger: %v", err)
		}
	}
}

func TestUserValidate(t *testing.T) {
	const key = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
	for _, c := range []struct {
		u    User
		says string
	}{
		{User{Name: "a", Password: "p", Role: RoleService}, ""},
		{User{Name: "a-b_C9", Password: "$2a$11$x", Role: RoleNode}, ""},
		{User{NKey: key, Role: RoleAdmin}, ""},
		{User{}, "one of the two"},
		{User{Name: "a", NKey: key, Role: RoleAdmin}, "one of the two"},
		{User{NKey: key, Password: "MARKER", Role: RoleAdmin}, "the key is enough"},
		{User{NKey: "SUAMARKER", Role: RoleAdmin}, "stays with the user"},
		{User{Name: "a", Role: RoleService}, "password is empty for user a"},
		{User{Name: "a.b", Password: "MARKER", Role: RoleService}, "letters, digits"},
		{User{Name: "a b", Password: "MARKER", Role: RoleService}, "letters, digits"},
		{User{Name: "*", Password: "MARKER", Role: RoleService}, "letters, digits"},
		{User{Name: "atrion", Password: "MARKER", Role: RoleService}, "the node itself"},
		{User{Name: "a", Password: "MARKER"}, `role is "" for user a; allowed: service, observer, admin, node`},
		{User{Name: "a", Password: "MARKER", Role: "root"}, "service, observer, admin, node"},
	} {
		err := c.u.Validate()
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%v: %v", c.u, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "MARKER")):
			t.Errorf("%v: %v; want %q", c.u, err, c.says)
		}
	}
	twice := AuthConfig{Users: []User{{Name: "a", Password: "p", Role: RoleService}, {Name: "a", Password: "q", Role: RoleAdmin}}}
	if err := twice.Validate(); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("one user with two roles: %v", err)
	}
}

func TestSecretHides(t *testing.T) {
	u := User{Name: "a", Password: "MARKER", Role: RoleService}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "user", u, "password", u.Password, "p", &u)
	j, err := json.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{log.String(), string(j), fmt.Sprint(u), fmt.Sprintf("%v %+v %#v %s %q", u, &u, u, u.Password, u.Password)} {
		if strings.Contains(s, "MARKER") {
			t.Errorf("printed: %s", s)
		}
	}
}

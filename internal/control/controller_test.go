package control

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion"
)

func newEngine(t *testing.T) *atrion.Engine {
	t.Helper()
	e, err := atrion.New(atrion.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

// stores are both stores, on what they really live on.
func stores(t *testing.T) map[string]Store {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), JetStreamMaxMemory: 1 << 28, JetStreamMaxStore: 1 << 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	kv, err := NewKV(nc, KVConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Store{"memory": &Memory{}, "kv": kv}
}

// log is a follower that writes down what it is told.
type log struct{ lines chan string }

func (l log) Began(lost bool) { l.lines <- map[bool]string{false: "began", true: "lost"}[lost] }
func (l log) Found(key string, value []byte, revision uint64, age time.Duration) {
	if revision == 0 || age < 0 || age > 10*time.Second {
		l.lines <- "a wrong entry"
	}
	l.lines <- key + "=" + string(value)
}
func (l log) Gone(key string) { l.lines <- "gone " + key }
func (l log) Current()        { l.lines <- "current" }

func (l log) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-l.lines:
			if got != w {
				t.Fatalf("told %q, want %q", got, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("not told %q", w)
		}
	}
}

// Both stores are one contract.
func TestStores(t *testing.T) {
	ctx := context.Background()
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			l := log{make(chan string, 100)}
			s.Follow(l)
			l.expect(t, "began", "current")
			if _, err := s.Newest(ctx); !errors.Is(err, ErrNotFound) {
				t.Errorf("Newest of nothing: %v", err)
			}
			if all, err := s.History(ctx); err != nil || len(all) != 0 {
				t.Errorf("History of nothing: %v, %v", all, err)
			}
			first := Record{By: "a", Document: []byte(`{"voltage":1}`)}
			if _, err := s.Write(ctx, first, 7); !errors.Is(err, ErrConflict) {
				t.Errorf("Write on what is not there: %v", err)
			}
			r1, err := s.Write(ctx, first, 0)
			if err != nil || r1 == 0 {
				t.Fatalf("%d, %v", r1, err)
			}
			if _, err := s.Write(ctx, first, 0); !errors.Is(err, ErrConflict) {
				t.Errorf("a second first: %v", err)
			}
			<-l.lines
			for _, v := range []string{"x", "y"} { // one by one: followers may skip what was replaced
				if err := s.Put(ctx, "ban.1", []byte(v), time.Minute); err != nil {
					t.Fatal(err)
				}
				l.expect(t, "ban.1="+v)
			}
			r2, err := s.Write(ctx, Record{By: "b", Document: []byte(`{"voltage":2}`)}, r1)
			if err != nil || r2 <= r1 {
				t.Fatalf("%d after %d, %v", r2, r1, err)
			}
			if _, err := s.Write(ctx, first, r1); !errors.Is(err, ErrConflict) {
				t.Errorf("Write on an old one: %v", err)
			}
			<-l.lines
			if err := s.Delete(ctx, "ban.1"); err != nil {
				t.Fatal(err)
			}
			l.expect(t, "gone ban.1")
			now, err := s.Newest(ctx)
			if err != nil || now.Revision != r2 || now.By != "b" || string(now.Document) != `{"voltage":2}` {
				t.Errorf("%+v, %v", now, err)
			}
			all, err := s.History(ctx)
			if err != nil || len(all) != 2 || all[0].Revision != r2 || all[1].Revision != r1 || all[1].By != "a" {
				t.Errorf("%+v, %v", all, err)
			}
			if why := s.Degraded(); why != "" {
				t.Errorf("degraded: %s", why)
			}
			if err := s.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// A store in a process of its own: what is written while a follower is away is
// told when it comes back, and what was taken away is not.
func TestNewFollowerIsToldTheRest(t *testing.T) {
	ctx := context.Background()
	s := stores(t)["kv"].(*KV)
	l := log{make(chan string, 100)}
	s.Follow(l)
	l.expect(t, "began", "current")
	for _, k := range []string{"ban.1", "ban.2"} {
		if err := s.Put(ctx, k, []byte("x"), time.Minute); err != nil {
			t.Fatal(err)
		}
		l.expect(t, k+"=x")
	}
	if err := s.Delete(ctx, "ban.1"); err != nil {
		t.Fatal(err)
	}
	l.expect(t, "gone ban.1")
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	again, err := NewKV(s.nc, KVConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close(ctx)
	l = log{make(chan string, 100)}
	again.Follow(l)
	l.expect(t, "began")
	for line := <-l.lines; line != "current"; line = <-l.lines {
		if line != "ban.2=x" && line != "gone ban.1" {
			t.Errorf("told %q", line)
		}
	}
}

// A bucket that is deleted and made again is another store.
func TestLostBucket(t *testing.T) {
	ctx := context.Background()
	s := stores(t)["kv"].(*KV)
	l := log{make(chan string, 100)}
	s.Follow(l)
	defer s.Close(ctx)
	l.expect(t, "began", "current")
	js, err := jetstream.New(s.nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteKeyValue(ctx, DefaultBucket); err != nil {
		t.Fatal(err)
	}
	l.expect(t, "lost", "current")
	if err := s.Put(ctx, "ban.9", []byte("x"), time.Minute); err != nil {
		t.Fatal(err)
	}
	l.expect(t, "ban.9=x")
}

func value(r rule) []byte { return encode(r) }

// What left the store while nobody looked is lifted; a store that was lost lifts
// nothing, and neither does a marker of what has expired.
func TestWhatLiftsABan(t *testing.T) {
	e := newEngine(t)
	c := New(e, &Memory{}, Options{})
	f := (*follower)(c)
	b := rule{Subject: "bob", By: "alice", Reason: "x", TTLMs: 60_000}
	o := rule{Route: "r", Mode: "open", By: "alice", Reason: "x", TTLMs: 60_000}
	inForce := func(bans, overrides int) {
		t.Helper()
		if nb, no := len(e.Bans()), len(e.Overrides()); nb != bans || no != overrides {
			t.Fatalf("%d bans and %d overrides in force, want %d and %d", nb, no, bans, overrides)
		}
	}
	both := func() {
		f.Found(banKey("", "bob"), value(b), 1, 10*time.Second)
		f.Found(overrideKey("r"), value(o), 2, 0)
	}
	f.Began(false)
	both()
	f.Current()
	inForce(1, 1)
	if left := e.Bans()[0].TTL; left > 50*time.Second || left < 40*time.Second {
		t.Errorf("%v left of a minute after 10 s", left)
	}
	f.Began(true)
	f.Current()
	inForce(1, 1) // another store: nobody took them away
	f.Began(false)
	f.Found(overrideKey("r"), value(o), 2, time.Second)
	f.Current()
	inForce(0, 1)
	f.Gone(overrideKey("r"))
	inForce(0, 0)
	f.Gone(overrideKey("never seen"))

	// One that has nearly expired, another of the same name from a rule, and then
	// the marker of the first.
	f.Found(banKey("", "bob"), value(b), 3, 59_500*time.Millisecond)
	if err := e.Ban(atrion.Ban{Subject: "bob", TTL: time.Minute, By: "rule", Reason: "again"}); err != nil {
		t.Fatal(err)
	}
	f.Gone(banKey("", "bob"))
	inForce(1, 0)

	// What cannot be in force, is not, and harms nothing.
	for key, bad := range map[string]rule{
		banKey("", "x"): {Subject: "x", By: "a", Reason: "b", TTLMs: -5}, banKey("", "y"): {By: "a", Reason: "b", TTLMs: 1000},
		overrideKey("z"): {Route: "z", Mode: "ajar", By: "a", Reason: "b", TTLMs: 1000},
	} {
		f.Found(key, value(bad), 4, 0)
	}
	f.Found("ban.rubbish", []byte("{"), 5, 0)
	f.Found("something else", nil, 6, 0)
	inForce(1, 0)
}

// Keys are what a bucket takes, and tell rules apart.
func TestKeys(t *testing.T) {
	seen := map[string]string{}
	for _, pattern := range []string{"", "*", "a", "a.b", "a=b", "a=2Eb", "A b/ü*", ".a", "a."} {
		for _, key := range []string{banKey(pattern, "s"), overrideKey(pattern)} {
			for _, c := range key {
				if c != '.' && c != '=' && c != '_' && c != '-' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') {
					t.Errorf("%q has %q", key, c)
				}
			}
			if other, had := seen[key]; had {
				t.Errorf("%q and %q are both %q", pattern, other, key)
			}
			seen[key] = pattern
		}
	}
	if banKey("a", "b") == banKey("ab", "") || banKey("a", "") == banKey("", "a") {
		t.Error("bans of different names share a key")
	}
}

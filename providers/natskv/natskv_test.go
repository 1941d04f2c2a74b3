package natskv

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/providertest"
)

func TestConformance(t *testing.T) {
	for _, memory := range []bool{false, true} {
		t.Run(fmt.Sprintf("memory=%v", memory), func(t *testing.T) {
			nc := dial(t, startServer(t).url())
			n := 0
			config := func() Config { return Config{Bucket: fmt.Sprint("B", n), Memory: memory, MaxBytes: 4 << 20} }
			providertest.Run(t, providertest.Options{
				Open:   func(t *testing.T) providers.Provider { n++; return open(t, nc, config()) },
				Reopen: func(t *testing.T) providers.Provider { return open(t, nc, config()) },
				OpenBounded: func(t *testing.T, max int) providers.Provider {
					n++
					c := config()
					c.MaxEntries = max
					return open(t, nc, c)
				},
			})
		})
	}
}

func TestConfig(t *testing.T) {
	nc := dial(t, startServer(t).url())
	for _, c := range []struct {
		config Config
		says   string
	}{
		{Config{Bucket: "a.b"}, `Bucket is "a.b"; allowed: letters`},
		{Config{Domain: "a b"}, `Domain is "a b"`},
		{Config{Replicas: 6}, "Replicas is 6; allowed: 1..5"},
		{Config{Replicas: -1}, "Replicas is -1"},
		{Config{MaxBytes: -1}, "MaxBytes is -1"},
		{Config{MaxValue: 1<<20 + 1}, "MaxValue is 1048577; allowed: 1..1048576"},
		{Config{MaxEntries: -1}, "MaxEntries is -1"},
		{Config{TTL: time.Millisecond}, "TTL is 1ms; allowed: 0, or 1s"},
		{Config{MarkerTTL: time.Millisecond}, "MarkerTTL is 1ms"},
		{Config{Timeout: -1}, "Timeout is -1ns"},
		{Config{Interval: 1}, "Interval is 1ns"},
	} {
		if _, err := Open(t.Context(), nc, c.config); !errors.Is(err, ErrInvalidConfig) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Open(%+v): %v; want %q", c.config, err, c.says)
		}
	}
}

func TestBucketIsAsConfigured(t *testing.T) {
	nc := dial(t, startServer(t).url())
	open(t, nc, Config{Memory: true, MaxBytes: 1 << 20, MaxValue: 100, MarkerTTL: 3 * time.Second})
	js, _ := jetstream.New(nc)
	s, err := js.Stream(t.Context(), "KV_"+DefaultBucket)
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	if c.Storage != jetstream.MemoryStorage || c.MaxBytes != 1<<20 || c.MaxMsgSize != 100+headerRoom || c.MaxMsgsPerSubject != 1 ||
		!c.AllowMsgTTL || c.SubjectDeleteMarkerTTL != 3*time.Second || c.Replicas != 1 {
		t.Errorf("%+v", c)
	}
	// Whoever comes second takes it as it is.
	mustPut(t, open(t, nc, Config{MaxBytes: 1 << 21}), key("r", "n"), "v")
}

// Every write starts the time to live anew, and an entry nobody writes is gone.
func TestTTL(t *testing.T) {
	nc := dial(t, startServer(t).url())
	p := open(t, nc, Config{TTL: time.Second, Memory: true})
	w, err := p.Watch(t.Context(), providers.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, p, key("dies", "n"), "v")
	start := time.Now()
	// Written again and again, "lives" must outlast several times to live.
	stop := make(chan struct{})
	written := make(chan struct{})
	go func() {
		defer close(written)
		for {
			p.Put(context.Background(), key("lives", "n"), []byte("v"))
			select {
			case <-time.After(200 * time.Millisecond):
			case <-stop:
				return
			}
		}
	}()
	died := func(route string) func(providers.Event) bool {
		return func(ev providers.Event) bool {
			if ev.Kind == providers.Changed && ev.Entry.Deleted && ev.Entry.Key.Route == "lives" && route != "lives" {
				t.Error("an entry that is written died")
			}
			return ev.Kind == providers.Changed && ev.Entry.Deleted && ev.Entry.Key.Route == route
		}
	}
	collect(t, w, 5*time.Second, died("dies"))
	if d := time.Since(start); d < 900*time.Millisecond {
		t.Errorf("died after %v", d)
	}
	if _, err := p.Get(t.Context(), key("dies", "n")); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("Get of a dead entry: %v", err)
	}
	if !has(t, p, key("lives", "n"), "v")() {
		t.Error("an entry that is written is not there")
	}
	close(stop)
	<-written
	collect(t, w, 5*time.Second, died("lives")) // also the last of several writes has one
}

func TestTTLNeedsBucket(t *testing.T) {
	nc := dial(t, startServer(t).url())
	js, _ := jetstream.New(nc)
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "OLD"}); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), nc, Config{Bucket: "OLD", TTL: time.Minute})
	if !errors.Is(err, ErrInvalidConfig) || !strings.Contains(err.Error(), "TTL is 1m0s") || !strings.Contains(err.Error(), "allow-msg-ttl") {
		t.Errorf("%v", err)
	}
	p := open(t, nc, Config{Bucket: "OLD"})
	mustPut(t, p, key("r", "n"), "v")
	if err := p.Delete(t.Context(), key("r", "n")); err != nil {
		t.Error(err)
	}
}

func TestTwoNodes(t *testing.T) {
	s := startServer(t)
	a, b := open(t, dial(t, s.url()), Config{}), open(t, dial(t, s.url()), Config{})
	w, err := b.Watch(t.Context(), providers.Filter{Route: "r"})
	if err != nil {
		t.Fatal(err)
	}
	collect(t, w, 5*time.Second, kindIs(providers.Synced))
	rev := mustPut(t, a, key("r", "a"), "v")
	got := collect(t, w, 5*time.Second, changes(key("r", "a"), "v"))
	if last := got[len(got)-1].Entry; last.Revision != rev {
		t.Errorf("revision %d; want %d", last.Revision, rev)
	}
	// Both say the same time for it, the server's: not the writer's clock.
	ea, _ := a.Get(t.Context(), key("r", "a"))
	eb, _ := b.Get(t.Context(), key("r", "a"))
	eventually(t, 5*time.Second, "the same time", func() bool {
		ea, _ = a.Get(t.Context(), key("r", "a"))
		return ea.Time.Equal(eb.Time)
	})
}

// A restart of the server with its files: the KV API's watcher would be blind
// for 10 to 20 s; this one must see again within two.
func TestServerRestart(t *testing.T) {
	s := startServer(t)
	// No regular look at the bucket helps here, and the client would buffer.
	p := open(t, dial(t, s.url()), Config{Interval: time.Hour, Timeout: 5 * time.Second})
	for i := range 20 {
		mustPut(t, p, key(fmt.Sprint("r", i), "n"), "before")
	}
	w, err := p.Watch(t.Context(), providers.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	collect(t, w, 5*time.Second, kindIs(providers.Synced))

	s.stop()
	eventually(t, 5*time.Second, "degraded", func() bool { return !p.Status().Ready })
	if why := p.Status().Degraded; !strings.Contains(why, "NATS connection") {
		t.Errorf("Degraded = %q", why)
	}
	start := time.Now()
	if _, err := p.Put(t.Context(), key("r1", "n"), nil); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("Put without server: %v", err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("Put without server took %v", d)
	}
	if !has(t, p, key("r1", "n"), "before")() {
		t.Error("Get does not answer from the mirror")
	}
	n := 0
	for _, err := range p.List(t.Context(), providers.Filter{}) {
		if err != nil {
			t.Error(err)
		}
		n++
	}
	if n != 20 {
		t.Errorf("List yields %d entries without server; want 20", n)
	}

	s.start()
	start = time.Now()
	other := open(t, dial(t, s.url()), Config{})
	mustPut(t, other, key("r1", "m"), "after")
	got := collect(t, w, 2*time.Second, changes(key("r1", "m"), "after"))
	t.Logf("saw a change %v after the server's return", time.Since(start))
	for _, ev := range got {
		if ev.Kind != providers.Changed || ev.Entry.Deleted {
			t.Errorf("an event of a loss, but nothing was lost: %+v", ev)
		}
	}
	eventually(t, 2*time.Second, "ready", func() bool { return p.Status().Ready })
	mustPut(t, p, key("r1", "n"), "after")
	if st := p.Status(); st.Resets != 0 || st.Entries != 21 {
		t.Errorf("Status = %+v; want no reset and 21 entries", st)
	}
}

// What was deleted while the connection was down must be noticed, though
// nobody says so any more.
func TestDeletedWhileAway(t *testing.T) {
	s := startServer(t)
	gate := newGate(t, s.url())
	p := open(t, dial(t, gate.url()), Config{})
	other := open(t, dial(t, s.url()), Config{})
	mustPut(t, other, key("stays", "m"), "v")
	mustPut(t, other, key("goes", "m"), "v")
	eventually(t, 5*time.Second, "both", func() bool { return p.Status().Entries == 2 })
	w, err := p.Watch(t.Context(), providers.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	collect(t, w, 5*time.Second, kindIs(providers.Synced))
	gate.shut()
	eventually(t, 5*time.Second, "degraded", func() bool { return !p.Status().Ready })
	if err := other.Delete(t.Context(), key("goes", "m")); err != nil {
		t.Fatal(err)
	}
	// Even the marker of the deletion is gone.
	js, _ := jetstream.New(dial(t, s.url()))
	stream, err := js.Stream(t.Context(), "KV_"+DefaultBucket)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject("$KV."+DefaultBucket+"."+FormatKey(key("goes", "m")))); err != nil {
		t.Fatal(err)
	}
	gate.open()
	got := collect(t, w, 5*time.Second, func(ev providers.Event) bool { return ev.Entry.Deleted })
	if len(got) != 1 || got[0].Entry.Key != key("goes", "m") {
		t.Errorf("events %+v", got)
	}
	if !has(t, p, key("stays", "m"), "v")() || p.Status().Entries != 1 {
		t.Errorf("Status = %+v", p.Status())
	}
}

// A bucket in memory is gone with its server, and begins at revision 1 again.
func TestMemoryBucketLost(t *testing.T) {
	s := startServer(t)
	p := open(t, dial(t, s.url()), Config{Memory: true})
	var last uint64
	for i := range 20 {
		last = mustPut(t, p, key(fmt.Sprint("r", i), "n"), "before")
	}
	w, err := p.Watch(t.Context(), providers.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	collect(t, w, 5*time.Second, kindIs(providers.Synced))
	s.stop()
	s.start()
	start := time.Now()

	collect(t, w, 2*time.Second, kindIs(providers.Reset))
	t.Logf("noticed the loss %v after the server's return", time.Since(start))
	got := collect(t, w, 2*time.Second, kindIs(providers.Synced))
	gone := 0
	for _, ev := range got {
		if ev.Entry.Deleted {
			gone++
		}
	}
	if gone != 20 {
		t.Errorf("%d deletions between reset and synced; want 20", gone)
	}
	// The owner writes again, as Reset asks it to; another node sees it,
	// although the revisions are lower than the ones it saw before.
	rev := mustPut(t, p, key("r1", "n"), "after")
	if rev >= last {
		t.Errorf("revision %d is not from a new bucket: it was %d", rev, last)
	}
	collect(t, w, 2*time.Second, changes(key("r1", "n"), "after"))
	if !has(t, open(t, dial(t, s.url()), Config{Memory: true}), key("r1", "n"), "after")() {
		t.Error("another provider does not see it")
	}
	if st := p.Status(); st.Resets != 1 || st.Entries != 1 || !st.Ready || st.Revision != rev {
		t.Errorf("Status = %+v", st)
	}
}

// The same among two nodes, where the other one is first to make the bucket
// anew and writes before we are back: its revisions are ones we have passed.
func TestMemoryBucketLostForTwo(t *testing.T) {
	s := startServer(t)
	gate := newGate(t, s.url())
	p := open(t, dial(t, gate.url()), Config{Memory: true})
	for i := range 20 {
		mustPut(t, p, key(fmt.Sprint("r", i), "n"), "before")
	}
	gate.shut()
	s.stop()
	s.start()
	other := open(t, dial(t, s.url()), Config{Memory: true})
	for i := range 3 {
		mustPut(t, other, key(fmt.Sprint("r", i), "m"), "after")
	}
	gate.open()
	for i := range 3 {
		eventually(t, 2*time.Second, "a low revision", has(t, p, key(fmt.Sprint("r", i), "m"), "after"))
	}
	eventually(t, 2*time.Second, "three entries", func() bool { return p.Status().Entries == 3 })
}

// A bucket that is deleted, or made anew, under a connection that stays up.
func TestBucketReplaced(t *testing.T) {
	nc := dial(t, startServer(t).url())
	js, _ := jetstream.New(nc)
	p := open(t, nc, Config{Interval: 50 * time.Millisecond})
	for round := range 2 {
		for i := range 5 {
			mustPut(t, p, key(fmt.Sprint("r", i), "n"), "v")
		}
		w, err := p.Watch(t.Context(), providers.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		collect(t, w, 5*time.Second, kindIs(providers.Synced))
		if err := js.DeleteKeyValue(t.Context(), DefaultBucket); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: DefaultBucket}); err != nil {
				t.Fatal(err)
			}
		}
		collect(t, w, 2*time.Second, kindIs(providers.Reset))
		collect(t, w, 2*time.Second, kindIs(providers.Synced))
		eventually(t, 2*time.Second, "writes", func() bool {
			_, err := p.Put(t.Context(), key("r", "n"), []byte("again"))
			return err == nil
		})
		w.Stop()
	}
}

// A write that finds no bucket must not wait for the next regular look.
func TestWriteNoticesLoss(t *testing.T) {
	nc := dial(t, startServer(t).url())
	js, _ := jetstream.New(nc)
	p := open(t, nc, Config{Interval: time.Hour})
	mustPut(t, p, key("r", "n"), "v")
	if err := js.DeleteKeyValue(t.Context(), DefaultBucket); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Put(t.Context(), key("r", "n"), []byte("w")); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("Put without bucket: %v", err)
	}
	eventually(t, 2*time.Second, "reset", func() bool { return p.Status().Resets == 1 })
	eventually(t, 2*time.Second, "writes", func() bool {
		_, err := p.Put(t.Context(), key("r", "n"), []byte("w"))
		return err == nil
	})
}

// A watcher whose consumer vanishes hears nothing and is told nothing.
func TestStalledWatcher(t *testing.T) {
	s := startServer(t)
	nc := dial(t, s.url())
	p := open(t, nc, Config{Interval: 100 * time.Millisecond})
	mustPut(t, p, key("r", "n"), "v")
	other := open(t, dial(t, s.url()), Config{Bucket: "OTHER"}) // only its connection is used
	js, _ := jetstream.New(other.nc)
	stream, err := js.Stream(t.Context(), "KV_"+DefaultBucket)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range stream.ConsumerNames(t.Context()).Name() {
		names = append(names, name)
	}
	if len(names) != 1 {
		t.Fatalf("%d consumers; want one", len(names))
	}
	if err := stream.DeleteConsumer(t.Context(), names[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "$KV."+DefaultBucket+"."+FormatKey(key("r", "m")), []byte("unheard")); err != nil {
		t.Fatal(err)
	}
	d := eventually(t, 2*time.Second, "what the watcher missed", has(t, p, key("r", "m"), "unheard"))
	t.Logf("caught up after %v", d)
	if p.Status().Resets != 0 {
		t.Error("a stall is no reset")
	}
}

// A server that takes messages and answers none: nothing may block.
func TestServerSilent(t *testing.T) {
	s := startServer(t)
	gate := newGate(t, s.url())
	const timeout = 100 * time.Millisecond
	p := open(t, dial(t, gate.url()), Config{Timeout: timeout})
	mustPut(t, p, key("r", "n"), "v")
	gate.freeze()
	bounded := func(what string, f func() error) {
		t.Helper()
		start := time.Now()
		if err := f(); !errors.Is(err, providers.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrUnavailable", what, err)
		}
		if d := time.Since(start); d > 10*timeout {
			t.Errorf("%s took %v", what, d)
		}
	}
	put := func() error { _, err := p.Put(t.Context(), key("r", "n"), nil); return err }
	bounded("Put", put)
	bounded("Delete", func() error { return p.Delete(t.Context(), key("r", "n")) })
	if st := p.Status(); st.Ready || !strings.Contains(st.Degraded, "writes fail: no acknowledgment within 100ms") {
		t.Errorf("Status = %+v", st)
	}
	if !has(t, p, key("r", "n"), "v")() {
		t.Error("Get does not answer from the mirror")
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := p.Put(ctx, key("r", "n"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Put cancelled while it waits: %v", err)
	}
	// A provider that has never read the bucket.
	start := time.Now()
	q := open(t, p.nc, Config{Timeout: timeout})
	if d := time.Since(start); d > 10*timeout {
		t.Errorf("Open took %v", d)
	}
	bounded("Get before the first sync", func() error { _, err := q.Get(t.Context(), key("r", "n")); return err })
	bounded("List before the first sync", func() error {
		for _, err := range q.List(t.Context(), providers.Filter{}) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	start = time.Now()
	if err := q.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("Close took %v", d)
	}
	gate.thaw()
	eventually(t, 5*time.Second, "writes", func() bool { return put() == nil })
	eventually(t, 5*time.Second, "ready", func() bool { return p.Status().Ready })
}

// A node starts before its NATS does.
func TestOpenWithoutServer(t *testing.T) {
	s := startServer(t)
	s.stop()
	p := open(t, dial(t, s.url()), Config{Timeout: 50 * time.Millisecond})
	if st := p.Status(); st.Ready || !strings.Contains(st.Degraded, "NATS connection") {
		t.Errorf("Status = %+v", st)
	}
	w, err := p.Watch(t.Context(), providers.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Put": func() error { _, err := p.Put(t.Context(), key("r", "n"), nil); return err }(),
		"Get": func() error { _, err := p.Get(t.Context(), key("r", "n")); return err }(),
		"Del": p.Delete(t.Context(), key("r", "n")),
	} {
		if !errors.Is(err, providers.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.start()
	got := collect(t, w, 5*time.Second, kindIs(providers.Synced))
	if len(got) != 1 {
		t.Errorf("events %+v; want synced alone", got)
	}
	eventually(t, 5*time.Second, "writes", func() bool {
		_, err := p.Put(t.Context(), key("r", "n"), []byte("v"))
		return err == nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, dial(t, "nats://127.0.0.1:1"), Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open cancelled: %v", err)
	}
}

func TestConnectionClosed(t *testing.T) {
	nc := dial(t, startServer(t).url())
	p := open(t, nc, Config{})
	mustPut(t, p, key("r", "n"), "v")
	nc.Close()
	if _, err := p.Put(t.Context(), key("r", "n"), nil); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("Put: %v", err)
	}
	if st := p.Status(); st.Ready || !strings.Contains(st.Degraded, "CLOSED") {
		t.Errorf("Status = %+v", st)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A full bucket refuses new keys, and takes new values of old ones.
func TestBucketFull(t *testing.T) {
	nc := dial(t, startServer(t).url())
	p := open(t, nc, Config{Memory: true, MaxBytes: 10_000})
	var err error
	n := 0
	for ; n < 200 && err == nil; n++ {
		_, err = p.Put(t.Context(), key(fmt.Sprint("r", n), "n"), make([]byte, 500))
	}
	if !errors.Is(err, providers.ErrFull) || n < 5 {
		t.Fatalf("after %d writes: %v; want ErrFull", n, err)
	}
	if p.Status().Refused != 1 {
		t.Errorf("Status = %+v; want 1 refused", p.Status())
	}
	mustPut(t, p, key("r0", "n"), "smaller")
	if err := p.Delete(t.Context(), key("r1", "n")); err != nil {
		t.Error(err)
	}
	mustPut(t, p, key("new", "n"), "fits")
}

// A bucket with more keys than the mirror takes.
func TestMirrorFull(t *testing.T) {
	s := startServer(t)
	big, small := open(t, dial(t, s.url()), Config{}), open(t, dial(t, s.url()), Config{MaxEntries: 5})
	for i := range 10 {
		mustPut(t, big, key(fmt.Sprint("r", i), "n"), fmt.Sprint(i))
	}
	eventually(t, 5*time.Second, "overflow", func() bool { return !small.Status().Ready })
	if st := small.Status(); st.Entries != 5 || !strings.Contains(st.Degraded, "raise MaxEntries") {
		t.Errorf("Status = %+v", st)
	}
	for i := range 10 {
		if !has(t, small, key(fmt.Sprint("r", i), "n"), fmt.Sprint(i))() {
			t.Errorf("r%d is not found", i)
		}
	}
	if _, err := small.Get(t.Context(), key("none", "n")); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("Get of nothing: %v", err)
	}
	var last error
	n := 0
	for _, err := range small.List(t.Context(), providers.Filter{}) {
		if last = err; err == nil {
			n++
		}
	}
	if n != 5 || !errors.Is(last, providers.ErrFull) {
		t.Errorf("List yields %d entries, then %v; want 5 and ErrFull", n, last)
	}
}

// The value limit of an existing bucket may be lower than ours.
func TestBucketTakesLess(t *testing.T) {
	nc := dial(t, startServer(t).url())
	open(t, nc, Config{MaxValue: 10})
	p := open(t, nc, Config{})
	if _, err := p.Put(t.Context(), key("r", "n"), make([]byte, 1000)); !errors.Is(err, providers.ErrTooLarge) {
		t.Errorf("Put: %v; want ErrTooLarge", err)
	}
}

func TestForeignKeys(t *testing.T) {
	nc := dial(t, startServer(t).url())
	js, _ := jetstream.New(nc)
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: DefaultBucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"one", "a.b.c", "a=2e.b", "a/b.c", "=.x"} {
		if _, err := kv.Put(t.Context(), k, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	p := open(t, nc, Config{})
	mustPut(t, p, key("r", "n"), "v")
	if st := p.Status(); st.Entries != 1 || !st.Ready {
		t.Errorf("Status = %+v; want one entry", st)
	}
}

func TestDomain(t *testing.T) {
	nc := dial(t, startServer(t).url())
	p := open(t, nc, Config{Domain: "hub"})
	mustPut(t, p, key("r", "n"), "v")
	if !has(t, open(t, nc, Config{}), key("r", "n"), "v")() {
		t.Error("not in the domain's bucket")
	}
	if q := open(t, nc, Config{Domain: "nowhere", Timeout: 50 * time.Millisecond}); q.Status().Ready {
		t.Error("ready in a domain that does not exist")
	}
}

func TestCloseLeavesNoGoroutines(t *testing.T) {
	nc := dial(t, startServer(t).url())
	open(t, nc, Config{}).Close(t.Context()) // what the client starts once stays
	before := runtime.NumGoroutine()
	for i := range 5 {
		p := open(t, nc, Config{})
		mustPut(t, p, key(fmt.Sprint("r", i), "n"), "v")
		if _, err := p.Watch(context.Background(), providers.Filter{}); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 10*time.Second, "goroutines gone", func() bool { return runtime.NumGoroutine() <= before })
	if nc.Status() != nats.CONNECTED {
		t.Errorf("connection is %v", nc.Status())
	}
}

// A connection that was away so briefly that nobody saw it away: the watcher
// is replaced all the same, by the event or, should that get lost, by a look.
func TestBriefReconnect(t *testing.T) {
	nc := dial(t, startServer(t).url())
	p := open(t, nc, Config{Interval: time.Hour})
	for name, notice := range map[string]func(chan nats.Status){
		"event": func(status chan nats.Status) { status <- nats.CONNECTED },
		"look":  func(chan nats.Status) { p.look() },
	} {
		status := make(chan nats.Status, 1)
		w := &watch{reconnects: nc.Stats().Reconnects + 1}
		ended := make(chan error, 1)
		q := &Provider{config: p.config, nc: p.nc, js: p.js, table: p.table, ctx: p.ctx, kick: p.kick}
		p.Close(t.Context()) // or its own follower would take the look
		q.ctx = t.Context()
		go func() { ended <- q.follow(w, status) }()
		notice(status)
		select {
		case err := <-ended:
			if !errors.Is(err, errAgain) {
				t.Errorf("%s: %v; want %v", name, err, errAgain)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the watcher is not replaced", name)
		}
	}
}

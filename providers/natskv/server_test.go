package natskv

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion/providers"
)

// testServer is a real server with JetStream that can be stopped and started
// again on the same port and store.
type testServer struct {
	t    *testing.T
	opts server.Options
	s    *server.Server
}

func startServer(t *testing.T) *testServer {
	t.Helper()
	ts := &testServer{t: t, opts: server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		JetStreamMaxMemory: 1 << 30, JetStreamMaxStore: 4 << 30, JetStreamDomain: "hub",
	}}
	ts.start()
	t.Cleanup(ts.stop)
	return ts
}

func (ts *testServer) start() {
	ts.t.Helper()
	opts := ts.opts
	s, err := server.NewServer(&opts)
	if err != nil {
		ts.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		ts.t.Fatal("server is not ready")
	}
	ts.s = s
	ts.opts.Port = opts.Port // the one that -1 came to
}

func (ts *testServer) stop() {
	ts.s.Shutdown()
	ts.s.WaitForShutdown()
}

func (ts *testServer) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", ts.opts.Port) }

func dial(t *testing.T, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.RetryOnFailedConnect(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func open(t *testing.T, nc *nats.Conn, c Config) *Provider {
	t.Helper()
	p, err := Open(t.Context(), nc, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

// eventually polls cond, because what it waits for has no channel.
func eventually(t *testing.T, within time.Duration, what string, cond func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !cond() {
		if time.Since(start) > within {
			t.Fatalf("%s: not within %v", what, within)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(start)
}

func key(route, node string) providers.Key { return providers.Key{Route: route, Node: node} }

func mustPut(t *testing.T, p *Provider, k providers.Key, v string) uint64 {
	t.Helper()
	rev, err := p.Put(t.Context(), k, []byte(v))
	if err != nil {
		t.Fatalf("Put(%v): %v", k, err)
	}
	return rev
}

func has(t *testing.T, p *Provider, k providers.Key, v string) func() bool {
	return func() bool {
		e, err := p.Get(t.Context(), k)
		return err == nil && string(e.Value) == v
	}
}

// collect reads events until cond holds for one.
func collect(t *testing.T, w providers.Watcher, within time.Duration, cond func(providers.Event) bool) (got []providers.Event) {
	t.Helper()
	timeout := time.After(within)
	for {
		select {
		case ev, ok := <-w.Events():
			if !ok {
				t.Fatalf("Events closed: %v", w.Err())
			}
			got = append(got, ev)
			if cond(ev) {
				return got
			}
		case <-timeout:
			t.Fatalf("not within %v; events so far: %+v", within, got)
		}
	}
}

func kindIs(k providers.EventKind) func(providers.Event) bool {
	return func(ev providers.Event) bool { return ev.Kind == k }
}

func changes(k providers.Key, v string) func(providers.Event) bool {
	return func(ev providers.Event) bool {
		return ev.Kind == providers.Changed && ev.Entry.Key == k && !ev.Entry.Deleted && string(ev.Entry.Value) == v
	}
}

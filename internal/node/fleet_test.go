package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/natskv"
)

// fleet is engines that share state through one real NATS server.
type fleet struct {
	t     testing.TB
	cfg   bus.EmbeddedConfig
	srv   *bus.Embedded
	nodes []*atrion.Engine
}

func newFleet(t testing.TB, n int) *fleet {
	t.Helper()
	f := &fleet{t: t, cfg: bus.EmbeddedConfig{StoreDir: t.TempDir(), Port: -1}}
	f.start()
	for range n {
		f.join(nil)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, e := range f.nodes {
			_ = e.Close(ctx)
		}
		_ = f.srv.Shutdown(ctx)
	})
	return f
}

func (f *fleet) start() {
	f.t.Helper()
	srv, err := bus.StartEmbedded(f.cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.srv = srv
	if f.cfg.Port < 0 { // keep the port over restarts
		var port int
		if _, err := fmt.Sscanf(srv.ClientURL(), "nats://127.0.0.1:%d", &port); err != nil {
			f.t.Fatal(err)
		}
		f.cfg.Port = port
	}
}

// join adds a node; wrap may change what it sees of the provider.
func (f *fleet) join(wrap func(providers.Provider) providers.Provider) *atrion.Engine {
	f.t.Helper()
	nc, err := nats.Connect(f.srv.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectJitter(0, 0), nats.RetryOnFailedConnect(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(nc.Close)
	kv, err := natskv.Open(context.Background(), nc, natskv.Config{TTL: time.Hour})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = kv.Close(context.Background()) })
	var p providers.Provider = kv
	if wrap != nil {
		p = wrap(kv)
	}
	e, err := atrion.New(atrion.Config{Provider: p, Node: fmt.Sprintf("node-%d", len(f.nodes)), SaveInterval: 100 * time.Millisecond})
	if err != nil {
		f.t.Fatal(err)
	}
	f.nodes = append(f.nodes, e)
	return e
}

var errCallee = errors.New("callee failed")

// fail makes n calls that fail, as far as they are admitted.
func fail(t testing.TB, e *atrion.Engine, route string, n int) {
	t.Helper()
	r, err := e.Route(route)
	if err != nil {
		t.Error(err)
		return
	}
	for range n {
		p, err := r.Acquire(context.Background())
		if err == nil {
			p.Done(errCallee)
		} else if !errors.Is(err, atrion.ErrRejected) {
			t.Error(err)
			return
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// resistance is R for a request of little importance at e; 0 for an unknown route.
func resistance(e *atrion.Engine, route string) float64 {
	x, err := e.Explain(route, 1e-3)
	if err != nil {
		return 0
	}
	return x.Decision.Resistance
}

// A route that trips at one node resists at the others soon after, whether they
// have been asked about it before or not. The p99 is printed; R1 asks for 250 ms.
func TestTripReachesTheFleet(t *testing.T) {
	f := newFleet(t, 3)
	var took []time.Duration
	routes := 40
	if testing.Short() {
		routes = 5
	}
	for i := range routes {
		name := fmt.Sprintf("r%d", i)
		for _, e := range f.nodes[1:] {
			r, err := e.Route(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := resistance(e, name); got != 0 {
				t.Fatalf("R is %v before anything failed", got)
			}
			_ = r
		}
		begin := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			fail(t, f.nodes[0], name, 200)
		}()
		for _, e := range f.nodes[1:] {
			waitFor(t, "R to rise at a peer", func() bool { return resistance(e, name) > 0 })
			took = append(took, time.Since(begin))
		}
		<-done
	}
	slices.Sort(took)
	t.Logf("first failure at one node to R > 0 at another: p50 %v, p99 %v, of %d", took[len(took)/2], took[len(took)*99/100], len(took))
	if p99 := took[len(took)*99/100]; p99 > 2*time.Second {
		t.Errorf("p99 is %v", p99)
	}
	// A node that has never heard of the route finds it tripped when it is asked.
	late := f.join(nil)
	fail(t, f.nodes[0], "late", 400)
	time.Sleep(50 * time.Millisecond)
	r, err := late.Route("late")
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Decide(100); d.Terms.Scar == 0 && resistance(late, "late") == 0 {
		t.Errorf("the first decision of a new node: %v", d)
	}
}

// A sixth node joins with what five have learned, not with a slow start.
func TestSixthNodeJoins(t *testing.T) {
	f := newFleet(t, 2)
	r, err := f.nodes[0].Route("r")
	if err != nil {
		t.Fatal(err)
	}
	stop := time.Now().Add(20 * time.Second)
	learned := func(e *atrion.Engine) float64 {
		x, err := e.Explain("r", 100)
		if err != nil {
			return 0
		}
		return x.Limit / x.Share // the fleet's
	}
	// Some load, so that there is something to learn: calls that take a while, and
	// more of them than the limit that a route begins with.
	for learned(f.nodes[0]) < 16 && time.Now().Before(stop) {
		for range 64 {
			p, err := r.Acquire(context.Background())
			if err != nil {
				continue
			}
			time.AfterFunc(5*time.Millisecond, func() { p.Done(nil) })
		}
		time.Sleep(time.Millisecond)
	}
	if learned(f.nodes[0]) < 16 {
		t.Fatalf("nothing learned: limit %v", learned(f.nodes[0]))
	}
	time.Sleep(300 * time.Millisecond) // its last word is said
	want := learned(f.nodes[0])
	sixth := f.join(nil)
	if _, err := sixth.Route("r"); err != nil {
		t.Fatal(err)
	}
	if got := learned(sixth); math.Abs(got-want) > 0.2*want {
		x, err := sixth.Explain("r", 100)
		t.Errorf("the new node holds a limit of %v, the fleet %v: %+v, %v", got, want, x, err)
	}
}

// While NATS is away decisions go on; when it is back, what nodes could not say
// meanwhile is known soon, and the other way round.
func TestFleetOutlivesNATS(t *testing.T) {
	f := newFleet(t, 2)
	fail(t, f.nodes[0], "before", 300)
	waitFor(t, "R to rise at the peer", func() bool { return resistance(f.nodes[1], "before") > 0 || mustRoute(t, f.nodes[1], "before") })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := f.srv.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	mustRoute(t, f.nodes[1], "meanwhile")
	fail(t, f.nodes[0], "meanwhile", 1500)
	if r := resistance(f.nodes[0], "meanwhile"); r == 0 {
		t.Error("a node does not trip while NATS is away")
	}
	if r := resistance(f.nodes[1], "meanwhile"); r != 0 {
		t.Errorf("R is %v at the peer, which cannot know", r)
	}
	f.start()
	begin := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fail(t, f.nodes[0], "meanwhile", 1000) // the callee still fails
	}()
	defer func() { <-done }()
	waitFor(t, "the fleet to converge", func() bool { return resistance(f.nodes[1], "meanwhile") > 0 })
	t.Logf("converged %v after NATS came back", time.Since(begin).Round(time.Millisecond))
}

func mustRoute(t testing.TB, e *atrion.Engine, name string) bool {
	t.Helper()
	if _, err := e.Route(name); err != nil {
		t.Fatal(err)
	}
	return true
}

// skewed is a provider whose clock differs from the reader's.
type skewed struct {
	providers.Provider
	by time.Duration
}

func (s skewed) Get(ctx context.Context, k providers.Key) (providers.Entry, error) {
	e, err := s.Provider.Get(ctx, k)
	e.Time = e.Time.Add(s.by)
	return e, err
}

func (s skewed) List(ctx context.Context, f providers.Filter) iter.Seq2[providers.Entry, error] {
	return func(yield func(providers.Entry, error) bool) {
		for e, err := range s.Provider.List(ctx, f) {
			e.Time = e.Time.Add(s.by)
			if !yield(e, err) {
				return
			}
		}
	}
}

// Clocks that differ by half a minute change no decision: nodes that see stored
// times 30 s early and 30 s late hold the same R as one that sees them right.
func TestClockSkew(t *testing.T) {
	f := newFleet(t, 1)
	fail(t, f.nodes[0], "r", 500)
	time.Sleep(200 * time.Millisecond)
	nodes := []*atrion.Engine{f.join(nil)}
	for _, by := range []time.Duration{-30 * time.Second, 30 * time.Second} {
		nodes = append(nodes, f.join(func(p providers.Provider) providers.Provider { return skewed{p, by} }))
	}
	share := func(e *atrion.Engine) (passed int) {
		r, err := e.Route("r")
		if err != nil {
			t.Fatal(err)
		}
		for range 4000 {
			if r.Decide(100).Allow {
				passed++
			}
		}
		return passed
	}
	right := share(nodes[0])
	if right > 3000 {
		t.Fatalf("%d of 4000 pass at a new node: it does not know of the trip", right)
	}
	for i, e := range nodes[1:] {
		if got := share(e); math.Abs(float64(got-right)) > 600 {
			t.Errorf("node %d: %d of 4000 pass, %d where clocks agree", i, got, right)
		}
	}
}

// BenchmarkDecideNATS is a decision while NATS is there, and while it is away.
func BenchmarkDecideNATS(b *testing.B) {
	for _, away := range []bool{false, true} {
		b.Run(map[bool]string{false: "there", true: "away"}[away], func(b *testing.B) {
			f := newFleet(b, 2)
			r, err := f.nodes[0].Route("r")
			if err != nil {
				b.Fatal(err)
			}
			if away {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				if err := f.srv.Shutdown(ctx); err != nil {
					b.Fatal(err)
				}
			}
			var lat []time.Duration
			for b.Loop() {
				begin := time.Now()
				p, err := r.Acquire(context.Background())
				if err == nil {
					p.Done(nil)
				}
				if len(lat) < 1<<20 {
					lat = append(lat, time.Since(begin))
				}
			}
			slices.Sort(lat)
			b.ReportMetric(float64(lat[len(lat)/2]), "p50-ns")
			b.ReportMetric(float64(lat[len(lat)*99/100]), "p99-ns")
		})
	}
}

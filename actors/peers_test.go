package actors

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/ohmic"
	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/memory"
)

// counted is a provider that several systems share, with its writes counted.
type counted struct {
	providers.Provider
	puts atomic.Int64
}

func (c *counted) Put(ctx context.Context, k providers.Key, v []byte) (uint64, error) {
	c.puts.Add(1)
	return c.Provider.Put(ctx, k, v)
}

func shared(t testing.TB) *counted {
	t.Helper()
	m, err := memory.New(memory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &counted{Provider: m}
}

func ohmicLaw(t testing.TB) physics.Law {
	t.Helper()
	l, err := ohmic.New(ohmic.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func node(t testing.TB, p providers.Provider, name string) *System {
	t.Helper()
	s := NewSystem(context.Background(), Config{Law: ohmicLaw(t), Provider: p, Node: name})
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// breaks lets n calls fail on a route of s, as far as they are admitted.
func breaks(s *System, route string, n int) {
	r := must(s.Route(route))
	for range n {
		var why Answer
		if seat, ok := r.Enter(100, &why); ok && seat.Calls > 0 {
			r.Leave(seat)
			_ = r.Put(&physics.Sample{Time: s.Now(), Latency: 1, ErrorRate: 1, Outcome: physics.Error, Inflight: float64(seat.Calls), Epoch: seat.Epoch})
		}
		time.Sleep(time.Millisecond)
	}
}

func scarAt(s *System, route string) float64 {
	v, _ := must(s.Route(route)).Peek(1e-3)
	return v.Terms.Scar
}

// What fails at one node is known to the others: to those that have the route,
// within an interval, and to those that are asked about it later, at once.
func TestPeersAreHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := shared(t)
		a, b, c := node(t, p, "a"), node(t, p, "b"), node(t, p, "c")
		must(b.Route("r"))
		synctest.Wait()
		if scarAt(b, "r") != 0 {
			t.Fatal("a scar before anything failed")
		}
		breaks(a, "r", 300)
		time.Sleep(300 * time.Millisecond)
		if scarAt(a, "r") == 0 || scarAt(b, "r") == 0 || scarAt(c, "r") == 0 {
			t.Errorf("scars %v, %v, %v; want all above 0", scarAt(a, "r"), scarAt(b, "r"), scarAt(c, "r"))
		}
		d := node(t, p, "d")
		if p := d.Preview("r"); p == nil || physics.Judge(p.State, physics.Query{Voltage: 1, Now: d.Now(), U: physics.Peek}).Terms.Scar == 0 {
			t.Errorf("a node that was not asked knows %+v", p)
		}
		if d.Lookup("r") != nil || d.Preview("never heard of") != nil || d.Preview(presenceRoute) != nil {
			t.Error("a look leaves a trace, or sees what is not there")
		}
		if b.Stats().Heard == 0 {
			t.Error("nothing counted as heard")
		}
		time.Sleep(time.Minute)
		if scarAt(b, "r") != 0 || scarAt(c, "r") != 0 {
			t.Errorf("a minute later: %v, %v", scarAt(b, "r"), scarAt(c, "r"))
		}
	})
}

// A healthy fleet whose routes are idle writes nothing, however many there are.
func TestIdleFleetWritesNothing(t *testing.T) {
	routes := 100_000
	if testing.Short() {
		routes = 2_000
	}
	synctest.Test(t, func(t *testing.T) {
		p := shared(t)
		a, b := node(t, p, "a"), node(t, p, "b")
		for i := range routes {
			name := fmt.Sprint(i)
			for _, s := range []*System{a, b} {
				r := must(s.Route(name))
				_ = r.Put(&physics.Sample{Time: s.Now(), Latency: 1, Inflight: 1})
			}
		}
		time.Sleep(2 * time.Minute) // all that is to be said has been said
		for a.saver.pending()+b.saver.pending() > 0 {
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		before := p.puts.Load()
		time.Sleep(5 * time.Minute)
		if n := p.puts.Load() - before; n > 2 { // each says that it exists, at most once in that time
			t.Errorf("%d writes in five minutes of nothing", n)
		}
	})
}

// A word that is older than what was heard, or the same again, changes nothing;
// a node whose key is gone is forgotten; and no route listens to too many.
func TestLaterWordsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := node(t, shared(t), "a")
		r := must(s.Route("r"))
		say := func(node string, life, seq uint64) bool {
			before := s.Stats().Unheard
			r.hear(node, &envelope{life: life, seq: seq}, s.cfg.Law.NewState(), s.Now())
			return s.Stats().Unheard == before
		}
		for _, x := range []struct {
			life, seq uint64
			want      bool
		}{{5, 3, true}, {5, 3, false}, {5, 2, false}, {5, 4, true}, {4, 9, false}, {6, 1, true}, {5, 99, false}} {
			if got := say("b", x.life, x.seq); got != x.want {
				t.Errorf("life %d, seq %d heard: %v, want %v", x.life, x.seq, got, x.want)
			}
		}
		r.hear("b", nil, nil, 0)
		synctest.Wait()
		if n := len(r.peers.said); n != 0 {
			t.Errorf("%d peers after its key is gone", n)
		}
		for i := range MaxPeers + 3 {
			if got := say(fmt.Sprint("n", i), 1, 1); got != (i < MaxPeers) {
				t.Errorf("node %d heard: %v", i, got)
			}
		}
		synctest.Wait()
	})
}

// Those about which others are most wrong are written first, and the rest is not
// forgotten.
func TestLargestErrorsFirst(t *testing.T) {
	s := &System{}
	v := &saver{sys: s}
	for i := range 50 {
		v.queue = append(v.queue, waiting{&Route{name: fmt.Sprint(i)}, float64(i % 10)})
	}
	seen := map[string]bool{}
	last := 10.0
	for range 5 {
		batch := v.next(10)
		if len(batch) != 10 {
			t.Fatalf("%d routes, want 10", len(batch))
		}
		for _, w := range batch {
			if w.off > last {
				t.Errorf("%v after %v", w.off, last)
			}
			last = w.off
			seen[w.route.name] = true
		}
	}
	if len(seen) != 50 {
		t.Errorf("%d of 50 written", len(seen))
	}
	// With more waiting than are compared, the oldest are among those that are.
	for i := range 1000 {
		v.queue = append(v.queue, waiting{&Route{name: fmt.Sprint(i)}, float64(i)})
	}
	for _, w := range v.next(10) {
		if w.off >= lookahead*10 {
			t.Errorf("%v overtook those that wait longer", w.off)
		}
	}
}

// A node that finds words of its own name that it did not say, in this life,
// begins a later one.
func TestLaterLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := shared(t)
		a := node(t, p, "a")
		breaks(a, "r", 50)
		time.Sleep(time.Second)
		life := a.life.Load()
		other := &System{cfg: a.cfg}
		other.life.Store(life + 40)
		value := other.seal(nil, must(a.Route("r")).Snapshot(), a.Now())
		if _, err := p.Put(context.Background(), providers.Key{Route: "r", Node: "a"}, value); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := a.life.Load(); got != life+41 {
			t.Errorf("life %d, want %d", got, life+41)
		}
		e, err := p.Get(context.Background(), providers.Key{Route: "r", Node: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if env, err := openEnvelope(e.Value); err != nil || env.life != life+41 {
			t.Errorf("stored life %d, %v", env.life, err)
		}
	})
}

package actors

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/memory"
)

// flaky is a provider whose writes can be made to fail, counted.
type flaky struct {
	providers.Provider
	down   atomic.Bool
	puts   atomic.Int64
	during func() // called in every Put
	refuse string // the route whose state is always refused
}

var errDown = fmt.Errorf("%w: down for the test", providers.ErrUnavailable)

func (f *flaky) Put(ctx context.Context, k providers.Key, v []byte) (uint64, error) {
	if f.down.Load() || k.Route == f.refuse {
		return 0, errDown
	}
	if k.Route == presenceRoute {
		return f.Provider.Put(ctx, k, v) // not a state
	}
	f.puts.Add(1)
	if f.during != nil {
		f.during()
	}
	return f.Provider.Put(ctx, k, v)
}

func (f *flaky) Get(ctx context.Context, k providers.Key) (providers.Entry, error) {
	if f.down.Load() {
		return providers.Entry{}, errDown
	}
	return f.Provider.Get(ctx, k)
}

func newFlaky(t *testing.T) *flaky {
	p := must(memory.New(memory.Config{}))
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return &flaky{Provider: p}
}

// What departs is written once per interval however often it changes, and a
// later system reads it back before its first decision.
func TestStateIsWrittenCoalescedAndReadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFlaky(t)
		s := NewSystem(context.Background(), Config{Law: &ledger{tripAt: 100}, Provider: p, Node: "n1"})
		r := must(s.Route("r"))
		for seq := 1; seq <= 1000; seq++ {
			_ = r.Ask(context.Background(), sample(0, seq))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if n := p.puts.Load(); n < 10 || n > 13 {
			t.Errorf("%d writes in 1 s at one per 100 ms, want 10 to 13", n)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		must(p.Provider.Put(context.Background(), providers.Key{Route: "other node's", Node: "n2"}, []byte("x")))
		must(p.Provider.Put(context.Background(), providers.Key{Route: "damaged", Node: "n1"}, []byte("x")))

		time.Sleep(10 * time.Second)
		again := system(t, Config{Law: &ledger{tripAt: 100}, Provider: p, Node: "n1"})
		r = again.Lookup("r")
		if r == nil {
			t.Fatal("the stored route is not there at start")
		}
		if v, _, _ := r.Decide(1); v.Allow {
			t.Error("a route stored as tripped lets its first request pass")
		}
		e := stateOf(r)
		if age := time.Duration(again.Now() - e.last); e.n != 1000 || age < 11*time.Second || age > 13*time.Second {
			t.Errorf("read back n=%d age %v, want 1000 and 12 s", e.n, age)
		}
		if again.Lookup("other node's") != nil || again.Lookup("damaged") != nil {
			t.Error("a foreign or damaged entry became a route")
		}
		if got := again.Stats().LoadErrors; got != 1 {
			t.Errorf("LoadErrors = %d, want 1 for the damaged entry", got)
		}
	})
}

// slow is a provider whose List takes its time over every entry.
type slow struct{ *flaky }

func (p slow) List(ctx context.Context, f providers.Filter) iter.Seq2[providers.Entry, error] {
	return func(yield func(providers.Entry, error) bool) {
		for e, err := range p.flaky.List(ctx, f) {
			if e.Key.Route == presenceRoute {
				continue // not a state
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				yield(providers.Entry{}, ctx.Err())
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// A start that waits no longer goes on loading; a route asked about meanwhile
// has its state, and so have all in the end.
func TestLoadingGoesOnBehindTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFlaky(t)
		s := NewSystem(context.Background(), Config{Law: &ledger{}, Provider: p, Node: "n"})
		for i := range 10 {
			_ = must(s.Route(fmt.Sprint(i))).Put(sample(0, 1))
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, wait := range []time.Duration{20 * time.Second, 0} {
			ctx, cancel := context.WithTimeout(context.Background(), 2500*time.Millisecond)
			s = NewSystem(ctx, Config{Law: &ledger{}, Provider: slow{p}, Node: "n"})
			cancel()
			if n := s.Stats().Routes; n != 2 {
				t.Errorf("%d routes after 2.5 s of one a second, want 2", n)
			}
			for i := range 10 {
				if n := stateOf(must(s.Route(fmt.Sprint(i)))).n; n != 1 {
					t.Errorf("route %d: n=%d while loading, want 1", i, n)
				}
			}
			time.Sleep(wait)
			if err := s.Close(context.Background()); err != nil { // also in the middle of it
				t.Fatal(err)
			}
			if st := s.Stats(); st.Routes != 10 || st.LoadErrors != 0 {
				t.Errorf("%d routes, %d load errors; want 10, 0", st.Routes, st.LoadErrors)
			}
		}
	})
}

// A route that was created while the provider was away, and has seen nothing
// since, takes the state that is loaded for it later; a healthy one is not
// written for having been created.
func TestLateStateIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFlaky(t)
		s := NewSystem(context.Background(), Config{Law: &ledger{}, Provider: p, Node: "n"})
		_ = must(s.Route("r")).Put(sample(0, 1))
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		p.down.Store(true) // Get fails, List does not
		ctx, cancel := context.WithTimeout(context.Background(), 1)
		defer cancel()
		s = NewSystem(ctx, Config{Law: &ledger{}, Provider: slow{p}, Node: "n"})
		defer s.Close(context.Background())
		r := must(s.Route("r"))
		time.Sleep(5 * time.Second)
		if n := stateOf(r).n; n != 1 {
			t.Errorf("n=%d, want the stored 1", n)
		}
		p.down.Store(false)
		must(s.Route("new"))
		before := p.puts.Load()
		time.Sleep(5 * time.Second)
		if n := p.puts.Load(); n != before {
			t.Errorf("%d states written although nothing happened", n-before)
		}
	})
}

// away is a provider that cannot even list while it is down.
type away struct{ *flaky }

func (p away) List(ctx context.Context, f providers.Filter) iter.Seq2[providers.Entry, error] {
	if p.down.Load() {
		return func(yield func(providers.Entry, error) bool) { yield(providers.Entry{}, errDown) }
	}
	return p.flaky.List(ctx, f)
}

// A provider that is away at the start is asked again: what it holds is loaded
// when it is back, and does not undo what a route has learned meanwhile.
func TestStateOfAProviderThatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFlaky(t)
		s := NewSystem(context.Background(), Config{Law: &ledger{}, Provider: p, Node: "n"})
		for _, name := range []string{"quiet", "asked", "busy"} {
			_ = must(s.Route(name)).Put(sample(0, 1))
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		p.down.Store(true)
		s = NewSystem(context.Background(), Config{Law: &ledger{}, Provider: away{p}, Node: "n"})
		defer s.Close(context.Background())
		asked, busy := must(s.Route("asked")), must(s.Route("busy"))
		for i := range 3 {
			_ = busy.Put(sample(0, 1+i))
		}
		time.Sleep(10 * time.Second)
		if s.Lookup("quiet") != nil || stateOf(asked).n != 0 || s.Stats().LoadErrors != 3 { // two routes and the start
			t.Fatalf("while away: %d load errors, %+v", s.Stats().LoadErrors, stateOf(asked))
		}
		p.down.Store(false)
		time.Sleep(2 * time.Second)
		if r := s.Lookup("quiet"); r == nil || stateOf(r).n != 1 {
			t.Error("the route that nobody asked about was not loaded")
		}
		if n := stateOf(asked).n; n != 1 {
			t.Errorf("asked, and taught nothing: n=%d, want the stored 1", n)
		}
		if n := stateOf(busy).n; n != 3 {
			t.Errorf("taught meanwhile: n=%d, want its own 3", n)
		}
	})
}

// A route passivated and created again knows what it knew.
func TestEvictedRouteComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFlaky(t)
		s := system(t, Config{Provider: p, Node: "n", IdleAfter: time.Minute})
		_ = must(s.Route("r")).Ask(context.Background(), sample(0, 1))
		time.Sleep(5 * time.Minute)
		if s.Lookup("r") != nil {
			t.Fatal("not passivated")
		}
		if n := stateOf(must(s.Route("r"))).n; n != 1 {
			t.Errorf("came back with n=%d, want 1", n)
		}
	})
}

// A provider that is away delays writes and loses none; routes with unwritten
// state are not evicted; nothing is asked of it once per route.
func TestProviderAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFlaky(t)
		s := system(t, Config{Provider: p, Node: "n", IdleAfter: time.Minute})
		p.down.Store(true)
		for i := range 50 {
			_ = must(s.Route(fmt.Sprint(i))).Ask(context.Background(), sample(0, 1))
		}
		time.Sleep(10 * time.Minute)
		st := s.Stats()
		if st.SaveQueue != 50 || st.Routes != 50 {
			t.Errorf("while away: %d waiting, %d routes; want 50 and 50", st.SaveQueue, st.Routes)
		}
		if rounds := uint64(10 * time.Minute / s.cfg.SaveInterval); st.SaveErrors == 0 || st.SaveErrors > rounds+1 {
			t.Errorf("%d failed writes in %d intervals, want one a round", st.SaveErrors, rounds)
		}
		p.down.Store(false)
		time.Sleep(time.Second)
		if n := p.puts.Load(); n != 50 {
			t.Errorf("%d writes after it came back, want 50", n)
		}
	})
}

// What changes while it is being written is written again.
func TestChangeDuringWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFlaky(t)
		s := NewSystem(context.Background(), Config{Law: &ledger{}, Provider: p, Node: "n"})
		r := must(s.Route("r"))
		p.during = func() {
			if p.puts.Load() == 1 {
				_ = r.Ask(context.Background(), sample(0, 2))
			}
		}
		_ = r.Ask(context.Background(), sample(0, 1))
		time.Sleep(time.Second)
		if n := p.puts.Load(); n != 2 {
			t.Errorf("%d writes, want 2", n)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		again := system(t, Config{Provider: p, Node: "n"})
		if n := stateOf(again.Lookup("r")).n; n != 2 {
			t.Errorf("read back n=%d, want 2", n)
		}
	})
}

// A state that the provider refuses for ever does not keep others from it.
func TestOneRefusedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFlaky(t)
		p.refuse = "0"
		s := NewSystem(context.Background(), Config{Law: &ledger{}, Provider: p, Node: "n"})
		for i := range 10 {
			_ = must(s.Route(fmt.Sprint(i))).Put(sample(0, 1))
		}
		time.Sleep(time.Minute)
		if n := p.puts.Load(); n != 9 {
			t.Errorf("%d states written, want the 9 others", n)
		}
		for i := range 5 { // what waits at the end is written past it, too
			_ = must(s.Route(fmt.Sprint(i))).Put(sample(0, 2))
		}
		synctest.Wait()
		if err := s.Close(context.Background()); !errors.Is(err, providers.ErrUnavailable) || s.saver.pending() != 1 {
			t.Errorf("Close: %v with %d waiting, want the error of the one", err, s.saver.pending())
		}
		if n := p.puts.Load(); n != 13 {
			t.Errorf("%d states written at the end, want 13", n)
		}
	})
}

func TestSaveBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFlaky(t)
		s := system(t, Config{Provider: p, Node: "n", SaveBudget: 10})
		for i := range 100 {
			_ = must(s.Route(fmt.Sprint(i))).Put(sample(0, 1))
		}
		time.Sleep(s.cfg.SaveInterval*3 + time.Millisecond)
		if n := p.puts.Load(); n > 40 || n < 30 {
			t.Errorf("%d writes in 3 to 4 rounds of 10", n)
		}
	})
}

func TestCloseFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFlaky(t)
		s := NewSystem(context.Background(), Config{Law: &ledger{}, Provider: p, Node: "n", SaveInterval: time.Hour})
		for i := range 3 {
			_ = must(s.Route(fmt.Sprint(i))).Put(sample(0, 1))
			synctest.Wait()
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := p.puts.Load(); n != 3 {
			t.Errorf("%d states written by the end of Close, want 3", n)
		}

		s = NewSystem(context.Background(), Config{Law: &ledger{}, Provider: p, Node: "n", SaveInterval: time.Hour})
		p.down.Store(true)
		_ = must(s.Route("x")).Put(sample(0, 1))
		if err := s.Close(context.Background()); !errors.Is(err, providers.ErrUnavailable) {
			t.Errorf("Close with the provider away: %v, want ErrUnavailable", err)
		}
	})
}

// resetting is a provider whose watcher can tell of a lost storage.
type resetting struct {
	*flaky
	events chan providers.Event
}

func (r *resetting) Watch(context.Context, providers.Filter) (providers.Watcher, error) {
	return r, nil
}
func (r *resetting) Events() <-chan providers.Event { return r.events }
func (r *resetting) Err() error                     { return nil }
func (r *resetting) Stop()                          {}

// When the storage was lost, what had been stored is stored again.
func TestLostStorageIsWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &resetting{newFlaky(t), make(chan providers.Event)}
		s := system(t, Config{Provider: p, Node: "n"})
		for i := range 5 {
			_ = must(s.Route(fmt.Sprint(i))).Put(sample(0, 1))
		}
		must(s.Route("never stored"))
		time.Sleep(time.Second)
		if n := p.puts.Load(); n != 5 {
			t.Fatalf("%d writes, want 5", n)
		}
		p.events <- providers.Event{Kind: providers.Reset}
		time.Sleep(2 * time.Second)
		if n := p.puts.Load(); n != 10 {
			t.Errorf("%d writes after the storage was lost, want 5 more", n)
		}
	})
}

package actors

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRouteNames(t *testing.T) {
	s := system(t, Config{})
	for _, bad := range []string{"", "a*", "a>", "a\x00"} {
		if _, err := s.Route(bad); err == nil {
			t.Errorf("Route(%q) was accepted", bad)
		}
	}
	if a, b := must(s.Route("a")), must(s.Route("a")); a != b {
		t.Error("two routes of one name")
	}
	if s.Lookup("b") != nil {
		t.Error("Lookup created a route")
	}
}

// A full registry evicts the idle and settled, never the tripped, never the
// one with calls in flight; when nothing can give way a new route is refused.
func TestEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Config{MaxRoutes: 3, Law: &ledger{tripAt: 2}})
		tripped := must(s.Route("tripped"))
		for seq := 1; seq <= 2; seq++ {
			_ = tripped.Ask(context.Background(), sample(0, seq))
		}
		busy := must(s.Route("busy"))
		if seat, _ := busy.Enter(1, new(Answer)); seat.Calls != 1 {
			t.Fatal("Enter refused")
		}
		idle := must(s.Route("idle"))
		time.Sleep(time.Second)

		if _, err := s.Route("new"); err != nil {
			t.Fatalf("no room although a route is idle: %v", err)
		}
		if s.Lookup("idle") != nil || idle.Snapshot() != nil {
			t.Error("the idle route was not the one to go")
		}
		if err := idle.Put(sample(0, 1)); !errors.Is(err, ErrRetired) {
			t.Errorf("Put to an evicted route: %v, want ErrRetired", err)
		}
		if _, _, p := idle.Decide(1); p != nil {
			t.Error("an evicted route decided")
		}
		fresh := s.Lookup("new")
		fresh.seats.taken.Add(1)
		if _, err := s.Route("newer"); !errors.Is(err, ErrTooManyRoutes) {
			t.Errorf("Route with nothing to evict: %v, want ErrTooManyRoutes", err)
		}
		if st := s.Stats(); st.Routes != 3 || st.Evicted != 1 || st.Refused != 1 {
			t.Errorf("stats %+v, want 3 routes, 1 evicted, 1 refused", st)
		}
		if s.Lookup("tripped") != tripped || s.Lookup("busy") != busy {
			t.Error("a tripped or busy route went")
		}
	})
}

// Of the idle routes, the one not used since the hand last passed goes.
func TestEvictionSparesTheUsed(t *testing.T) {
	s := system(t, Config{MaxRoutes: 4})
	for i := range 5 {
		must(s.Route(fmt.Sprint(i))) // the fifth sends the hand round once
	}
	for round := range 20 {
		routes := s.Routes()
		unused := routes[round%len(routes)]
		for _, r := range routes {
			r.used.Store(r != unused)
		}
		must(s.Route(fmt.Sprint("fresh", round)))
		if unused.Snapshot() != nil {
			t.Fatalf("round %d: %s is still there; a used route went instead", round, unused.Name())
		}
	}
}

func TestPassivationAfterIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Config{IdleAfter: time.Minute, Law: &ledger{tripAt: 2}})
		for _, name := range []string{"idle", "used", "tripped"} {
			must(s.Route(name))
		}
		for seq := 1; seq <= 2; seq++ {
			_ = s.Lookup("tripped").Ask(context.Background(), sample(0, seq))
		}
		for range 50 {
			time.Sleep(5 * time.Second)
			s.Lookup("used").Decide(1)
		}
		if s.Lookup("idle") != nil || s.Lookup("used") == nil || s.Lookup("tripped") == nil {
			t.Errorf("idle %v used %v tripped %v; want only idle gone", s.Lookup("idle"), s.Lookup("used"), s.Lookup("tripped"))
		}
	})
}

// While routes come and go, no sample is put to a route nobody will find, and
// no call is in flight on a route that was evicted.
func TestEvictionRaces(t *testing.T) {
	s := system(t, Config{MaxRoutes: 8})
	var wg sync.WaitGroup
	var seen, entered atomic.Int64
	for who := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(who), 1))
			for range 20_000 {
				r, err := s.Route(fmt.Sprint(rng.IntN(32)))
				if err != nil {
					continue
				}
				if rng.IntN(2) == 0 {
					if seat, _ := r.Enter(1, new(Answer)); seat.Calls > 0 {
						if s.Lookup(r.Name()) != r {
							t.Error("evicted with a call in flight")
						}
						entered.Add(1)
						r.Leave(seat)
					}
				} else if r.Put(sample(who, 1)) == nil {
					seen.Add(1)
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "every sample seen", func() bool { return int64(s.Stats().Samples) == seen.Load() })
	if s.Stats().Evicted == 0 || entered.Load() == 0 {
		t.Errorf("evicted %d, entered %d: the race was not run", s.Stats().Evicted, entered.Load())
	}
	for _, r := range s.Routes() {
		if r.Inflight() != 0 {
			t.Errorf("%s: %d in flight after the end", r.Name(), r.Inflight())
		}
	}
}

// A route evicted between the decision and the seat gives no seat.
func TestEvictionBetweenDecisionAndSeat(t *testing.T) {
	law := &ledger{}
	s := system(t, Config{Law: law})
	r := must(s.Route("r"))
	evicted := false
	law.onAllow = func() {
		s.registry.mu.Lock()
		defer s.registry.mu.Unlock()
		evicted = s.evict(r, s.Now())
	}
	seat, ok := r.Enter(1, new(Answer))
	if !evicted {
		t.Fatal("the route was not evicted: nothing was tested")
	}
	if seat.Calls != 0 || ok || r.Inflight() != 0 {
		t.Errorf("Enter gave seats %d, ok %v, %d in flight on an evicted route", seat.Calls, ok, r.Inflight())
	}
}

// The table holds what a map would, through growth and tombstones.
func TestTableIsAMap(t *testing.T) {
	tab, want := newTable(), map[string]*Route{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		name := fmt.Sprint(rng.IntN(3000))
		if r := want[name]; r != nil && rng.IntN(2) == 0 {
			tab.remove(r)
			delete(want, name)
		} else if r == nil {
			r = &Route{name: name, hash: tab.hash(name)}
			tab.put(r)
			want[name] = r
		}
		probe := fmt.Sprint(rng.IntN(3000))
		if got := tab.get(probe); got != want[probe] {
			t.Fatalf("get(%s) = %v, want %v", probe, got, want[probe])
		}
	}
	if tab.live != len(want) || len(tab.all()) != len(want) {
		t.Errorf("live %d, all %d, want %d", tab.live, len(tab.all()), len(want))
	}
	if tab.size() > 8*3000 {
		t.Errorf("%d slots for at most 3000 routes: tombstones are not cleared", tab.size())
	}
}

// Readers find what was there before they began, while a writer grows the table.
func TestTableReadersDuringGrowth(t *testing.T) {
	tab := newTable()
	var added atomic.Int64
	names := make([]string, 20_000)
	for i := range names {
		names[i] = fmt.Sprint("route-", i)
	}
	var wg sync.WaitGroup
	for who := range 3 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(who), 3))
			for n := added.Load(); n < int64(len(names)); n = added.Load() {
				if n == 0 {
					continue
				}
				name := names[rng.Int64N(n)]
				if r := tab.get(name); r == nil || r.name != name {
					t.Errorf("get(%s) = %v", name, r)
					return
				}
			}
		})
	}
	for _, name := range names {
		tab.put(&Route{name: name, hash: tab.hash(name)})
		added.Add(1)
	}
	wg.Wait()
}

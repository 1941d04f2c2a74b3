package ohmic

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// copied is s with counters of its own.
func copied(s *State) *State {
	c := *s
	if s.demand != nil {
		from := counts(s.demand)
		c.demand = new(demand)
		for b, n := range from.bids {
			if n > 0 {
				c.demand.arrive(b, n)
			}
		}
		c.demand.shed.Store(from.shed)
		c.demand.lent.Store(from.lent)
		if s.demand.ledger != nil {
			l := *s.demand.ledger
			c.demand.ledger = &l
		}
		for i, n := range from.admitted {
			c.demand.admitted[i].Store(n)
		}
	}
	return &c
}

// splitter tries, at some deliveries of a history, every way to cut them.
type splitter struct {
	*route
	t     *testing.T
	tried int
}

func (x *splitter) epoch() uint32 { return x.state.Epoch() }

func (x *splitter) request(q physics.Query, seated bool) bool {
	allow := x.state.Allow(q)
	x.state.Note(q, allow, seated)
	return allow
}

func (x *splitter) deliver(s []physics.Sample, now, seats int64) time.Duration {
	before := copied(x.state)
	wake := x.advance(s, now, seats)
	if n := len(s); n > 1 && n <= 9 && x.tried < 40 {
		x.tried++
		for cuts := range 1 << (n - 1) {
			// A bit set is a cut after that sample.
			at := 0
			r := routeOf(copied(before))
			r.cut = func(int) int {
				from := at
				for at++; at < n && cuts>>(at-1)&1 == 0; at++ {
				}
				return at - from
			}
			if got := r.advance(s, now, seats); got != wake {
				x.t.Fatalf("cut %b of %d: wake %v, whole %v", cuts, n, got, wake)
			}
			if d := difference(r.state, x.state); d != "" {
				x.t.Fatalf("cut %b of %d, whole:%s", cuts, n, d)
			}
		}
	}
	return wake
}

// Completions nothing was asked between teach the same in whatever batches they
// come.
func TestEveryCut(t *testing.T) {
	tried := 0
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 43))
		h := newHistory(rng)
		h.want = 2 + rng.IntN(8)
		x := &splitter{route: newRoute(randomConfig(rng)), t: t}
		h.play(x, 1500)
		tried += x.tried
	}
	if tried < 500 {
		t.Errorf("%d deliveries cut", tried)
	}
}

// A batch changes its own state and none that was published before.
func TestPublishedStatesStay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 47))
	r := newRoute(DefaultConfig())
	a := &keeper{route: r, t: t}
	newHistory(rng).play(a, 3000)
	for i, s := range a.kept {
		was := a.copies[i]
		was.demand = s.demand
		if d := difference(s, was); d != "" {
			t.Fatalf("a published state changed:%s", d)
		}
	}
}

type keeper struct {
	*route
	t            *testing.T
	kept, copies []*State
}

func (k *keeper) epoch() uint32 { return k.state.Epoch() }

func (k *keeper) request(q physics.Query, seated bool) bool {
	allow := k.state.Allow(q)
	k.state.Note(q, allow, seated)
	return allow
}

func (k *keeper) deliver(s []physics.Sample, now, seats int64) time.Duration {
	wake := k.advance(s, now, seats)
	c := copied(k.state)
	price := *k.state.price
	price.entry = append([]entry(nil), price.entry...)
	c.price = &price
	k.kept, k.copies = append(k.kept, k.state), append(k.copies, c)
	return wake
}

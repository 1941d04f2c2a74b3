package actors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/atrion-io/atrion/internal/route"
	"github.com/atrion-io/atrion/providers"
)

// ErrTooManyRoutes: the registry is full and no route can give way.
var ErrTooManyRoutes = errors.New("atrion: too many routes")

// registry knows every route of a system. Lookups take no lock; creation and
// eviction do.
type registry struct {
	mu    sync.Mutex
	table *table
	hand  uint64 // the eviction hand: a slot of the table
}

// evictProbes bounds how far the eviction hand goes for one new route, so that
// creating a route in a full registry costs bounded time.
const evictProbes = 256

// Lookup returns the route of that name if there is one. It takes no lock.
func (s *System) Lookup(name string) *Route { return s.registry.table.get(name) }

// Route returns the route of that name and creates it if there is none, with
// the state the provider holds for it. Errors: an invalid name,
// ErrTooManyRoutes, ErrClosed.
func (s *System) Route(name string) (*Route, error) {
	if r := s.registry.table.get(name); r != nil && r.pub.Load() != nil {
		return r, nil // the lock below sees a route that is just being evicted go
	}
	if err := route.Validate(name); err != nil {
		return nil, fmt.Errorf("atrion: %w", err)
	}
	// Outside the lock: a provider that is slow must not stop the creation of
	// other routes.
	first, known := s.recall(name)
	r, err := s.admit(name, first, known)
	if err == nil && known != nil {
		// What was said between the recall and the admission fell on deaf ears.
		ctx, cancel := s.recallContext()
		defer cancel()
		s.gather(ctx, name, r.regimeOf(), r.hear)
	}
	return r, err
}

// admit adds a route that begins with the snapshot first, unless the name is
// there already; one that still knows nothing then knows first.
func (s *System) admit(name string, first *Published, known *peers) (*Route, error) {
	g := &s.registry
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.closing.Load() {
		return nil, ErrClosed
	}
	if r := g.table.get(name); r != nil {
		// It may have been created while its state could not be had.
		if p := r.pub.Load(); first.Revision > 0 && p != nil && p.Revision == 0 && r.pub.CompareAndSwap(p, first) {
			r.saved.Store(first)
		}
		return r, nil
	}
	if g.table.live >= s.cfg.MaxRoutes && !s.makeRoom() {
		s.counters.refused.Add(1)
		s.events.publish(Event{Kind: Refused, Route: name, Time: s.cfg.Clock.Now(), Cause: ErrTooManyRoutes.Error()})
		return nil, fmt.Errorf("%w: %d, none idle and healthy (limit MaxRoutes)", ErrTooManyRoutes, g.table.live)
	}
	r := &Route{name: name, hash: g.table.hash(name), sys: s}
	r.used.Store(true)
	r.rules.Store(s.rulesOf(name))
	first = s.amended(first, r.regimeOf()) // another may have come between
	r.pub.Store(first)
	if first.Revision > 0 {
		r.saved.Store(first)
	}
	if known != nil && len(known.said) > 0 {
		r.peers = known
	}
	g.table.put(r)
	s.counters.routes.Store(int64(g.table.live))
	return r, nil
}

const (
	// seenOnce is the most snapshots of a route that was hardly more than tried.
	seenOnce = 3
	// further is how many routes further the hand goes in search of such a one
	// when it holds one that has learned something. Going farther would take
	// their second chance from too many.
	further = 64
)

// makeRoom evicts one route that can be spared. A route used since the hand
// last passed gets a second chance, and one that has learned something goes only
// if there is none near the hand that was hardly seen: whoever makes up route
// names drives out his own. The caller holds the registry's lock.
func (s *System) makeRoom() bool {
	g := &s.registry
	now := s.cfg.Clock.Now()
	var learned *Route
	for probes, left := 0, evictProbes; probes < evictProbes && left > 0; probes++ {
		r := g.table.at(g.hand)
		g.hand++
		if r == nil {
			continue
		}
		if left--; r.used.Swap(false) {
			continue
		}
		switch p := r.pub.Load(); {
		case p == nil || !p.State.Settled(now):
		case p.Revision <= seenOnce:
			if s.evict(r, now) {
				return true
			}
		case learned == nil:
			learned, left = r, min(left, further)
		}
	}
	return learned != nil && s.evict(learned, now)
}

// evict passivates r if it is idle, healthy and settled. The caller holds the
// registry's lock.
func (s *System) evict(r *Route, now int64) bool {
	if !r.retire(now) {
		return false
	}
	s.registry.table.remove(r)
	s.counters.routes.Store(int64(s.registry.table.live))
	s.counters.evicted.Add(1)
	s.events.publish(Event{Kind: Evicted, Route: r.name, Time: now, Cause: "idle"})
	return true
}

// sweepStride bounds the slots one sweep looks at while it holds the lock.
const sweepStride = 4096

// sweep evicts, all IdleAfter, what was idle for at least that long: the hand
// must find a route unused twice.
func (s *System) sweep() {
	defer s.loops.Done()
	if s.sched != nil {
		return // a simulation has no idle routes to spare
	}
	t := time.NewTicker(s.cfg.IdleAfter)
	defer t.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
		}
		for at := 0; at < s.registry.table.size() && !s.closing.Load(); at += sweepStride {
			s.sweepPart(uint64(at))
		}
	}
}

func (s *System) sweepPart(from uint64) {
	g := &s.registry
	g.mu.Lock()
	defer g.mu.Unlock()
	now := s.cfg.Clock.Now()
	size := uint64(g.table.size())
	for i := from; i < min(from+sweepStride, size); i++ {
		if r := g.table.at(i); r != nil && !r.used.Swap(false) {
			s.evict(r, now)
		}
	}
}

// Routes returns the routes there are now, in no particular order.
func (s *System) Routes() []*Route {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	return s.registry.table.all()
}

// recall returns the snapshot a new route begins with: what the provider holds
// for it, or a blank one, and what other nodes have said of it. It waits for the
// provider LoadTimeout at most.
func (s *System) recall(name string) (first *Published, known *peers) {
	g := s.regimeFor(name)
	if s.cfg.Provider == nil {
		return g.blank, nil
	}
	ctx, cancel := s.recallContext()
	defer cancel()
	first, known = s.recallOwn(ctx, name, g), new(peers)
	s.gather(ctx, name, g, known.add(name))
	return s.informed(name, g, first, known.said), known
}

func (s *System) recallOwn(ctx context.Context, name string, g *Regime) *Published {
	e, err := s.cfg.Provider.Get(ctx, providers.Key{Route: name, Node: s.cfg.Node})
	switch {
	case errors.Is(err, providers.ErrNotFound):
		return g.blank
	case err != nil:
		s.counters.loadErrors.Add(1)
		return g.blank
	}
	return s.restore(e, g)
}

// restore turns a stored entry into a snapshot, or a blank one if the entry
// cannot be read: a route that forgets is better than a node that does not
// start.
func (s *System) restore(e providers.Entry, g *Regime) *Published {
	env, st, _, err := s.open(g, &e)
	if err != nil {
		s.counters.loadErrors.Add(1)
		s.cfg.Logger.Warn("stored state cannot be read, route starts anew", "route", e.Key.Route, "error", err)
		return g.blank
	}
	s.outlive(env.life, nil, 0)
	return s.published(st, 1, s.cfg.Clock.Now())
}

package actors

import (
	"context"
	"sync"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/providers"
)

// saver writes routes' states to the provider, coalesced: a route that departs
// from what is stored waits in a queue, once, and what is written is its state
// when its turn comes. A nil saver (no provider) does nothing.
type saver struct {
	sys *System

	mu    sync.Mutex
	queue []*Route // each at most once (Route.dirty), so at most MaxRoutes

	rouse chan struct{} // the queue turned non-empty
}

func newSaver(s *System) *saver {
	if s.cfg.Provider == nil {
		return nil
	}
	return &saver{sys: s, rouse: make(chan struct{}, 1)}
}

// changed is told of every new state of r, by its actor.
func (v *saver) changed(r *Route, next physics.State, now int64) {
	if v == nil {
		return
	}
	var saved physics.State
	if p := r.saved.Load(); p != nil {
		saved = p.State
	}
	if next.Departs(saved, now) {
		v.enqueue(r)
	}
}

func (v *saver) enqueue(r *Route) {
	if r.dirty.Swap(true) {
		return
	}
	v.mu.Lock()
	v.queue = append(v.queue, r)
	v.mu.Unlock()
	signal(v.rouse)
}

func (v *saver) pending() int {
	if v == nil {
		return 0
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.queue)
}

// next takes up to n routes off the queue.
func (v *saver) next(n int) []*Route {
	v.mu.Lock()
	defer v.mu.Unlock()
	n = min(n, len(v.queue))
	batch := v.queue[:n:n]
	v.queue = v.queue[n:]
	if len(v.queue) == 0 {
		v.queue = nil // let the array go
	}
	return batch
}

// run writes at most SaveBudget states per SaveInterval until the system
// stops. With nothing to write it sleeps.
func (v *saver) run() {
	defer v.sys.loops.Done()
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		select {
		case <-v.rouse:
		case <-v.sys.ctx.Done():
			return
		}
		for v.pending() > 0 {
			ctx, cancel := context.WithTimeout(v.sys.ctx, v.sys.cfg.SaveTimeout)
			v.write(ctx, v.sys.cfg.SaveBudget)
			cancel()
			t.Reset(v.sys.cfg.SaveInterval)
			select {
			case <-t.C:
			case <-v.sys.ctx.Done():
				return
			}
		}
	}
}

// write stores up to n states. At the first error the rest go back to the
// queue, the one that failed last: a provider that is away is not asked n
// times, and one state it refuses does not stand before the others. A route
// stays dirty until its state is stored, so that it is not evicted in between.
func (v *saver) write(ctx context.Context, n int) error {
	batch := v.next(n)
	for i, r := range batch {
		if err := v.save(ctx, r); err != nil {
			v.sys.counters.saveErrors.Add(1)
			v.mu.Lock()
			v.queue = append(append(v.queue, batch[i+1:]...), r)
			v.mu.Unlock()
			return err
		}
	}
	return nil
}

func (v *saver) save(ctx context.Context, r *Route) error {
	p := r.pub.Load()
	value := p.State.AppendState(nil, v.sys.cfg.Clock.Now())
	if _, err := v.sys.cfg.Provider.Put(ctx, providers.Key{Route: r.name, Node: v.sys.cfg.Node}, value); err != nil {
		return err
	}
	v.sys.counters.saves.Add(1)
	r.saved.Store(p)
	r.dirty.Store(false)
	// What the actor published meanwhile found the route dirty and left it to
	// us.
	if later := r.pub.Load(); later != nil && later != p {
		v.changed(r, later.State, later.At)
	}
	return nil
}

// flush writes everything that waits, within ctx, trying each state once. After
// a few failures in a row it takes the provider to be away.
func (v *saver) flush(ctx context.Context) (err error) {
	if v == nil {
		return nil
	}
	const away = 3
	for left, failed := v.pending(), 0; left > 0 && failed < away && ctx.Err() == nil; left-- {
		if e := v.write(ctx, 1); e != nil {
			err = e
			failed++
		} else {
			failed = 0
		}
	}
	switch {
	case v.pending() == 0:
		return nil
	case err == nil:
		return ctx.Err()
	}
	return err
}

// load restores every route the provider holds for this node, and closes done.
func (v *saver) load(done chan struct{}) {
	s := v.sys
	defer s.loops.Done()
	defer close(done)
	if err := v.loadAll(s.ctx); err != nil && s.ctx.Err() == nil {
		s.counters.loadErrors.Add(1)
		s.cfg.Logger.Warn("stored states not loaded, routes look for theirs when they are asked about", "error", err)
	}
}

func (v *saver) loadAll(ctx context.Context) error {
	s := v.sys
	for e, err := range s.cfg.Provider.List(ctx, providers.Filter{Node: s.cfg.Node}) {
		if err != nil {
			return err
		}
		if first := s.restore(e, s.regime.Load()); first.Revision > 0 {
			if _, err := s.admit(e.Key.Route, first); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow watches this node's own keys for the loss of the storage: what the
// provider no longer holds is written again.
func (v *saver) follow() {
	defer v.sys.loops.Done()
	w, err := v.sys.cfg.Provider.Watch(v.sys.ctx, providers.Filter{Node: v.sys.cfg.Node})
	if err != nil {
		v.sys.cfg.Logger.Warn("cannot watch the state provider", "error", err)
		return
	}
	defer w.Stop()
	for {
		select {
		case ev, ok := <-w.Events():
			if !ok {
				return
			}
			if ev.Kind == providers.Reset {
				v.republish()
			}
		case <-v.sys.ctx.Done():
			return
		}
	}
}

// republish queues every route whose state was stored: the storage is empty.
func (v *saver) republish() {
	for _, r := range v.sys.Routes() {
		if r.saved.Swap(nil) != nil {
			v.enqueue(r)
		}
	}
}

package actors

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
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
	queue []waiting // each route at most once (Route.dirty), so at most MaxRoutes
	busy  bool      // its coroutine runs, with a Scheduler

	away atomic.Bool // the last write found nobody there: other nodes do not hear this one

	rouse chan struct{} // the queue turned non-empty
}

// waiting is a route whose state is to be written.
type waiting struct {
	route *Route
	off   float64 // by how much those who hold the last one are wrong
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
	if off := v.off(next, saved, now); off > 1 {
		v.enqueue(r, off)
	}
}

// off is by how much whoever holds saved is wrong: this node after a restart, or
// another one now.
func (v *saver) off(next, saved physics.State, now int64) float64 {
	off := 0.0
	if next.Departs(saved, now) {
		off = 2
	}
	if told, ok := next.(physics.Shared); ok && saved != nil {
		off = max(off, told.Strays(saved, now))
	}
	return off
}

func (v *saver) enqueue(r *Route, off float64) {
	if r.dirty.Swap(true) {
		return
	}
	v.mu.Lock()
	v.queue = append(v.queue, waiting{r, off})
	start := v.sys.sched != nil && !v.busy && !v.sys.closing.Load()
	v.busy = v.busy || start
	v.mu.Unlock()
	if start {
		v.sys.sched.Go(v.rounds)
		return
	}
	signal(v.rouse)
}

// cut reports whether other nodes cannot be told anything.
func (v *saver) cut() bool { return v != nil && v.away.Load() }

func (v *saver) pending() int {
	if v == nil {
		return 0
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.queue)
}

// lookahead is how many rounds' worth of routes that wait longest are compared,
// so that none waits for ever and the comparison stays cheap.
const lookahead = 16

// next takes up to n routes off the queue, those about which others are most
// wrong first.
func (v *saver) next(n int) []waiting {
	v.mu.Lock()
	defer v.mu.Unlock()
	if head := v.queue[:min(lookahead*n, len(v.queue))]; n < len(head) {
		slices.SortStableFunc(head, func(a, b waiting) int { return cmp.Compare(b.off, a.off) })
	}
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
	again := time.NewTimer(v.sys.announce(v.sys.ctx))
	defer again.Stop()
	for {
		select {
		case <-v.rouse:
		case <-again.C:
			again.Reset(v.sys.announce(v.sys.ctx))
		case <-v.sys.ctx.Done():
			return
		}
		for v.pending() > 0 {
			v.round()
			t.Reset(v.sys.cfg.SaveInterval)
			select {
			case <-t.C:
			case <-v.sys.ctx.Done():
				return
			}
		}
	}
}

// rounds is run for a Scheduler: from the first route that waits to the last.
func (v *saver) rounds() {
	for !v.sys.closing.Load() {
		v.round()
		v.sys.sched.Sleep(v.sys.cfg.SaveInterval, nil)
		v.mu.Lock()
		v.busy = len(v.queue) > 0
		busy := v.busy
		v.mu.Unlock()
		if !busy {
			return
		}
	}
}

func (v *saver) round() {
	ctx, cancel := context.WithTimeout(v.sys.ctx, v.sys.cfg.SaveTimeout)
	defer cancel()
	_ = v.write(ctx, v.sys.cfg.SaveBudget) // counted; it is tried again
}

// write stores up to n states. At the first error the rest go back to the
// queue, the one that failed last: a provider that is away is not asked n
// times, and one state it refuses does not stand before the others. A route
// stays dirty until its state is stored, so that it is not evicted in between.
func (v *saver) write(ctx context.Context, n int) error {
	batch := v.next(n)
	for i, w := range batch {
		if err := v.save(ctx, w.route); err != nil {
			v.sys.counters.saveErrors.Add(1)
			v.mu.Lock()
			v.queue = append(append(v.queue, batch[i+1:]...), w)
			v.mu.Unlock()
			return err
		}
	}
	return nil
}

func (v *saver) save(ctx context.Context, r *Route) error {
	p := r.pub.Load()
	value := v.sys.seal(nil, p, v.sys.cfg.Clock.Now())
	_, err := v.sys.cfg.Provider.Put(ctx, providers.Key{Route: r.name, Node: v.sys.cfg.Node}, value)
	v.away.Store(errors.Is(err, providers.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded))
	if err != nil {
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

// reloadEvery is how long a provider that was away is left alone before it is
// asked again for the stored states.
const reloadEvery = time.Second

// load restores every route the provider holds for this node, and closes done
// after the first attempt. A provider that is away then, as that of a cluster
// without a quorum is, is asked until it answers: what a route has learned
// since stands, and one that knows nothing yet knows what was stored.
func (v *saver) load(done chan struct{}) {
	s := v.sys
	defer s.loops.Done()
	err := v.loadAll(s.ctx)
	close(done)
	if err == nil || s.ctx.Err() != nil {
		return
	}
	s.counters.loadErrors.Add(1)
	s.cfg.Logger.Warn("stored states not loaded, routes look for theirs when they are asked about", "error", err)
	for errors.Is(err, providers.ErrUnavailable) {
		select {
		case <-time.After(reloadEvery):
		case <-s.ctx.Done():
			return
		}
		if err = v.loadAll(s.ctx); err == nil {
			s.cfg.Logger.Info("stored states loaded", "routes", s.counters.routes.Load())
		}
	}
}

func (v *saver) loadAll(ctx context.Context) error {
	s := v.sys
	for e, err := range s.cfg.Provider.List(ctx, providers.Filter{Node: s.cfg.Node}) {
		if err != nil {
			return err
		}
		if e.Key.Route == presenceRoute {
			continue
		}
		g := s.regimeFor(e.Key.Route)
		if first := s.restore(e, g); first.Revision > 0 {
			var known peers
			s.gather(ctx, e.Key.Route, g, known.add(e.Key.Route))
			if _, err := s.admit(e.Key.Route, s.informed(e.Key.Route, g, first, known.said), &known); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow hears what other nodes say, and of the loss of the storage: what the
// provider no longer holds is written again.
func (v *saver) follow() {
	if d, ok := v.sys.cfg.Provider.(providers.Direct); ok {
		d.Direct(v.event)
	}
	if v.sys.sched != nil {
		return
	}
	defer v.sys.loops.Done()
	w, err := v.sys.cfg.Provider.Watch(v.sys.ctx, providers.Filter{})
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
			v.event(ev)
		case <-v.sys.ctx.Done():
			return
		}
	}
}

func (v *saver) event(ev providers.Event) {
	switch ev.Kind {
	case providers.Changed:
		v.sys.heard(&ev.Entry)
	case providers.Reset:
		v.sys.announce(v.sys.ctx)
		v.republish()
	}
}

// republish queues every route whose state was stored: the storage is empty.
func (v *saver) republish() {
	for _, r := range v.sys.Routes() {
		if r.saved.Swap(nil) != nil {
			v.enqueue(r, 1)
		}
	}
}

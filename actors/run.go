package actors

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// worker is what a running actor needs beyond its route. Workers are pooled
// per system: the idle route holds none. What the actor must remember from one
// round to the next is here and not in a frame: a fresh goroutine has 2 KiB of
// stack, of which the runtime keeps some, and growing it costs more than a turn.
type worker struct {
	timer *time.Timer
	wake  chan struct{}

	batch *physics.Batch  // lent while it works
	asks  []chan struct{} // to be answered after this round
	said  []physics.Peer  // by other nodes, not yet heard
	tick  time.Duration   // the law's wish for its next tick
	idle  int             // rounds without a sample
	done  bool            // the actor may leave
}

func newWorker() any {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &worker{timer: t, wake: make(chan struct{}, 1)}
}

// busyBatch is how many samples in one batch mark a route as busy, so that its
// actor lingers for more instead of leaving.
const busyBatch = 4

// run is the actor's goroutine: from the first sample to the end of the
// linger. box.running is true exactly while it, or its successor, lives. It
// begins with a back-off if the law ended the goroutine before it.
func (r *Route) run(backOff bool) {
	w := r.sys.workers.Get().(*worker)
	w.tick, w.idle, w.done = 0, 0, false
	defer r.leave(w)
	if backOff {
		r.backOff(w)
	}
	for !w.done {
		r.round(w)
	}
}

// leave ends the actor's goroutine, or, if the law ended it, hands the mailbox
// to a new one.
func (r *Route) leave(w *worker) {
	done := w.done
	w.answer()
	r.giveBack(w)
	r.sys.workers.Put(w)
	if done {
		r.sys.left()
	} else {
		r.sys.spawn(r, true)
	}
}

// round takes what waits, works it off, and waits for more.
func (r *Route) round(w *worker) {
	r.box.mu.Lock()
	list, asks := r.box.take()
	if r.peers != nil && r.peers.news {
		w.said = r.peers.said
		heard := *r.peers
		heard.news = false
		r.peers = &heard
	}
	r.box.mu.Unlock()
	w.asks = asks

	n, failures := 0, r.failures
	if list != nil {
		w.idle = 0
		r.lend(w)
		w.tick, n = r.work(w, list)
	} else {
		w.idle++
		if w.tick > 0 || w.said != nil {
			r.lend(w)
			w.tick = r.turn(w)
		}
	}
	r.giveBack(w)
	w.answer()
	if r.failures > failures {
		r.backOff(w)
	}
	w.done = !r.linger(w, n)
}

// lend gives w a batch for as long as it works. A batch is 64 KiB: an actor that
// only waits must not sit on one.
func (r *Route) lend(w *worker) { w.batch = r.sys.batches.Get().(*physics.Batch) }

func (r *Route) giveBack(w *worker) {
	if w.batch != nil {
		w.batch.Reset()
		r.sys.batches.Put(w.batch)
		w.batch = nil
	}
}

// answer tells those who asked that a snapshot which knows their sample is
// published.
func (w *worker) answer() {
	answer(w.asks)
	w.asks = nil
}

// answer signals; the channels have room for one, so it does not block.
func answer(asks []chan struct{}) {
	for _, ask := range asks {
		ask <- struct{}{}
	}
}

// linger waits for more samples where that is cheaper than being started
// again, or until the law wants its next tick; n is the number of samples just
// seen. It reports whether to go on; if not, the mailbox is marked idle and the
// goroutine must leave.
func (r *Route) linger(w *worker, n int) bool {
	d := w.tick
	if busy := n >= busyBatch || n == 0 && w.idle < 2; busy && (d == 0 || d > r.sys.cfg.Linger) {
		d = r.sys.cfg.Linger
	}
	m := &r.box
	m.mu.Lock()
	switch {
	case m.count > 0, r.peers != nil && r.peers.news:
		m.mu.Unlock()
		return true
	case d <= 0 || m.retired || r.sys.closing.Load():
		m.running = false
		m.mu.Unlock()
		return false
	}
	m.wake, m.eager = w.wake, d > r.sys.cfg.Linger
	m.mu.Unlock()
	r.sys.sleep(w, d)
	m.mu.Lock()
	m.wake, m.eager = nil, false
	m.mu.Unlock()
	return true
}

// sleep waits for d or for a signal. A signal that comes as the timer fires
// stays in the channel and cuts the next sleep short, which does no harm.
func (s *System) sleep(w *worker, d time.Duration) {
	if s.sched != nil {
		s.sched.Sleep(d, w.wake)
		return
	}
	w.timer.Reset(d)
	select {
	case <-w.timer.C:
	case <-w.wake:
		w.timer.Stop()
	}
}

// work advances the route over the list and returns the law's wish for the
// next tick and the number of samples seen. Chunks go back to the pool.
func (r *Route) work(w *worker, list *chunk) (wake time.Duration, n int) {
	for list != nil {
		b := w.batch
		b.Reset()
		for list != nil && b.N+list.n <= physics.MaxBatch {
			for i := range list.samples[:list.n] {
				b.Add(&list.samples[i])
			}
			next := list.next
			list.next = nil
			r.sys.chunks.Put(list)
			list = next
		}
		n += b.N
		wake = r.turn(w)
	}
	return wake, n
}

// turn is one step of the actor under its supervisor: a panic of the law loses
// this batch and nothing else.
func (r *Route) turn(w *worker) (wake time.Duration) {
	b := w.batch
	prev := r.pub.Load()
	finished := false
	defer func() {
		if finished {
			return
		}
		// A panic, or runtime.Goexit by the law: both would otherwise leave
		// the route running for ever with nobody at the mailbox.
		r.failed(prev, b.N, recover())
	}()
	if b.N == 0 {
		b.Time[0] = max(r.sys.cfg.Clock.Now(), prev.At)
	}
	at := monotone(b, prev.At)
	b.Seats = r.seats.taken.Load()
	b.Cut = r.sys.saver.cut()
	if w.said != nil {
		r.sys.address(b, r.name, w.said)
		w.said = nil
	}
	regime, state := r.regimeOf(), prev.State
	if r.sys.amends.Load() {
		state = r.sys.amended(prev, regime).State
	}
	next := regime.law.NewState()
	wake = next.Advance(state, b)
	p := r.sys.published(next, prev.Revision+1, at)
	if p.Seen = prev.Seen; b.N > 0 {
		p.Seen = at
	}
	r.pub.Store(p)
	finished = true
	r.failures = 0
	r.sys.counters.samples.Add(uint64(b.N))
	r.sys.counters.batches.Add(1)
	if from, to := prev.State.Mode(), next.Mode(); from != to {
		r.moved(next, from, to, at)
	}
	r.sys.saver.changed(r, next, at)
	return wake
}

// moved tells of a change of mode. It is apart so that turns without one need
// no stack for it: a fresh goroutine has 2 KiB, of which the runtime keeps some
// for itself, and growing it costs more than a turn.
//
//go:noinline
func (r *Route) moved(next physics.State, from, to physics.Mode, at int64) {
	r.sys.counters.transitions.Add(1)
	v := physics.Judge(next, physics.Query{Now: at, U: physics.Peek})
	r.sys.events.publish(Event{Kind: Transition, Route: r.name, Time: at, From: from, To: to, Resistance: v.Resistance})
}

// monotone raises times that run backwards, within the batch or against last,
// and returns the latest.
func monotone(b *physics.Batch, last int64) int64 {
	for i, t := range b.Time[:max(b.N, 1)] {
		if t < last {
			b.Time[i] = last
		} else {
			last = t
		}
	}
	return last
}

// failed books a batch that met a panic.
func (r *Route) failed(prev *Published, lost int, cause any) {
	s := r.sys
	r.failures++
	s.counters.panics.Add(1)
	s.counters.lostInPanic.Add(uint64(lost))
	now := s.cfg.Clock.Now()
	why := fmt.Sprintf("panic: %v", cause)
	if cause == nil {
		why = "the law ended its goroutine"
	}
	s.cfg.Logger.Error("route actor failed", "route", r.name, "failures", r.failures, "lost", lost, "cause", why, "stack", string(debug.Stack()))
	s.events.publish(Event{Kind: Restart, Route: r.name, Time: now, Lost: lost, Cause: why})
	if r.failures == s.cfg.MaxFailures {
		faulty := *prev
		faulty.Faulty = true
		faulty.Revision++
		r.pub.Store(&faulty)
		s.events.publish(Event{Kind: Faulty, Route: r.name, Time: now, Cause: why})
	}
}

// backOff waits after a failure: BackOff, doubled with every failure in a row,
// at most MaxBackOff. Closing the system cuts it short. Samples that arrive
// meanwhile wait in the bounded mailbox.
func (r *Route) backOff(w *worker) {
	d := r.sys.cfg.MaxBackOff
	if shift := r.failures - 1; shift < 20 {
		d = min(d, r.sys.cfg.BackOff<<shift)
	}
	r.setFailing(true)
	defer r.setFailing(false)
	if r.sys.sched != nil {
		r.sys.sched.Sleep(d, w.wake)
		return
	}
	w.timer.Reset(d)
	select {
	case <-w.timer.C:
	case <-r.sys.ctx.Done():
		w.timer.Stop()
	}
}

// setFailing releases whoever asks, and lets nobody else ask, or ends that.
func (r *Route) setFailing(failing bool) {
	r.box.mu.Lock()
	asks := r.box.asks
	r.box.asks, r.box.failing = nil, failing
	r.box.mu.Unlock()
	answer(asks)
}

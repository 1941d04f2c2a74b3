package actors

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// worker is what a running actor needs beyond its route. Workers are pooled
// per system: the idle route holds none.
type worker struct {
	batch *physics.Batch
	timer *time.Timer
	wake  chan struct{}
}

func newWorker() any {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &worker{batch: physics.NewBatch(), timer: t, wake: make(chan struct{}, 1)}
}

// busyBatch is how many samples in one batch mark a route as busy, so that its
// actor lingers for more instead of leaving.
const busyBatch = 4

// run is the actor's goroutine: from the first sample to the end of the
// linger. box.running is true exactly while it, or its successor, lives.
func (r *Route) run() {
	w := r.sys.workers.Get().(*worker)
	var asks []chan struct{}
	orderly := false
	defer func() {
		answer(asks)
		r.sys.workers.Put(w)
		if !orderly {
			go r.run() // the law ended this goroutine; someone must mind the mailbox
			return
		}
		r.sys.left()
	}()
	var wake time.Duration // the law's wish for its next tick
	for idle := 0; ; {
		r.box.mu.Lock()
		var list *chunk
		list, asks = r.box.take()
		r.box.mu.Unlock()

		n := 0
		if list != nil {
			idle = 0
			wake, n = r.work(w, list)
		} else {
			idle++
			if wake > 0 {
				wake = r.turn(w)
			}
		}
		answer(asks)
		asks = nil
		if r.failures > 0 {
			r.backOff(w)
		}
		if !r.linger(w, n, idle, wake) {
			orderly = true
			return
		}
	}
}

// answer tells those who asked that a snapshot which knows their sample is
// published. The channels have room for one, so it does not block.
func answer(asks []chan struct{}) {
	for _, ask := range asks {
		ask <- struct{}{}
	}
}

// linger waits for more samples where that is cheaper than being started
// again, or until the law wants its next tick. It reports whether to go on;
// if not, the mailbox is marked idle and the goroutine must leave.
func (r *Route) linger(w *worker, n, idle int, wake time.Duration) bool {
	d := wake
	if busy := n >= busyBatch || n == 0 && idle < 2; busy && (d == 0 || d > r.sys.cfg.Linger) {
		d = r.sys.cfg.Linger
	}
	m := &r.box
	m.mu.Lock()
	switch {
	case m.count > 0:
		m.mu.Unlock()
		return true
	case d <= 0 || m.retired || r.sys.closing.Load():
		m.running = false
		m.mu.Unlock()
		return false
	}
	m.wake = w.wake
	m.mu.Unlock()
	w.sleep(d)
	m.mu.Lock()
	m.wake = nil
	m.mu.Unlock()
	return true
}

// sleep waits for d or for a signal. A signal that comes as the timer fires
// stays in the channel and cuts the next sleep short, which does no harm.
func (w *worker) sleep(d time.Duration) {
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
		b.Reset()
	}()
	if b.N == 0 {
		b.Time[0] = max(r.sys.cfg.Clock.Now(), prev.At)
	}
	at := monotone(b, prev.At)
	next := r.sys.cfg.Law.NewState()
	wake = next.Advance(prev.State, b)
	r.pub.Store(&Published{State: next, Revision: prev.Revision + 1, At: at})
	finished = true
	r.failures = 0
	r.sys.counters.samples.Add(uint64(b.N))
	r.sys.counters.batches.Add(1)
	if from, to := prev.State.Mode(), next.Mode(); from != to {
		r.sys.counters.transitions.Add(1)
		v := physics.Judge(next, physics.Query{Now: at, U: physics.Peek})
		r.sys.events.publish(Event{Kind: Transition, Route: r.name, Time: at, From: from, To: to, Resistance: v.Resistance})
	}
	r.sys.saver.changed(r, next, at)
	b.Reset()
	return wake
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
	w.timer.Reset(d)
	select {
	case <-w.timer.C:
	case <-r.sys.stop:
		w.timer.Stop()
	}
}

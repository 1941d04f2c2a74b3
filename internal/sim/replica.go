package sim

import "math"

// replica is one copy of the backend.
type replica interface {
	// arrive brings an admitted attempt.
	arrive(i int32)
	// fire is an event of the replica's own.
	fire(i int32)
	// resize follows a change of the number of servers.
	resize()
	// look returns the busy share of the servers there are now, and for how
	// long (ns) the first in the queue has waited.
	look() (busy float64, wait int64)
	// busyTime returns the integral of busy servers over time (ns), for tests.
	busyTime() float64
}

// fifo is a replica whose servers take attempts from one queue, each working on
// one at a time.
type fifo struct {
	r       *run
	id      int
	all     int // servers at full health
	servers int // there are now
	busy    int // may exceed servers for a while after a cut: work begun is finished
	waiting int
	queue   queue
	rule    Discipline

	area  float64 // integral of busy until since
	since int64
}

func (f *fifo) arrive(i int32) {
	r := f.r
	if f.waiting == 0 && f.busy < f.servers {
		f.start(i)
		return
	}
	if bound := r.sc.Backend.Bound; bound > 0 && f.waiting >= bound {
		r.refuse(i)
		return
	}
	a := &r.attempts[i]
	a.queued = r.now
	a.waits = true
	if f.rule != nil {
		if patience := f.rule.Enqueue(r.now, f.waiting); patience > 0 {
			r.post(r.now+patience, expire, i, a.gen)
		}
	}
	f.queue.push(place{i, a.gen})
	f.waiting++
}

// start puts an attempt on a free server.
func (f *fifo) start(i int32) {
	r := f.r
	f.account()
	f.busy++
	a := &r.attempts[i]
	a.waits = false
	span := a.work * r.slowness(f.id) * r.congestion(f.waiting, f.all)
	a.span = max(1, int64(math.Round(span*1e6)))
	r.post(r.now+a.span, complete, i, 0)
}

// fire ends the service of an attempt.
func (f *fifo) fire(i int32) {
	f.account()
	f.busy--
	f.next()
	f.r.served(i, float64(f.r.attempts[i].span))
}

// expire drops an attempt that has waited for as long as the discipline lets
// it.
func (f *fifo) expire(i int32) {
	f.waiting-- // its place stays in the ring and is skipped there
	f.r.attempts[i].waits = false
	f.r.leave(i, Dropped)
}

func (f *fifo) next() {
	for f.waiting > 0 && f.busy < f.servers {
		var p place
		if f.rule != nil && f.rule.Dequeue(f.r.now, f.waiting) {
			p = f.queue.popNewest()
		} else {
			p = f.queue.popOldest()
		}
		if f.valid(p) {
			f.waiting--
			f.start(p.i)
		}
	}
}

func (f *fifo) valid(p place) bool {
	a := &f.r.attempts[p.i]
	return a.gen == p.gen && a.waits
}

func (f *fifo) resize() {
	f.servers = f.r.sc.Backend.share(f.r.seconds())
	f.next()
}

func (f *fifo) look() (float64, int64) {
	busy := 1.0
	if f.servers > 0 {
		busy = min(1, float64(f.busy)/float64(f.servers))
	}
	for f.waiting > 0 && !f.valid(f.queue.oldest()) {
		f.queue.popOldest()
	}
	if f.waiting == 0 {
		return busy, 0
	}
	return busy, f.r.now - f.r.attempts[f.queue.oldest().i].queued
}

func (f *fifo) account() {
	f.area += float64(float64(f.busy) * float64(f.r.now-f.since))
	f.since = f.r.now
}

func (f *fifo) busyTime() float64 { f.account(); return f.area }

// Package vtime is virtual time: a loop that runs events in the order of their
// instants, and coroutines that sleep on it. Everything runs on the caller's
// goroutine, one thing at a time, so that the same events always give the same
// history, whatever the machine and its scheduler do.
//
// A Loop implements actors.Scheduler: an engine whose Clock is a Loop runs its
// actors as coroutines of it. That is how the wind tunnel plays hours of
// traffic through the real actors in seconds, and twice the same.
package vtime

import (
	"iter"
	"time"
)

// Loop is a virtual clock with its events. It belongs to one goroutine; the
// events and coroutines it runs may call its methods.
type Loop struct {
	now    int64
	seq    uint64
	events heap
	ready  []*proc
	asleep map[chan struct{}]*proc
	self   *proc // the coroutine that runs now
}

// Start is the instant at which a new loop stands. It is positive, so that
// ages before the start still are.
const Start = int64(time.Hour)

// New returns a loop that stands at Start.
func New() *Loop { return &Loop{now: Start, asleep: make(map[chan struct{}]*proc)} }

// Now returns the virtual time in nanoseconds.
func (l *Loop) Now() int64 { return l.now }

// At runs f at instant t, or as soon as possible if t has passed. Events of
// one instant run in the order in which they were asked for.
func (l *Loop) At(t int64, f func()) {
	l.seq++
	l.events.push(event{at: max(t, l.now), seq: l.seq, run: f})
}

// After runs f after d.
func (l *Loop) After(d time.Duration, f func()) { l.At(l.now+int64(d), f) }

// Run runs all events up to and including instant until and leaves the clock
// there.
func (l *Loop) Run(until int64) {
	l.settle()
	for len(l.events) > 0 && l.events[0].at <= until {
		e := l.events.pop()
		l.now = e.at
		e.run()
		l.settle()
	}
	l.now = max(l.now, until)
}

// Pending returns the number of events to come.
func (l *Loop) Pending() int { return len(l.events) }

// settle runs the coroutines that can go on at this instant.
func (l *Loop) settle() {
	for i := 0; i < len(l.ready); i++ {
		p := l.ready[i]
		l.ready[i] = nil
		l.self = p
		if _, more := p.next(); !more {
			p.stop()
		}
		l.self = nil
	}
	l.ready = l.ready[:0]
}

// proc is a coroutine.
type proc struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	nap   uint64 // counts sleeps: a timer of an earlier one is void
	wake  chan struct{}
}

// Go runs f as a coroutine, beginning when the current event is over.
func (l *Loop) Go(f func()) {
	p := new(proc)
	p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		f()
	})
	l.ready = append(l.ready, p)
}

// Sleep parks the calling coroutine for d, or until Wake is called with the
// same channel, which serves as its name and is neither sent nor received on.
func (l *Loop) Sleep(d time.Duration, wake chan struct{}) {
	p := l.self
	p.nap++
	p.wake = wake
	if wake != nil {
		l.asleep[wake] = p
	}
	nap := p.nap
	l.After(d, func() {
		if p.nap == nap {
			l.rouse(p)
		}
	})
	p.yield(struct{}{})
}

// Wake ends the sleep of the coroutine that sleeps under that name, if one does.
func (l *Loop) Wake(wake chan struct{}) {
	if p := l.asleep[wake]; p != nil {
		l.rouse(p)
	}
}

func (l *Loop) rouse(p *proc) {
	p.nap++
	if p.wake != nil {
		delete(l.asleep, p.wake)
		p.wake = nil
	}
	l.ready = append(l.ready, p)
}

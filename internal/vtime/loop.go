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
	"math"
	"time"
)

// Loop is a virtual clock with its events. It belongs to one goroutine; the
// events and coroutines it runs may call its methods, except Run and Close.
type Loop struct {
	now      int64
	seq      uint64
	fired    uint64
	events   heap
	ready    []*proc
	asleep   map[chan struct{}]*proc
	self     *proc // the coroutine that runs now
	last     *proc // the youngest of all coroutines that have not ended
	distinct bool
	closed   bool
}

// Start is the instant at which a new loop stands. It is positive, so that
// ages before the start still are.
const Start = int64(time.Hour)

// New returns a loop that stands at Start.
func New() *Loop { return &Loop{now: Start, asleep: make(map[chan struct{}]*proc)} }

// Distinct makes every event from now on happen at an instant of its own: an
// event that is due when another has just run happens a nanosecond later. What
// compares instants, or keeps a clock of its own beside the loop, then never
// meets a tie.
func (l *Loop) Distinct() { l.distinct = true }

// Now returns the virtual time in nanoseconds.
func (l *Loop) Now() int64 { return l.now }

// Handler is what many events have in common; arg tells them apart. Events
// with a handler need no closure, hence no allocation.
type Handler interface{ Fire(arg uint64) }

type thunk func()

func (f thunk) Fire(uint64) { f() }

// At runs f at instant t, or as soon as possible if t has passed. Events of
// one instant run in the order in which they were asked for.
func (l *Loop) At(t int64, f func()) { l.Post(t, thunk(f), 0) }

// After runs f after d.
func (l *Loop) After(d time.Duration, f func()) { l.At(l.after(d), f) }

// Post is At for events that share a handler.
func (l *Loop) Post(t int64, h Handler, arg uint64) {
	l.seq++
	l.events.push(event{at: max(t, l.now), seq: l.seq, h: h, arg: arg})
}

// after returns the instant d from now; beyond the end of time is its end.
func (l *Loop) after(d time.Duration) int64 {
	if t := l.now + int64(d); d <= 0 || t > l.now {
		return t
	}
	return math.MaxInt64
}

// Fired returns the number of events that have happened.
func (l *Loop) Fired() uint64 { return l.fired }

// Run runs all events up to and including instant until and leaves the clock
// there.
func (l *Loop) Run(until int64) {
	l.settle()
	for len(l.events) > 0 && l.events[0].at <= until {
		e := l.events.pop()
		if l.distinct && e.at <= l.now {
			e.at = l.now + 1
		}
		l.now = e.at
		l.fired++
		e.h.Fire(e.arg)
		if len(l.ready) > 0 {
			l.settle()
		}
	}
	l.now = max(l.now, until)
}

// Settle runs the coroutines that can go on at this instant. From inside one
// it does nothing: they run when it is over.
func (l *Loop) Settle() {
	if l.self == nil {
		l.settle()
	}
}

// Pending returns the number of events to come. A sleep that was cut short
// counts until its time is over.
func (l *Loop) Pending() int { return len(l.events) }

package vtime

import (
	"iter"
	"runtime"
	"time"
)

// proc is a coroutine.
type proc struct {
	loop  *Loop
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	nap   uint64 // counts sleeps: a timer of an earlier one is void
	wake  chan struct{}

	older, younger *proc // of those that have not ended
}

// Go runs f as a coroutine, beginning when the current event is over. After
// Close it does nothing.
func (l *Loop) Go(f func()) {
	if l.closed {
		return
	}
	p := &proc{loop: l, older: l.last}
	if p.older != nil {
		p.older.younger = p
	}
	l.last = p
	p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		f()
	})
	l.ready = append(l.ready, p)
}

// Sleep parks the calling coroutine for d, or until Wake is called with the
// same channel, which serves as its name and is neither sent nor received on.
// A name has one sleeper at a time; the latest is the one that Wake finds.
func (l *Loop) Sleep(d time.Duration, wake chan struct{}) {
	p := l.self
	if p == nil {
		panic("vtime: Sleep outside a coroutine")
	}
	if l.closed { // a deferred call of a coroutine that Close ends
		runtime.Goexit()
	}
	p.nap++
	p.wake = wake
	if wake != nil {
		l.asleep[wake] = p
	}
	l.Post(l.after(d), p, p.nap)
	if !p.yield(struct{}{}) {
		runtime.Goexit() // not a panic: a supervisor must not take it for one
	}
}

// Fire ends the sleep of that number, if it still lasts.
func (p *proc) Fire(nap uint64) {
	if p.nap == nap {
		p.loop.rouse(p)
	}
}

// Wake ends the sleep of the coroutine that sleeps under that name, if one
// does. A Wake that finds nobody asleep is not remembered.
func (l *Loop) Wake(wake chan struct{}) {
	if p := l.asleep[wake]; p != nil {
		l.rouse(p)
	}
}

func (l *Loop) rouse(p *proc) {
	p.nap++
	if p.wake != nil {
		if l.asleep[p.wake] == p {
			delete(l.asleep, p.wake)
		}
		p.wake = nil
	}
	l.ready = append(l.ready, p)
}

// settle runs the coroutines that can go on at this instant, and those that
// they make ready.
func (l *Loop) settle() {
	for i := 0; i < len(l.ready); i++ {
		p := l.ready[i]
		l.ready[i] = nil
		l.self = p
		_, more := p.next()
		l.self = nil
		if !more {
			l.forget(p)
		}
	}
	l.ready = l.ready[:0]
}

func (l *Loop) forget(p *proc) {
	if p.older != nil {
		p.older.younger = p.younger
	}
	if p.younger != nil {
		p.younger.older = p.older
	} else {
		l.last = p.older
	}
}

// Close ends every coroutine that has not ended, the youngest first: its
// deferred calls run, nothing else of it does. Events that have not happened
// never will. A loop that is dropped without Close keeps the memory of its
// sleepers.
func (l *Loop) Close() {
	l.closed = true
	for p := l.last; p != nil; p = l.last {
		l.self = p
		// Goexit spreads to whoever resumed the coroutine: let that be a
		// goroutine that nobody misses.
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			p.stop()
		}()
		<-ended
		l.self = nil
		l.forget(p)
	}
	l.events, l.ready = nil, nil
	clear(l.asleep)
}

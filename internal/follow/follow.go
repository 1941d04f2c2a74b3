// Package follow is what those who follow a store over a network have in common,
// whatever the store: how long to wait for it, how to begin without waiting for
// ever, and how old something is by the store's own clock.
package follow

import (
	"context"
	"time"
)

// Waits between attempts to reach the store. The first is short, because a
// server that has just restarted takes connections a little before JetStream.
const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = time.Second
)

// Longer is the wait after one of that length, or, after none, the first.
func Longer(wait time.Duration) time.Duration { return min(max(firstRetry, 2*wait), lastRetry) }

// Pause waits for d, for that status, or the end of ctx.
func Pause[S comparable](ctx context.Context, d time.Duration, statuses <-chan S, that S) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		case s, ok := <-statuses:
			if !ok {
				statuses = nil
			} else if s == that {
				return
			}
		}
	}
}

// A Watcher delivers what it sees until its context ends. One that nobody listens
// to hangs in what it still has to say.
type Watcher[E any] interface{ Updates() <-chan E }

// Watch begins to watch, until stop is called or ctx ends: the context that begin
// gets is the watcher's life. Only its beginning is bounded by the timeout.
func Watch[E any, W Watcher[E]](ctx context.Context, timeout time.Duration, begin func(context.Context) (W, error)) (updates <-chan E, stop func(), err error) {
	life, end := context.WithCancel(ctx)
	timer := time.AfterFunc(timeout, end)
	w, err := begin(life)
	if !timer.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	stop = func() {
		end() // unsubscribes, from a goroutine of its own
		if any(w) != nil {
			go drop(w.Updates())
		}
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return w.Updates(), stop, nil
}

// drop takes what is still said and listens to none of it.
func drop[E any](updates <-chan E) {
	for range updates {
	}
}

// Clock is a server's clock, as it told it once. The zero Clock knows nothing.
type Clock struct{ server, local time.Time }

// ClockOf is that of a server that says, just now, what time it is.
func ClockOf(server time.Time) Clock { return Clock{server, time.Now()} }

// Age is how long ago it was created by that clock; 0: not known.
func (c Clock) Age(created time.Time) time.Duration {
	if c.server.IsZero() {
		return 0
	}
	return max(c.server.Add(time.Since(c.local)).Sub(created), 0)
}

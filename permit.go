package atrion

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/atrion-io/atrion/actors"
	"github.com/atrion-io/atrion/physics"
)

// ErrAborted is the outcome of a call guarded by Do that panicked or ended its
// goroutine.
var ErrAborted = errors.New("atrion: call aborted")

// Permit is the right to make one call. End it with Done or Drop, exactly
// once; ending it again does nothing. One that is not ended within
// Config.PermitTTL is taken back: ending it later does nothing either. The
// methods of one permit are safe for concurrent use. A Permit must not be
// copied; its zero value is a permit that has ended.
type Permit struct {
	eng     *Engine
	actor   *actors.Route
	start   int64
	seat    actors.Seat
	voltage float64
	subject Subject
	ended   atomic.Bool
}

// Done ends the call: it returns the seat and tells the route how the call
// went, how long it took and what err says of it (see Config.Classify).
func (p *Permit) Done(err error) {
	if p.actor == nil || p.ended.Swap(true) {
		return
	}
	o := OK
	if err != nil {
		o = p.eng.cfg.Classify(err)
	}
	now := p.eng.sys.Now()
	s := physics.Sample{Time: now, Latency: float64(now-p.start) / 1e6, Outcome: o}
	if o.Failed() {
		s.ErrorRate = 1
	}
	p.end(&s)
}

// Report ends the call with what was measured elsewhere. A latency that is not
// given is the time since Acquire; telemetry that is not valid only returns
// the seat.
func (p *Permit) Report(t Telemetry) {
	if p.actor == nil || p.ended.Swap(true) {
		return
	}
	if t.Validate() != nil {
		p.actor.Leave(p.seat)
		return
	}
	now := p.eng.sys.Now()
	if t.Latency == 0 {
		t.Latency = min(max(time.Duration(now-p.start), 1), MaxLatency)
	}
	s := t.sample(now)
	p.end(&s)
}

// end returns the seat and hands the actor the sample. What can go wrong (a
// full mailbox, a closed engine) is counted and reported as a dead letter; the
// caller could do nothing about it.
func (p *Permit) end(s *physics.Sample) {
	if !p.actor.Leave(p.seat) {
		return
	}
	if s.Outcome.Failed() {
		p.eng.offend(p.subject, p.actor.Name(), OnFailed)
	}
	s.Voltage, s.Inflight, s.Epoch = p.voltage, float64(p.seat.Calls), p.seat.Epoch
	_ = p.eng.put(p.actor, s)
}

// Drop ends the call without teaching the route anything, for calls that say
// nothing about the callee.
func (p *Permit) Drop() {
	if p.actor == nil || p.ended.Swap(true) {
		return
	}
	p.actor.Leave(p.seat)
}

// Do makes the call fn under a permit of route: it acquires, calls, and ends
// the permit with what fn returned, or as failed if fn panics or calls
// runtime.Goexit. A rejected request gets the zero T and a *RejectedError, and
// fn is not called.
func Do[T any](ctx context.Context, route *Route, fn func(context.Context) (T, error), options ...AcquireOption) (T, error) {
	p, err := route.Acquire(ctx, options...)
	if err != nil {
		var zero T
		return zero, err
	}
	err = ErrAborted
	defer func() { p.Done(err) }()
	var v T
	v, err = fn(ctx)
	return v, err
}

// put hands s to the actor, or to its successor if it was evicted meanwhile.
func (e *Engine) put(a *actors.Route, s *physics.Sample) error {
	err := a.Put(s)
	for errors.Is(err, actors.ErrRetired) {
		if a, err = e.sys.Route(a.Name()); err == nil {
			err = a.Put(s)
		}
	}
	return err
}

package atrion

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/atrion-io/atrion/actors"
	"github.com/atrion-io/atrion/physics"
)

// Route is a handle on one route of an engine. Hold on to it: a decision by
// handle needs no lookup. Its methods are safe for concurrent use, and it
// stays good when the route is passivated meanwhile.
type Route struct {
	eng   *Engine
	actor atomic.Pointer[actors.Route]
	name  string
}

// Name returns the route's name.
func (r *Route) Name() string { return r.name }

// Acquire asks for the right to make one call. Without options the request
// bids the engine's default voltage.
//
// A rejected request gets a *RejectedError (errors.Is ErrRejected, and
// ErrTripped or ErrInsufficientVoltage to tell why). Other errors: ctx's, if it
// has ended; ErrInvalidTelemetry, for a voltage out of range; ErrClosed. A route
// that was passivated and finds no room to come back fails open (or closed, see
// Config.FailClosed).
// Acquire never waits. It takes no lock and allocates only the RejectedError.
func (r *Route) Acquire(ctx context.Context, options ...AcquireOption) (p Permit, err error) {
	var why actors.Answer
	_, err = r.acquire(ctx, options, &p, &why)
	return
}

// AcquireDecision is Acquire for callers who also want to see what the permit was
// given against. Without one the Decision is that of the RejectedError, if it is
// one, and else zero.
func (r *Route) AcquireDecision(ctx context.Context, options ...AcquireOption) (p Permit, d Decision, err error) {
	why := actors.Answer{Want: true}
	b, err := r.acquire(ctx, options, &p, &why)
	var rejected *RejectedError
	switch {
	case errors.As(err, &rejected):
		d = rejected.Decision
	case err == nil && p.actor == nil:
		d = r.unknown(bid{})
	case err == nil:
		ruling, terms, snapshot := p.actor.Explain(&why)
		d = decision(r.name, b, ruling, terms, snapshot)
	}
	return
}

// acquire fills p in, and why with what answered, and returns what was bid. Left
// as it is, p is a permit that nobody counts.
func (r *Route) acquire(ctx context.Context, options []AcquireOption, p *Permit, why *actors.Answer) (b bid, err error) {
	if err = ctx.Err(); err != nil {
		return b, err
	}
	if b, _, err = r.eng.bid(r.eng.cfg.Voltage, options); err != nil {
		return b, err
	}
	for a := r.actor.Load(); ; {
		if r.eng.sys.Closed() {
			return b, ErrClosed
		}
		seat, ok := a.Enter(b.voltage, why)
		switch {
		case seat.Calls > 0:
			p.eng, p.actor, p.seat, p.voltage = r.eng, a, seat, b.voltage
			p.start = r.eng.sys.Now()
			return b, nil
		case ok:
			ruling, terms, snapshot := a.Explain(why)
			return b, &RejectedError{Decision: decision(r.name, b, ruling, terms, snapshot)}
		}
		a, err = r.renew()
		switch {
		case errors.Is(err, ErrTooManyRoutes) && r.eng.cfg.FailClosed:
			return b, &RejectedError{Decision: r.unknown(b)}
		case errors.Is(err, ErrTooManyRoutes):
			return b, nil // fail open
		case err != nil:
			return b, err
		}
	}
}

// Decide answers whether a request of that voltage would pass now, without
// taking a seat. A voltage that is NaN or not above 0 never passes. It takes no
// lock, does no I/O and allocates nothing. On a closed engine it answers from
// the last state. Under Config.Quota it bids for nobody in particular.
func (r *Route) Decide(voltage float64) (d Decision) {
	b := bid{}
	b.voltage, b.capped = r.eng.quota.cap(voltage, "")
	r.decide(b, &d)
	return d
}

func (r *Route) decide(b bid, d *Decision) {
	a := r.actor.Load()
	for {
		if ruling, terms, p := a.Decide(b.voltage); p != nil {
			*d = decision(r.name, b, ruling, terms, p)
			return
		}
		next, err := r.renew()
		if err != nil {
			*d = r.unknown(b)
			return
		}
		a = next
	}
}

// Allow is Decide for callers who only need the answer, in less time.
func (r *Route) Allow(voltage float64) bool {
	voltage, _ = r.eng.quota.cap(voltage, "")
	if allow, ok := r.actor.Load().Allow(voltage); ok {
		return allow
	}
	var d Decision
	r.decide(bid{voltage: voltage}, &d)
	return d.Allow
}

// unknown is the decision for a route that was passivated while there is no room
// to bring it back. It was healthy when it went; the policy answers, and says
// that nothing is known: no terms, revision 0.
func (r *Route) unknown(b bid) Decision {
	return Decision{Route: r.name, Allow: !r.eng.cfg.FailClosed, Reason: Faulty, Voltage: b.voltage, Capped: b.capped}
}

// renew looks up the actor that took the place of an evicted one.
func (r *Route) renew() (*actors.Route, error) {
	a, err := r.eng.sys.Route(r.name)
	if err == nil {
		r.actor.Store(a)
	}
	return a, err
}

func decision(name string, b bid, r physics.Ruling, t physics.Terms, p *actors.Published) Decision {
	return Decision{
		Route: name, Allow: r.Allow, Reason: r.Reason, Mode: r.Mode,
		Voltage: b.voltage, Capped: b.capped, Resistance: t.Sum(), Terms: t,
		Break: p.State.Break(), RetryAfter: r.RetryAfter, Revision: p.Revision,
	}
}

// Observe tells the route what was observed of it. It does not wait for the
// route to take it into account. Errors: ErrInvalidTelemetry, ErrMailboxFull,
// ErrClosed; the observation is then lost and nothing has changed.
func (r *Route) Observe(t Telemetry) error {
	if err := t.Validate(); err != nil {
		return err
	}
	s := t.sample(r.eng.sys.Now())
	return r.eng.put(r.actor.Load(), &s)
}

// learn feeds t and waits, AskTimeout at most, until the route has taken it into
// account.
func (r *Route) learn(t *Telemetry) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.eng.cfg.AskTimeout)
	defer cancel()
	s := t.sample(r.eng.sys.Now())
	a := r.actor.Load()
	err := a.Ask(ctx, &s)
	for errors.Is(err, actors.ErrRetired) {
		if a, err = r.renew(); err == nil {
			err = a.Ask(ctx, &s)
		}
	}
	return err
}

// Inflight returns the number of calls that hold a permit of this route.
func (r *Route) Inflight() int64 { return r.actor.Load().Inflight() }

// Shed returns how many requests were rejected since the route was created.
func (r *Route) Shed() uint64 { return r.actor.Load().Shed() }

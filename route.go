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
// ErrTripped, ErrInsufficientVoltage, ErrBanned or ErrOverride to tell why). Other errors: ctx's, if it
// has ended; ErrInvalidTelemetry, for a voltage out of range; ErrClosed. A route
// that was passivated and finds no room to come back fails open (or closed, see
// Config.FailClosed).
// Acquire never waits. It takes no lock and allocates only the RejectedError.
func (r *Route) Acquire(ctx context.Context, options ...AcquireOption) (p Permit, err error) {
	err = r.acquire(ctx, options, &p, nil)
	return
}

// AcquireDecision is Acquire for callers who also want to see what the permit was
// given against. Without one the Decision is that of the RejectedError, if it is
// one, and else zero.
func (r *Route) AcquireDecision(ctx context.Context, options ...AcquireOption) (p Permit, d Decision, err error) {
	err = r.acquire(ctx, options, &p, &d)
	var rejected *RejectedError
	if errors.As(err, &rejected) {
		d = rejected.Decision
	}
	return
}

// acquire fills p in, and d if it is wanted and the request passes. Left as it
// is, p is a permit that nobody counts.
func (r *Route) acquire(ctx context.Context, options []AcquireOption, p *Permit, d *Decision) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ask, err := r.eng.bid(r.eng.live.Load().voltage, options)
	if err != nil {
		return err
	}
	why := actors.Answer{Want: d != nil}
	for a := r.actor.Load(); ; {
		if r.eng.sys.Closed() {
			return ErrClosed
		}
		if r.eng.ordered(a, &ask) {
			if err, ok := r.obey(a, &ask, p, d); ok {
				return err
			}
		} else {
			seat, ok := a.Enter(ask.voltage, &why)
			switch {
			case seat.Calls > 0:
				r.seat(p, a, seat, &ask)
				if d != nil {
					*d = r.explain(a, &ask, &why)
				}
				return nil
			case ok:
				r.eng.offend(ask.subject, r.name, OnRejected)
				return &RejectedError{Decision: r.explain(a, &ask, &why)}
			}
		}
		a, err = r.renew()
		switch {
		case errors.Is(err, ErrTooManyRoutes) && r.eng.cfg.FailClosed:
			return &RejectedError{Decision: r.unknown(ask.voltage)}
		case errors.Is(err, ErrTooManyRoutes):
			if d != nil {
				*d = r.unknown(ask.voltage)
			}
			return nil // fail open
		case err != nil:
			return err
		}
	}
}

// obey is acquire for a request that an order has something to say about.
func (r *Route) obey(a *actors.Route, ask *bid, p *Permit, d *Decision) (err error, ok bool) {
	o := r.eng.order(a, ask)
	said, seat, ok := r.eng.obeyed(a, &o, ask.voltage, true)
	if !ok {
		return nil, false
	}
	said.Capped = ask.capped
	if seat.Calls > 0 {
		r.seat(p, a, seat, ask)
	}
	if !said.Allow {
		r.eng.offended(ask.subject, &said)
		return &RejectedError{Decision: said}, true
	}
	if d != nil {
		*d = said
	}
	return nil, true
}

// seat makes p the permit of that seat.
func (r *Route) seat(p *Permit, a *actors.Route, seat actors.Seat, ask *bid) {
	p.eng, p.actor, p.seat, p.voltage, p.subject = r.eng, a, seat, ask.voltage, ask.subject
	p.start = r.eng.sys.Now()
}

func (r *Route) explain(a *actors.Route, ask *bid, why *actors.Answer) Decision {
	ruling, terms, snapshot := a.Explain(why)
	d := decision(r.name, ask.voltage, ruling, terms, snapshot)
	d.Capped = ask.capped
	return d
}

// Decide answers whether a request of that voltage would pass now, without
// taking a seat. A voltage that is NaN or not above 0 never passes. It takes no
// lock, does no I/O and allocates nothing. On a closed engine it answers from
// the last state. Under Config.Quota it bids for nobody in particular.
func (r *Route) Decide(voltage float64) (d Decision) {
	ask := bid{}
	ask.voltage, ask.capped = r.eng.quota.cap(voltage, "")
	d = r.decide(&ask)
	d.Capped = ask.capped
	return d
}

func (r *Route) decide(ask *bid) Decision {
	a := r.actor.Load()
	for {
		if a.Ruled() {
			o := r.eng.order(a, ask)
			if d, _, ok := r.eng.obeyed(a, &o, ask.voltage, false); ok {
				return d
			}
		} else if ruling, terms, p := a.Decide(ask.voltage); p != nil {
			return decision(r.name, ask.voltage, ruling, terms, p)
		}
		next, err := r.renew()
		if err != nil {
			return r.unknown(ask.voltage)
		}
		a = next
	}
}

// Allow is Decide for callers who only need the answer, in less time.
func (r *Route) Allow(voltage float64) bool {
	voltage, _ = r.eng.quota.cap(voltage, "")
	if a := r.actor.Load(); !a.Ruled() {
		if allow, ok := a.Allow(voltage); ok {
			return allow
		}
	}
	return r.decide(&bid{voltage: voltage}).Allow
}

// unknown is the decision for a route that was passivated while there is no room
// to bring it back. It was healthy when it went; the policy answers, and says
// that nothing is known: no terms, revision 0.
func (r *Route) unknown(voltage float64) Decision {
	return Decision{Route: r.name, Allow: !r.eng.cfg.FailClosed, Reason: Faulty, Voltage: voltage}
}

// renew looks up the actor that took the place of an evicted one.
func (r *Route) renew() (*actors.Route, error) {
	a, err := r.eng.sys.Route(r.name)
	if err == nil {
		r.actor.Store(a)
	}
	return a, err
}

func decision(name string, voltage float64, r physics.Ruling, t physics.Terms, p *actors.Published) Decision {
	return Decision{
		Route: name, Allow: r.Allow, Reason: r.Reason, Verdict: r.Reason, Mode: r.Mode,
		Voltage: voltage, Resistance: t.Sum(), Terms: t,
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

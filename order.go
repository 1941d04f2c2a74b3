package atrion

import (
	"github.com/atrion-io/atrion/actors"
	"github.com/atrion-io/atrion/physics"
)

// order is what stands beside the law for one request. The zero order leaves it
// to the law.
//
// Disabled and shadow come first: under them nothing is ever rejected. Then
// bans, then a bypass, then forced open or closed, then the law.
type order struct {
	mode     Force
	override *Override // of mode; nil: none, mode is of the settings
	ban      *Ban
	bypass   bool
	now      int64
}

// order works out what stands beside the law of the route for that request.
func (e *Engine) order(a *actors.Route, ask *bid) order {
	o := order{bypass: ask.bypass, now: e.sys.Now()}
	if u := a.Rules(); u != nil {
		o.mode, o.override = u.At(o.now)
		o.ban = u.BanAt(o.now)
		if u.Stale(o.now) {
			e.pruneSoon()
		}
	}
	if o.ban == nil && ask.subject != "" {
		o.ban = e.subjects.of(string(ask.subject), a.Name(), o.now)
	}
	if o.mode == ForceDisabled {
		o.ban = nil
	}
	return o
}

// ordered reports whether an order may have something to say: the one question
// that every decision asks.
func (e *Engine) ordered(a *actors.Route, ask *bid) bool {
	return a.Ruled() || ask.bypass || ask.subject != "" && e.subjects.knows(string(ask.subject))
}

// skips reports whether the law is not even asked.
func (o *order) skips() bool {
	return o.mode == ForceDisabled || o.ban != nil || o.mode == ForceOpen && !o.bypass
}

// admits reports whether a request that is not skipped passes whatever the law
// says.
func (o *order) admits() bool { return o.bypass || o.mode == ForceClosed }

// mark makes d, which is what the law says, what the order makes of it.
func (o *order) mark(d *Decision) {
	d.Override, d.Ban = o.override, o.ban
	switch {
	case o.mode == ForceDisabled:
		d.Allow, d.Reason = true, Disabled
	case o.ban != nil:
		d.Allow, d.Reason = false, Banned
	case o.bypass:
		d.Allow, d.Reason = true, Bypassed
	case o.mode == ForceOpen:
		d.Allow, d.Reason = false, Overridden
	case o.mode == ForceClosed:
		d.Allow, d.Reason = true, Overridden
	}
	if o.mode == ForceShadow && !d.Allow {
		d.Verdict, d.Allow, d.Reason = d.Reason, true, Shadowed
	}
	switch {
	case o.ban != nil:
		d.ExpiresIn = left(o.ban.Until, o.now)
	case o.override != nil:
		d.ExpiresIn = left(o.override.Until, o.now)
	}
	switch {
	case d.Allow:
		d.RetryAfter = 0
	case d.Reason == Banned || d.Reason == Overridden:
		d.RetryAfter = d.ExpiresIn
	}
}

// obeyed decides a request that an order has something to say about; seated
// takes a seat if it may pass. ok is false if the actor was evicted.
//
// Who passes only because the route is in shadow, or disabled, gets no seat: the
// law goes on as if the request had been rejected, so that it says of the same
// inputs what it would say if it were obeyed.
func (e *Engine) obeyed(a *actors.Route, o *order, voltage float64, seated bool) (d Decision, s actors.Seat, ok bool) {
	why := actors.Answer{Want: true}
	var v physics.Verdict
	var p *actors.Published
	switch {
	case o.skips():
		v, p = a.Skip(voltage, o.mode != ForceDisabled)
	case o.admits():
		if s, ok = a.Admit(voltage, seated, &why); ok {
			v.Ruling, v.Terms, p = a.Explain(&why)
		}
	case seated:
		if s, ok = a.Enter(voltage, &why); ok {
			v.Ruling, v.Terms, p = a.Explain(&why)
		}
	default:
		v.Ruling, v.Terms, p = a.Decide(voltage)
	}
	if p == nil {
		return Decision{}, actors.Seat{}, false
	}
	d = decision(a.Name(), voltage, v.Ruling, v.Terms, p)
	o.mark(&d)
	e.sys.Count(d.Reason)
	return d, s, true
}

package atrion

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atrion-io/atrion/actors"
	"github.com/atrion-io/atrion/internal/route"
)

// Override forces the decisions of a route, or of those of a pattern, for a
// time. It is named by its Route: another takes its place. Of several that
// stand for a route the most specific holds.
type Override = actors.Override

// Force is what an override makes of decisions. The words are those of circuit
// breakers: open lets nobody through, closed everybody.
type Force = actors.Force

// The forces; see package actors.
const (
	ForceNone     = actors.ForceNone
	ForceOpen     = actors.ForceOpen     // rejects every request
	ForceClosed   = actors.ForceClosed   // admits every request that is not banned
	ForceDisabled = actors.ForceDisabled // admits every request, and learns nothing
	ForceShadow   = actors.ForceShadow   // admits every request, and says what it would have done
)

// ParseForce is the inverse of Force.String; ok is false for any other text.
func ParseForce(name string) (f Force, ok bool) { return actors.ParseForce(name) }

// Override puts o in force on this engine. Errors: ErrInvalidRule, naming the
// field; ErrTooManyOverrides.
func (e *Engine) Override(o Override) error {
	if err := checkOverride(&o); err != nil {
		return err
	}
	e.ops.Lock()
	defer e.ops.Unlock()
	return e.override(&o)
}

// override is Override; the caller holds e.ops.
func (e *Engine) override(o *Override) error {
	table := &e.book.overrides
	if _, had := table.Get(o.Route); !had && !e.room(table.Len, e.cfg.MaxOverrides) {
		return fmt.Errorf("%w: %d in force (limit MaxOverrides)", ErrTooManyOverrides, table.Len())
	}
	o.Until = e.until(o.TTL)
	e.change(o.Route, func(k *rulebook) { k.overrides.Set(o.Route, o) })
	return nil
}

// ClearOverride ends the override of that route or pattern, and reports whether
// there was one.
func (e *Engine) ClearOverride(pattern string) bool {
	e.ops.Lock()
	defer e.ops.Unlock()
	e.prune()
	_, had := e.book.overrides.Get(pattern)
	if had {
		e.change(pattern, func(k *rulebook) { k.overrides.Delete(pattern) })
	}
	return had
}

// Overrides returns the overrides in force, by route; their TTL is what is left
// of it.
func (e *Engine) Overrides() []Override {
	e.ops.Lock()
	defer e.ops.Unlock()
	e.prune()
	now := e.sys.Now()
	all := make([]Override, 0, e.book.overrides.Len())
	for _, o := range e.book.overrides.All() {
		o2 := *o
		o2.TTL = left(o.Until, now)
		all = append(all, o2)
	}
	slices.SortFunc(all, func(a, b Override) int { return strings.Compare(a.Route, b.Route) })
	return all
}

// MaxTrip is the longest that TripFor trips a route: an upstream that says
// "come back next year" must not be believed for that long.
const MaxTrip = time.Hour

// TripFor rejects every request on the route for d, at most MaxTrip, because the
// callee asked for it, as with "Retry-After: n". It is an override of this
// engine by "upstream". What an operator has set on the route stays; a trip that
// lasts longer already stays too. Errors: ErrInvalidRule; ErrTooManyOverrides.
func (r *Route) TripFor(d time.Duration, reason string) error {
	e := r.eng
	o := Override{Route: r.name, Mode: ForceOpen, TTL: min(d, MaxTrip), By: ByUpstream, Reason: reason}
	if err := checkOverride(&o); err != nil {
		return err
	}
	if u := r.actor.Load().Rules(); u != nil {
		// Every answer of an ailing callee may say so: most need not wait here.
		if _, now := u.At(e.sys.Now()); now != nil && (now.By != ByUpstream || now.Until >= e.until(o.TTL)) {
			return nil
		}
	}
	e.ops.Lock()
	defer e.ops.Unlock()
	if was, had := e.book.overrides.Get(r.name); had && e.sys.Now() < was.Until && (was.By != ByUpstream || was.Until >= e.until(o.TTL)) {
		return nil
	}
	return e.override(&o)
}

func checkOverride(o *Override) error {
	switch {
	case route.ValidatePattern(o.Route) != nil:
		return ruleField("Route", fmt.Sprintf("%.48q", o.Route), route.AllowedPattern)
	case o.Mode == ForceNone || o.Mode > ForceShadow:
		return ruleField("Mode", o.Mode.String(), "open, closed, disabled or shadow")
	}
	return checkRule(o.TTL, o.By, o.Reason)
}

package atrion

import (
	"strings"
	"sync"
	"time"

	"github.com/atrion-io/atrion/actors"
	"github.com/atrion-io/atrion/internal/route"
)

// rulebook is what stands beside the law of routes, by pattern. It is looked at
// when a route is made or when something in it changes, never by a decision:
// what it says of a route is handed to the route.
type rulebook struct {
	clock Clock

	mu        sync.RWMutex
	all       *actors.Rules              // of routes that no section speaks of; nil: nothing
	sections  route.Table[*actors.Rules] // of the settings
	overrides route.Table[*Override]     // in force, or expired and not yet taken away
	bans      route.Table[*Ban]          // of everybody, likewise
}

// rules are those of a route of that name: of each kind the most specific that
// has not expired.
func (b *rulebook) rules(name string) *actors.Rules {
	b.mu.RLock()
	defer b.mu.RUnlock()
	u := b.all
	for section := range b.sections.Match(name) {
		u = section
		break
	}
	if b.overrides.Len() == 0 && b.bans.Len() == 0 {
		return u
	}
	now := b.clock.Now()
	var own actors.Rules
	if u != nil {
		own = *u
	}
	for o := range b.overrides.Match(name) {
		if now < o.Until {
			own.Override = o
			break
		}
	}
	for ban := range b.bans.Match(name) {
		if now < ban.Until {
			own.Ban = ban
			break
		}
	}
	if own.Override == nil && own.Ban == nil {
		return u
	}
	return &own
}

// change alters the book and has the routes of that pattern look at it again.
func (e *Engine) change(pattern string, alter func(*rulebook)) {
	e.book.mu.Lock()
	alter(&e.book)
	e.book.mu.Unlock()
	e.sys.Refresh(pattern)
}

// prune takes away what has expired, so that what it hid comes to light. The
// caller holds e.ops.
func (e *Engine) prune() {
	now := e.sys.Now()
	var names, patterns []string
	e.book.mu.Lock()
	gone := func(pattern string) {
		if strings.HasSuffix(pattern, "*") {
			patterns = append(patterns, pattern)
		} else {
			names = append(names, pattern)
		}
	}
	for pattern, o := range e.book.overrides.All() {
		if now >= o.Until {
			e.book.overrides.Delete(pattern)
			gone(pattern)
		}
	}
	for pattern, b := range e.book.bans.All() {
		if now >= b.Until {
			e.book.bans.Delete(pattern)
			gone(pattern)
		}
	}
	e.book.mu.Unlock()
	e.subjects.prune(now)
	if len(patterns) > 1 { // all routes once, rather than once for each
		patterns, names = []string{"*"}, nil
	}
	for _, pattern := range append(names, patterns...) {
		e.sys.Refresh(pattern)
	}
}

// pruneEvery bounds how often a full table is looked through for what has
// expired: whoever is refused comes again, and soon.
const pruneEvery = int64(100 * time.Millisecond)

// room reports whether there is room for one more where limit is the most; what
// has expired gives way. The caller holds e.ops.
func (e *Engine) room(count func() int, limit int) bool {
	if now := e.sys.Now(); count() >= limit && (now >= e.pruned+pruneEvery || now < e.pruned) {
		e.pruned = now
		e.prune()
	}
	return count() < limit
}

// pruneSoon is for decisions, which wait for nothing.
func (e *Engine) pruneSoon() {
	if e.pruning.Swap(true) {
		return
	}
	e.aside(func() {
		e.ops.Lock()
		defer e.ops.Unlock()
		e.pruning.Store(false)
		e.prune()
	})
}

// aside runs f without being waited for; at once in a simulation, where nothing
// else runs meanwhile.
func (e *Engine) aside(f func()) {
	if _, simulated := e.cfg.Clock.(actors.Scheduler); simulated {
		f()
		return
	}
	go f()
}

package atrion

import (
	"sync"

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
	e.refresh(pattern)
}

func (e *Engine) refresh(pattern string) {
	if n := len(pattern); n > 0 && pattern[n-1] != '*' {
		e.sys.Refresh(pattern)
	} else {
		e.sys.Refresh()
	}
}

// prune takes away what has expired, so that what it hid comes to light. The
// caller holds e.ops.
func (e *Engine) prune() {
	now := e.sys.Now()
	var gone []string
	e.book.mu.Lock()
	for pattern, o := range e.book.overrides.All() {
		if now >= o.Until {
			e.book.overrides.Delete(pattern)
			gone = append(gone, pattern)
		}
	}
	for pattern, b := range e.book.bans.All() {
		if now >= b.Until {
			e.book.bans.Delete(pattern)
			gone = append(gone, pattern)
		}
	}
	e.book.mu.Unlock()
	e.subjects.prune(now)
	for _, pattern := range gone {
		e.refresh(pattern)
	}
}

// pruneSoon is for decisions, which wait for nothing.
func (e *Engine) pruneSoon() {
	if e.pruning.Swap(true) {
		return
	}
	go func() {
		e.ops.Lock()
		defer e.ops.Unlock()
		e.pruning.Store(false)
		e.prune()
	}()
}

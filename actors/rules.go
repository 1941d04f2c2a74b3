package actors

import (
	"math"
	"strings"
	"sync"
	"time"

	"github.com/atrion-io/atrion/internal/route"
	"github.com/atrion-io/atrion/physics"
)

// Force is what an override makes of a route's decisions.
type Force uint8

const (
	// ForceNone: the law decides.
	ForceNone Force = iota
	// ForceOpen rejects every request: the breaker is open.
	ForceOpen
	// ForceClosed admits every request that is not banned: the breaker is
	// closed. The law goes on learning.
	ForceClosed
	// ForceDisabled admits every request. The law neither decides nor learns.
	ForceDisabled
	// ForceShadow admits every request. The law decides and learns as if it were
	// obeyed, and what it would have rejected is counted.
	ForceShadow

	forces
)

var forceNames = [forces]string{"none", "open", "closed", "disabled", "shadow"}

// String returns the name as it stands on the wire.
func (f Force) String() string {
	if f < forces {
		return forceNames[f]
	}
	return "unknown"
}

// ParseForce is the inverse of String; ok is false for any other text.
func ParseForce(name string) (f Force, ok bool) {
	for i, n := range forceNames {
		if n == name {
			return Force(i), true
		}
	}
	return 0, false
}

// Override is a Force on a route, for a time.
type Override struct {
	Route  string // a name, or a pattern: what it begins with, and '*'
	Mode   Force
	TTL    time.Duration // how long; of one that is in force: how long yet
	By     string        // who says so
	Reason string        // and why

	Until int64 // ns on the system's clock; set by who puts it in force
}

// Ban keeps a caller, or everybody, from a route.
type Ban struct {
	Route   string        // a name, or a pattern: what it begins with, and '*'; "": every route
	Subject string        // who is banned; "": everybody
	TTL     time.Duration // how long; of one that is in force: how long yet
	By      string        // who says so
	Reason  string        // and why

	Until int64 // ns on the system's clock; set by who puts it in force
}

// Forever is an instant that does not come.
const Forever = math.MaxInt64

// Rules are what stands beside the law of a route, or of several. They are not
// changed once a route has them. A route that has none (nil) is under the
// system's law and nothing else.
type Rules struct {
	Regime   *Regime   // nil: the system's
	Standing Force     // without an override: ForceNone, ForceDisabled or ForceShadow
	Override *Override // nil: none
	Ban      *Ban      // of everybody; nil: none
}

// At is what is in force at now. An override whose time is up is not, whether
// or not somebody has taken it away yet.
func (u *Rules) At(now int64) (Force, *Override) {
	if o := u.Override; o != nil && now < o.Until {
		return o.Mode, o
	}
	return u.Standing, nil
}

// BanAt is the ban of everybody that is in force at now, or nil.
func (u *Rules) BanAt(now int64) *Ban {
	if u.Ban != nil && now < u.Ban.Until {
		return u.Ban
	}
	return nil
}

// Stale reports whether something in u has expired at now, so that less
// specific rules may come to light.
func (u *Rules) Stale(now int64) bool {
	return u.Override != nil && now >= u.Override.Until || u.Ban != nil && now >= u.Ban.Until
}

// forced is the Force at the present moment; ForceNone costs one load.
func (r *Route) forced() Force {
	u := r.rules.Load()
	if u == nil {
		return ForceNone
	}
	f, _ := u.At(r.sys.cfg.Clock.Now())
	return f
}

// Rules returns what stands beside the law of the route, or nil.
func (r *Route) Rules() *Rules { return r.rules.Load() }

// Ruled reports whether that may have a say in decisions: another law has none.
func (r *Route) Ruled() bool {
	u := r.rules.Load()
	return u != nil && (u.Standing != ForceNone || u.Override != nil || u.Ban != nil)
}

// rulesOf are the rules for a route of that name.
func (s *System) rulesOf(name string) *Rules {
	if s.cfg.Rules == nil {
		return nil
	}
	return s.cfg.Rules(name)
}

// Refresh asks Config.Rules anew for the routes that the pattern stands for.
func (s *System) Refresh(pattern string) {
	if s.cfg.Rules == nil {
		return
	}
	if !strings.HasSuffix(pattern, "*") {
		s.registry.mu.Lock()
		defer s.registry.mu.Unlock()
		if r := s.registry.table.get(pattern); r != nil {
			r.rules.Store(s.cfg.Rules(pattern))
		}
		return
	}
	// Those that are made meanwhile ask for themselves.
	for rest := s.Routes(); len(rest) > 0; {
		part := rest[:min(len(rest), sweepStride)]
		rest = rest[len(part):]
		s.registry.mu.Lock()
		for _, r := range part {
			if route.Match(pattern, r.name) {
				r.rules.Store(s.cfg.Rules(r.name))
			}
		}
		s.registry.mu.Unlock()
	}
}

// Regime is a law and what a route that nobody knows anything about is under it.
type Regime struct {
	law   physics.Law
	blank *Published
}

// NewRegime returns the regime of a law. It must be of the kind of the system's
// law; ok is false if it is not.
func (s *System) NewRegime(law physics.Law) (g *Regime, ok bool) {
	if g := s.regime.Load(); g.law == law {
		return g, true
	}
	if law.Name() != s.cfg.Law.Name() || law.Draws() != s.draws {
		return nil, false
	}
	if _, ok := law.NewState().(physics.Amendable); !ok {
		return nil, false
	}
	return s.newRegime(law), true
}

func (s *System) newRegime(law physics.Law) *Regime {
	return &Regime{law: law, blank: s.published(law.NewState(), 0, math.MinInt64)}
}

// SetRegime makes g what routes are under whose Rules have none.
func (s *System) SetRegime(g *Regime) { s.regime.Store(g) }

// regimeFor is the regime of a route of that name.
func (s *System) regimeFor(name string) *Regime {
	if u := s.rulesOf(name); u != nil && u.Regime != nil {
		return u.Regime
	}
	return s.regime.Load()
}

// regimeOf is the regime of the route.
func (r *Route) regimeOf() *Regime {
	if u := r.rules.Load(); u != nil && u.Regime != nil {
		return u.Regime
	}
	return r.sys.regime.Load()
}

// under reports whether p is under the law of g, or cannot be.
func (g *Regime) under(p *Published) bool {
	st, ok := p.State.(physics.Amendable)
	return !ok || st.Law() == g.law
}

// amended is p under the law of g: p itself if it is that already, or cannot be.
func (s *System) amended(p *Published, g *Regime) *Published {
	if g.under(p) {
		return p
	}
	if p.Revision == 0 && !p.foreign {
		return g.blank
	}
	next, ok := p.State.(physics.Amendable).Amended(g.law)
	if !ok {
		return p
	}
	q := s.published(next, p.Revision, p.At)
	if q.Seen, q.Faulty, q.foreign = p.Seen, p.Faulty, p.foreign; !p.foreign {
		q.Revision++
	}
	return q
}

const (
	amendStride = 4096                  // routes between two pauses
	amendPause  = time.Millisecond      // so that others get a word in
	amendRetry  = 10 * time.Millisecond // for those whose actors were at work
)

// amender is the goroutine that puts idle routes under another law, while there
// is one.
type amender struct {
	mu     sync.Mutex
	wanted uint64        // calls of Amend
	done   chan struct{} // closed when it ends; nil: there is none
}

// Amend puts every route under the law of its regime; without it, each follows
// with its next sample, and one that has none never. What a route has learned
// stays. It waits until all are, but not for longer than most: the rest goes on
// behind it.
func (s *System) Amend(most time.Duration) {
	s.amends.Store(true)
	if s.sched != nil {
		s.amendAll()
		return
	}
	a := &s.amender
	a.mu.Lock()
	a.wanted++
	done := a.done
	if done == nil && s.mayLoop() {
		done = make(chan struct{})
		a.done = done
		go s.amendOn(done)
	}
	a.mu.Unlock()
	if done == nil {
		return
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// mayLoop books a goroutine that Close waits for. It reports false if that is
// over.
func (s *System) mayLoop() bool {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.loops.Add(1)
	return true
}

func (s *System) amendOn(done chan struct{}) {
	defer s.loops.Done()
	defer close(done)
	for a := &s.amender; ; {
		a.mu.Lock()
		n := a.wanted
		a.mu.Unlock()
		s.amendAll()
		a.mu.Lock()
		if n == a.wanted {
			a.done = nil
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
	}
}

// amendAll puts all routes under the law of their regime, unless the system
// closes meanwhile.
func (s *System) amendAll() {
	for rest := s.Routes(); len(rest) > 0; {
		var busy []*Route
		for i, r := range rest {
			if i%amendStride == amendStride-1 && s.pause(amendPause) {
				return
			}
			if !r.amend() {
				busy = append(busy, r)
			}
		}
		if rest = busy; len(rest) > 0 && s.pause(amendRetry) {
			return
		}
	}
}

// pause waits for d and reports whether the system closes.
func (s *System) pause(d time.Duration) (closing bool) {
	if s.sched != nil {
		return s.closing.Load() // nobody else could run
	}
	select {
	case <-s.ctx.Done():
		return true
	case <-time.After(d):
		return false
	}
}

// amend puts an idle route under the law of its regime. It reports false if its
// actor is at work, whose next turn would do it, but who may have no other.
func (r *Route) amend() (done bool) {
	p, g := r.pub.Load(), r.regimeOf()
	if p == nil || g.under(p) {
		return true
	}
	r.box.mu.Lock()
	defer r.box.mu.Unlock()
	if r.box.running && r.sys.sched == nil { // in a simulation it sleeps while we are here
		return false
	}
	// No actor can start while the lock is held; an eviction may be.
	p = r.pub.Load()
	return p == nil || r.pub.CompareAndSwap(p, r.sys.amended(p, g))
}

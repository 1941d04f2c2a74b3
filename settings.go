package atrion

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/atrion-io/atrion/actors"
	"github.com/atrion-io/atrion/internal/meter"
	"github.com/atrion-io/atrion/internal/route"
	"github.com/atrion-io/atrion/physics"
)

// Settings are what can be changed while an engine runs. The zero value changes
// nothing of what the engine was made with. Apply replaces all of them at once.
type Settings struct {
	// Voltage is bid by requests that name none. 0: Config.Voltage.
	Voltage float64
	// Tiers are what requests of a tier bid, over those of Config.Tiers.
	Tiers map[string]float64
	// Law decides, instead of Config.Law, of whose kind it must be. Nil: that.
	Law physics.Law
	// Shadow: nothing is rejected, and decisions say what would have been.
	Shadow bool
	// BanRules ban callers by what they do. At most 16.
	BanRules []BanRule
	// Routes are settings of some routes, by name or by pattern: what names begin
	// with, and '*'. Of several that fit, the most specific counts, whole. At most
	// 10,000.
	Routes map[string]RouteSettings
}

// RouteSettings are those of some routes.
type RouteSettings struct {
	Law      physics.Law // nil: Settings.Law
	Shadow   bool        // or Settings.Shadow
	Disabled bool        // every request passes, and nothing is learned
}

// BanRule bans a caller that was rejected, or whose calls failed, that often in
// that time. It counts as a leaky bucket does: Count at once ban, and so does
// more than Count in Within for as long as it takes; less never does. Callers
// are known by Subject. A rejection because of a ban or an override is not
// counted.
type BanRule struct {
	Route  string        // a route or a pattern; "": every route. What the ban is for, too
	On     BanOn         // what counts
	Count  int           // 1 to 1,000,000
	Within time.Duration // 1 ms to 24 h
	For    time.Duration // how long the ban is, MinTTL to MaxTTL
}

// BanOn says what a BanRule counts.
type BanOn uint8

// What is counted.
const (
	OnRejected BanOn = 1 << iota // requests that the law rejected
	OnFailed                     // calls that failed, as their permits say
	OnBoth     = OnRejected | OnFailed
)

var banOnNames = [...]string{"", "rejected", "failed", "both"}

// String returns the name as it stands in documents.
func (o BanOn) String() string {
	if int(o) < len(banOnNames) {
		return banOnNames[o]
	}
	return "unknown"
}

// ParseBanOn is the inverse of String; ok is false for any other text.
func ParseBanOn(name string) (o BanOn, ok bool) {
	i := slices.Index(banOnNames[:], name)
	return BanOn(max(i, 0)), i > 0
}

// Limits of Settings.
const (
	MaxBanRules      = 16
	MaxRouteSettings = 10_000
	MaxWithin        = 24 * time.Hour // of a BanRule
)

// live is what requests read of the settings.
type live struct {
	voltage float64
	rules   []banRule
}

// Apply puts s in force, whole, or returns an ErrInvalidConfig that names what
// is wrong and changes nothing. States are kept: what a route has learned, its
// calls in flight and its counters go on under the new settings.
//
// When it returns requests are under s. Another law takes effect on a route with
// its next sample, and on idle ones at some 300,000 a second; Apply waits 100 ms
// for these.
func (e *Engine) Apply(s Settings) error {
	e.applying.Lock()
	defer e.applying.Unlock()
	fresh, err := e.compile(&s)
	if err != nil {
		return err
	}
	if err := checkTiers(s.Tiers); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidConfig, err)
	}
	tiers := maps.Clone(e.cfg.Tiers)
	if tiers == nil {
		tiers = map[string]float64{}
	}
	maps.Copy(tiers, s.Tiers)
	e.setTiers(tiers)
	e.live.Store(&fresh.live)
	e.sys.SetRegime(fresh.regime)
	e.book.mu.Lock()
	e.book.all, e.book.sections = fresh.all, fresh.sections
	e.book.mu.Unlock()
	e.sys.Refresh("*")
	e.sys.Amend(amendWait)
	return nil
}

// amendWait bounds how long Apply waits for idle routes.
const amendWait = 100 * time.Millisecond

// compiled are settings as the engine uses them.
type compiled struct {
	live     live
	regime   *actors.Regime
	all      *actors.Rules
	sections route.Table[*actors.Rules]
}

// compile checks s and works out what follows from it.
func (e *Engine) compile(s *Settings) (*compiled, error) {
	var errs []error
	wrong := func(field string, value any, allowed string) {
		errs = append(errs, &FieldError{Field: field, Value: fmt.Sprint(value), Allowed: allowed})
	}
	regime := func(field string, law physics.Law) *actors.Regime {
		g, ok := e.sys.NewRegime(law)
		if !ok {
			wrong(field, law.Name(), "a law of the kind that the engine was made with, "+e.cfg.Law.Name()+", which can be amended")
		}
		return g
	}
	c := &compiled{live: live{voltage: e.cfg.Voltage}}
	if s.Voltage != 0 {
		if c.live.voltage = s.Voltage; !validVoltage(s.Voltage) {
			wrong("Voltage", s.Voltage, allowedVoltage)
		}
	}
	law := s.Law
	if law == nil {
		law = e.cfg.Law
	}
	c.regime = regime("Law", law)
	if s.Shadow {
		c.all = &actors.Rules{Standing: ForceShadow}
	}
	if len(s.Routes) > MaxRouteSettings {
		wrong("Routes", len(s.Routes), fmt.Sprintf("at most %d", MaxRouteSettings))
	}
	for _, pattern := range slices.Sorted(maps.Keys(s.Routes)) {
		r := s.Routes[pattern]
		field := fmt.Sprintf("Routes[%q]", pattern)
		if err := route.ValidatePattern(pattern); err != nil {
			wrong("Routes", fmt.Sprintf("%.48q", pattern), route.AllowedPattern)
		}
		u := &actors.Rules{}
		switch {
		case r.Disabled:
			u.Standing = ForceDisabled
		case r.Shadow || s.Shadow:
			u.Standing = ForceShadow
		}
		if r.Law != nil {
			u.Regime = regime(field+".Law", r.Law)
		}
		c.sections.Set(pattern, u)
	}
	if len(s.BanRules) > MaxBanRules {
		wrong("BanRules", len(s.BanRules), fmt.Sprintf("at most %d", MaxBanRules))
	}
	for i, r := range s.BanRules {
		field := fmt.Sprintf("BanRules[%d].", i)
		if r.Route != "" && route.ValidatePattern(r.Route) != nil {
			wrong(field+"Route", fmt.Sprintf("%.48q", r.Route), route.AllowedPattern)
		}
		if r.On == 0 || r.On > OnBoth {
			wrong(field+"On", uint8(r.On), "OnRejected, OnFailed or OnBoth")
		}
		inRange(wrong, field+"Count", r.Count, 1, 1_000_000)
		inRange(wrong, field+"Within", r.Within, time.Millisecond, MaxWithin)
		inRange(wrong, field+"For", r.For, MinTTL, MaxTTL)
		if len(errs) == 0 {
			c.live.rules = append(c.live.rules, e.banRule(r))
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrInvalidConfig, errors.Join(errs...))
	}
	return c, nil
}

func inRange[T int | time.Duration](wrong func(string, any, string), field string, value, low, high T) {
	if value < low || value > high {
		wrong(field, value, fmt.Sprintf("%v to %v", low, high))
	}
}

// banRule is a BanRule with what it has counted.
type banRule struct {
	BanRule
	meter *meter.Meter
	every int64 // ns in which one event is forgotten
}

// ruleIdentities is how many callers a rule keeps count of at a time. Those that
// are least behind give way; see package meter.
const ruleIdentities = 1 << 16

// banRule keeps the count of a rule that was in force already.
func (e *Engine) banRule(r BanRule) banRule {
	for _, old := range e.live.Load().rules {
		if old.BanRule == r {
			return old
		}
	}
	return banRule{r, meter.New(ruleIdentities), max(int64(r.Within)/int64(r.Count), 1)}
}

// Authors that are nobody: of the bans of rules, and of what TripFor does.
const (
	ByRule     = "rule"
	ByUpstream = "upstream"
)

// offended is offend for a request that was rejected with d.
func (e *Engine) offended(subject Subject, d *Decision) {
	if d.Reason == InsufficientVoltage || d.Reason == Tripped {
		e.offend(subject, d.Route, OnRejected)
	}
}

// banners bounds the bans of rules that are being put in force at a time. Beyond
// it the next offence tries again.
const banners = 64

// offend books an event of the subject on that route with the rules that count
// it, and has banned whom they ban: the caller waits for nothing.
func (e *Engine) offend(subject Subject, name string, what BanOn) {
	rules := e.live.Load().rules
	if len(rules) == 0 || subject == "" {
		return
	}
	key, now := maphash.String(e.subjects.seed, string(subject)), e.sys.Now()
	for i := range rules {
		r := &rules[i]
		if r.On&what == 0 || r.Route != "" && !route.Match(r.Route, name) || r.meter.Take(key, now, r.every, r.Count-1) {
			continue
		}
		what := r.On.String()
		if r.On == OnBoth {
			what = "rejected or failed"
		}
		b := Ban{
			Route: r.Route, Subject: string(subject), TTL: r.For, By: ByRule,
			Reason: fmt.Sprintf("%d %s in %v", r.Count, what, r.Within),
		}
		select {
		case e.banning <- struct{}{}:
			e.aside(func() { e.banByRule(b) })
		default:
		}
	}
}

func (e *Engine) banByRule(b Ban) {
	defer func() { <-e.banning }()
	if e.subjects.of(b.Subject, b.Route, e.sys.Now()) != nil {
		return // what was under way when it was banned
	}
	ev := actors.Event{Kind: actors.Banned, Route: b.Route, Cause: fmt.Sprintf("subject %s, %s, for %v", b.Subject, b.Reason, b.TTL)}
	if err := e.Ban(b); err != nil {
		ev.Lost, ev.Cause = 1, fmt.Sprintf("subject %s not banned: %v", b.Subject, err)
	}
	e.sys.Tell(ev)
}

package atrion

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/atrion-io/atrion/actors"
	"github.com/atrion-io/atrion/internal/route"
	"github.com/atrion-io/atrion/internal/text"
)

// Ban keeps a caller, or everybody, from a route, or from all, for a time. It is
// named by its Route and its Subject: another ban of the same takes its place.
type Ban = actors.Ban

// Longest and shortest life of a ban or an override. All of them end.
const (
	MinTTL = time.Millisecond
	MaxTTL = 365 * 24 * time.Hour
)

// Lengths in bytes.
const (
	maxSubject = 128
	maxBy      = 64
	maxReason  = 256
)

// maxBansOfOne bounds the bans of one subject on different routes: a decision
// looks at all of them.
const maxBansOfOne = 32

// Ban puts b in force on this engine; see Config.MaxBans for how many there can
// be. Errors: ErrInvalidRule, naming the field; ErrTooManyBans.
func (e *Engine) Ban(b Ban) error {
	if err := checkBan(&b); err != nil {
		return err
	}
	e.ops.Lock()
	defer e.ops.Unlock()
	b.Until = e.until(b.TTL)
	if !e.hasBan(b.Route, b.Subject) && !e.room(e.countBans, e.cfg.MaxBans) {
		return fmt.Errorf("%w: %d in force (limit MaxBans)", ErrTooManyBans, e.countBans())
	}
	if b.Subject == "" {
		e.change(b.Route, func(k *rulebook) { k.bans.Set(b.Route, &b) })
		return nil
	}
	return e.subjects.set(&b)
}

// Unban ends the ban of that route and subject, and reports whether there was
// one.
func (e *Engine) Unban(pattern, subject string) bool {
	e.ops.Lock()
	defer e.ops.Unlock()
	e.prune()
	if !e.hasBan(pattern, subject) {
		return false
	}
	if subject == "" {
		e.change(pattern, func(k *rulebook) { k.bans.Delete(pattern) })
	} else {
		e.subjects.remove(pattern, subject)
	}
	return true
}

// Bans returns the bans in force, by route and subject; their TTL is what is
// left of it.
func (e *Engine) Bans() []Ban {
	e.ops.Lock()
	defer e.ops.Unlock()
	e.prune()
	now := e.sys.Now()
	all := make([]Ban, 0, e.countBans())
	add := func(b *Ban) {
		b2 := *b
		b2.TTL = left(b.Until, now)
		all = append(all, b2)
	}
	for _, b := range e.book.bans.All() {
		add(b)
	}
	e.subjects.each(add)
	slices.SortFunc(all, func(a, b Ban) int {
		return cmp.Or(strings.Compare(a.Route, b.Route), strings.Compare(a.Subject, b.Subject))
	})
	return all
}

func (e *Engine) countBans() int { return e.book.bans.Len() + int(e.subjects.n.Load()) }

func (e *Engine) hasBan(pattern, subject string) bool {
	if subject == "" {
		_, ok := e.book.bans.Get(pattern)
		return ok
	}
	return e.subjects.has(pattern, subject)
}

// until is the instant at which what begins now ends.
func (e *Engine) until(ttl time.Duration) int64 { return e.sys.Now() + int64(ttl) }

func left(until, now int64) time.Duration { return max(time.Duration(until-now), 0) }

func checkBan(b *Ban) error {
	wrong := ruleField("Route", fmt.Sprintf("%.48q", b.Route), route.AllowedPattern+"; empty only with a Subject")
	switch {
	case b.Route == "" && b.Subject == "":
		return wrong
	case b.Route != "" && route.ValidatePattern(b.Route) != nil:
		return wrong
	case len(b.Subject) > maxSubject || !text.Visible(b.Subject):
		return ruleField("Subject", fmt.Sprintf("%.48q", b.Subject), "at most 128 visible ASCII characters")
	}
	return checkRule(b.TTL, b.By, b.Reason)
}

// checkRule checks what bans and overrides have in common.
func checkRule(ttl time.Duration, by, reason string) error {
	switch {
	case ttl < MinTTL || ttl > MaxTTL:
		return ruleField("TTL", ttl.String(), fmt.Sprintf("%v to %v", MinTTL, MaxTTL))
	case by == "" || len(by) > maxBy || !text.Plain(by):
		return ruleField("By", fmt.Sprintf("%.48q", by), "1 to 64 bytes of UTF-8 without control characters")
	case reason == "" || len(reason) > maxReason || !text.Plain(reason):
		return ruleField("Reason", fmt.Sprintf("%.48q", reason), "1 to 256 bytes of UTF-8 without control characters")
	}
	return nil
}

func ruleField(field, value, allowed string) error {
	return fmt.Errorf("%w: %w", ErrInvalidRule, &FieldError{Field: field, Value: value, Allowed: allowed})
}

// subjects are the bans of callers by name: many small maps that are copied when
// they change, so that a decision reads one without a lock.
type subjects struct {
	seed   maphash.Seed
	n      atomic.Int64 // bans
	shards [64]atomic.Pointer[map[string][]*Ban]
}

func (s *subjects) shard(subject string) *atomic.Pointer[map[string][]*Ban] {
	return &s.shards[maphash.String(s.seed, subject)%uint64(len(s.shards))]
}

// knows reports whether the subject may be banned from something.
func (s *subjects) knows(subject string) bool {
	if s.n.Load() == 0 {
		return false
	}
	m := s.shard(subject).Load()
	return m != nil && (*m)[subject] != nil
}

// of is the ban of the subject on that route at now, or nil.
func (s *subjects) of(subject, name string, now int64) *Ban {
	m := s.shard(subject).Load()
	if m == nil {
		return nil
	}
	for _, b := range (*m)[subject] {
		if now < b.Until && (b.Route == "" || route.Match(b.Route, name)) {
			return b
		}
	}
	return nil
}

func (s *subjects) has(pattern, subject string) bool {
	m := s.shard(subject).Load()
	return m != nil && slices.ContainsFunc((*m)[subject], func(b *Ban) bool { return b.Route == pattern })
}

// The rest is for writers, one at a time.

func (s *subjects) set(b *Ban) error {
	old := s.bansOf(b.Subject)
	rest := without(old, b.Route)
	if len(rest) >= maxBansOfOne {
		return fmt.Errorf("%w: %d of subject %q alone (limit %d)", ErrTooManyBans, len(rest), b.Subject, maxBansOfOne)
	}
	s.put(b.Subject, append(rest, b))
	s.n.Add(int64(len(rest) + 1 - len(old)))
	return nil
}

func (s *subjects) remove(pattern, subject string) {
	old := s.bansOf(subject)
	rest := without(old, pattern)
	s.put(subject, rest)
	s.n.Add(int64(len(rest) - len(old)))
}

func (s *subjects) bansOf(subject string) []*Ban {
	if m := s.shard(subject).Load(); m != nil {
		return (*m)[subject]
	}
	return nil
}

// without is a fresh list without the ban on that route.
func without(bans []*Ban, pattern string) (rest []*Ban) {
	for _, b := range bans {
		if b.Route != pattern {
			rest = append(rest, b)
		}
	}
	return rest
}

func (s *subjects) put(subject string, bans []*Ban) {
	p := s.shard(subject)
	fresh := map[string][]*Ban{}
	if old := p.Load(); old != nil {
		for k, v := range *old {
			fresh[k] = v
		}
	}
	if fresh[subject] = bans; len(bans) == 0 {
		delete(fresh, subject)
	}
	p.Store(&fresh)
}

func (s *subjects) each(f func(*Ban)) {
	for i := range s.shards {
		if m := s.shards[i].Load(); m != nil {
			for _, bans := range *m {
				for _, b := range bans {
					f(b)
				}
			}
		}
	}
}

func (s *subjects) prune(now int64) {
	s.each(func(b *Ban) {
		if now >= b.Until {
			s.remove(b.Route, b.Subject)
		}
	})
}

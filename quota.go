package atrion

import (
	"hash/maphash"
	"math"
	"sync/atomic"

	"github.com/atrion-io/atrion/internal/meter"
)

// Quota is the guard against inflation: who asks for much voltage all the time
// is not more important than others. The zero value is no guard.
//
// An identity (see Subject) may bid above Above volts Rate times a second, and
// Burst times at once; what it bids beyond that is judged at Above volts, and its
// Decision is Capped. Requests that bid above it and name nobody share one quota.
// An identity is whatever a caller says it is: name what was authenticated.
type Quota struct {
	Above float64 // volts. Range: above 0, below 1e9
	Rate  float64 // bids a second of one identity. Range: above 0, at most 1e6
	Burst int     // bids at once. Default: a second's worth, at least 1. Range: 1 to 1,000,000
	// Identities bounds the table of those who used their quota lately, 16 bytes
	// each. Default 65,536. Range: 1 to 16,777,216. When it is full, whoever has
	// used least of it is forgotten, and may bid more than its quota, never less.
	Identities int
}

func (q *Quota) validate(add func(field string, value any, allowed string)) {
	if *q == (Quota{}) {
		return
	}
	if !(q.Above > 0 && q.Above < MaxVoltage) {
		add("Quota.Above", q.Above, "above 0, below 1e+09, in volts")
	}
	if !(q.Rate > 0 && q.Rate <= 1e6) {
		add("Quota.Rate", q.Rate, "above 0, at most 1e+06, a second")
	}
	ranged(add, "Quota.Burst", q.Burst, 1, 1_000_000)
	ranged(add, "Quota.Identities", q.Identities, 1, 1<<24)
}

// quota is a Quota at work; nil: no guard.
type quota struct {
	above  float64
	clock  Clock
	every  int64 // ns between two bids of one identity
	burst  int
	used   *meter.Meter
	seed   maphash.Seed // nobody can choose names that crowd others out
	capped atomic.Uint64
}

func (q Quota) start(clock Clock) *quota {
	if q == (Quota{}) {
		return nil
	}
	if q.Burst == 0 {
		q.Burst = int(math.Ceil(q.Rate))
	}
	if q.Identities == 0 {
		q.Identities = 65_536
	}
	return &quota{above: q.Above, clock: clock, every: int64(1e9 / q.Rate), burst: q.Burst, used: meter.New(q.Identities), seed: maphash.MakeSeed()}
}

// cap is what a bid of that voltage counts for, and whether that is less.
func (q *quota) cap(voltage float64, who Subject) (float64, bool) {
	if q == nil || voltage <= q.above {
		return voltage, false
	}
	return q.spend(voltage, who)
}

func (q *quota) spend(voltage float64, who Subject) (float64, bool) {
	if q.used.Take(maphash.String(q.seed, string(who)), q.clock.Now(), q.every, q.burst) {
		return voltage, false
	}
	q.capped.Add(1)
	return q.above, true
}

// Capped returns how many bids were judged at Config.Quota's Above because their
// identity's quota was used up.
func (e *Engine) Capped() uint64 {
	if e.quota == nil {
		return 0
	}
	return e.quota.capped.Load()
}

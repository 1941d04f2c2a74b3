package ohmic

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// Settled reports that the route is healthy and has been quiet for a while: it
// would learn again what it forgets by a slow start.
func (s *State) Settled(now int64) bool {
	return s.demand == nil && s.failures.all == 0 ||
		now-s.refreshed > int64(10*time.Second) && s.scar(now) < 0.01
}

// Departs reports whether saved misleads about what the route has learned: a
// limit or a baseline a tenth off, a scar that moved by a twentieth, or another
// reading of being tripped.
func (s *State) Departs(saved physics.State, now int64) bool {
	o, ok := saved.(*State)
	if !ok {
		return true
	}
	ratio := func(a, b float64) bool { return a > 1.1*b || b > 1.1*a }
	return ratio(s.supply.limit, o.supply.limit) || math.Abs(s.supply.lnT0-o.supply.lnT0) > 0.1 ||
		math.Abs(s.scar(now)-o.scar(now)) > 0.05 || s.probe.stage != o.probe.stage ||
		(s.mode == physics.CircuitBreaker) != (o.mode == physics.CircuitBreaker)
}

// The durable form: a version, flags, and eight little-endian words. Rates and
// bids are not kept: they are of the moment.
const (
	version   = 1
	stateSize = 2 + 8*8

	flagSteady = 1 << iota
	flagKnown
	flagTripped
	flagsAll = 2*flagTripped - flagSteady
)

// AppendState appends the state's durable form to dst.
func (s *State) AppendState(dst []byte, now int64) []byte {
	flags := byte(0)
	if s.probe.stage == steady {
		flags |= flagSteady
	}
	if s.supply.known {
		flags |= flagKnown
	}
	if s.mode == physics.CircuitBreaker {
		flags |= flagTripped
	}
	dst = append(dst, version, flags)
	age := max(now-s.refreshed, 0)
	if s.demand == nil && s.refreshed == 0 {
		age = 0
	}
	for _, v := range s.words() {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(*v))
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(age))
}

// words are the numbers that are kept.
func (s *State) words() [7]*float64 {
	p := &s.supply
	return [...]*float64{&p.limit, &p.lnT, &p.lnT0, &p.knownT0, &s.failures.all, &s.failures.good, &s.probe.judged}
}

var errState = errors.New("ohmic: stored state is not one")

// ParseState sets s from AppendState's form.
func (s *State) ParseState(src []byte, now int64) error {
	if len(src) != stateSize || src[0] != version || src[1]&^flagsAll != 0 {
		return errState
	}
	limits := [7]float64{1e9, 50, 50, 400, 1e12, 1e12, 1e12}
	for i, v := range s.words() {
		*v = math.Float64frombits(binary.LittleEndian.Uint64(src[2+8*i:]))
		if !(math.Abs(*v) <= limits[i]) || *v < 0 && i != 1 && i != 2 {
			return errState
		}
	}
	age := int64(binary.LittleEndian.Uint64(src[stateSize-8:]))
	p := &s.supply
	least := 1.0 // nodes of a fleet begin with a part of the first limit
	if src[1]&flagSteady != 0 {
		least = s.law.cfg.LeastLimit
	}
	if p.limit < least || s.failures.good > s.failures.all || age < 0 || age > now-math.MinInt64/2 {
		return errState
	}
	s.refreshed = now - age
	s.probe.gap = int64(s.law.cfg.DipEvery)
	if src[1]&flagSteady != 0 {
		s.probe.stage, s.probe.step = steady, idle
	}
	p.known, p.hold = src[1]&flagKnown != 0, p.limit
	s.probe.size = s.startSize()
	s.seal()
	s.restored = true
	if s.probe.judged > 0 {
		s.mode = physics.Operational
	}
	if src[1]&flagTripped != 0 && s.scar(now) >= 0.5 {
		s.mode = physics.CircuitBreaker
	}
	return nil
}

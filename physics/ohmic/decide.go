package ohmic

import (
	"math"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// Allow is the answer alone (6): V is above R if and only if the share of the
// demand at or above the request is below both bounds, d(V) < min(a(N), (1-r)
// lambda). With nothing in flight the load part always passes.
func (s *State) Allow(q physics.Query) bool {
	if !(q.Voltage > s.law.cfg.Floor) {
		return false
	}
	if !s.failing && s.free(s.inflight(q)) {
		return true // everyone passes, whatever they bid
	}
	m := s.market(q)
	b := band(q.Voltage)
	x, end := s.price.position(b, m.u)
	return s.carries(&m, b, x, end) && m.fail(x, end)
}

// Decide explains: the same answer, with the price in volts that it follows
// from.
//
//	R_load = D^-1(a(N)), R_fail = D^-1((1-r) lambda),
//	P0 = D^-1(a(N)) under min(lambda, lambda_slow)
//
// They are edges of bands; in the band where demand crosses supply the draw
// chooses the edge, so that the band is cut in parts and V > R still holds for
// all who pass and for nobody else.
func (s *State) Decide(q physics.Query) (physics.Ruling, physics.Terms) {
	m := s.market(q)
	b := 0
	if q.Voltage > 0 {
		b = band(q.Voltage)
	}
	load := s.loadPrice(b, &m)
	fail := s.price.price(b, m.u, m.fail)
	slow := m
	slow.rate = math.Min(m.rate, s.slow*s.fleet.per)
	t := terms(s.law.cfg.Floor, s.loadPrice(b, &slow), load, fail)

	r := physics.Ruling{Allow: q.Voltage > t.Sum(), Mode: s.mode}
	switch {
	case r.Allow:
	case q.Voltage > load && s.mode == physics.CircuitBreaker:
		r.Reason, r.RetryAfter = physics.Tripped, s.calm()
	case q.Voltage > load:
		r.Reason, r.RetryAfter = physics.InsufficientVoltage, s.calm()
	default:
		r.Reason, r.RetryAfter = physics.InsufficientVoltage, time.Duration(refreshEvery)
	}
	return r, t
}

// terms splits the resistance, which is max(base, load, fail), into its parts:
// what the slow rate explains, what the rise of the rate adds, and what the
// memory of failure adds to that.
func terms(base, slow, load, fail float64) physics.Terms {
	pressed := max(base, min(slow, load))
	loaded := max(base, load)
	return physics.Terms{
		Base: base, Pressure: rest(base, pressed), Momentum: rest(pressed, loaded), Scar: rest(loaded, max(loaded, fail)),
	}
}

// rest is what must be added to part to get all, which is not less. Prices have
// 20 bits, so the difference and the sum are exact as long as the one is not
// less than the 2^33rd part of the other; then the sum may be an ulp too high.
func rest(part, all float64) float64 {
	x := all - part
	for part+x < all {
		x = math.Nextafter(x, all)
	}
	return x
}

// free reports whether all demand fits with n calls in flight.
func (s *State) free(n int64) bool {
	supply, _ := s.supply.at(n)
	return n <= 0 || s.rate*s.fleet.per < supply
}

// inflight is N: the seats taken, and the calls that hold none.
func (s *State) inflight(q physics.Query) int64 {
	if !s.adrift.told {
		return q.Inflight
	}
	return q.Inflight + s.adrift.since(s.demand.lent.Load())
}

// market is what one request meets.
type market struct {
	rate            float64 // lambda
	supply, reserve float64 // a(N), and what covered bands have
	scar            float64 // r
	u               float64
	free            bool // nothing is in flight
}

func (s *State) market(q physics.Query) market {
	n := s.inflight(q)
	m := market{rate: s.rate * s.fleet.per, u: q.U, free: n <= 0}
	m.supply, m.reserve = s.supply.at(n)
	if m.u < 0 {
		m.u = 0.5 // physics.Peek
	}
	if s.failing {
		m.scar = s.scar(q.Now)
	}
	return m
}

// scar is r, faded to now.
func (s *State) scar(now int64) float64 {
	share := 1.0
	if dt := now - s.refreshed; dt > 0 {
		share = fade(float64(dt)/1e9, s.law.cfg.FailureMemory)
	}
	e := s.evidence()
	return max(e.ratio(share, &s.law.cfg), s.fleet.word)
}

// load reports whether the load lets a request at position x pass, whose band
// ends at end: d(V) < a(N), or the whole band is covered.
func (m market) load(x, end float64) bool {
	return m.free || float64(m.rate*x) < m.supply || float64(m.rate*end) < m.reserve
}

// fail is the same for the memory of failure: x < 1-r.
func (m market) fail(x, _ float64) bool { return m.scar == 0 || x < 1-m.scar }

// calm is how long the scar takes to fade to where half of the demand passes.
func (s *State) calm() time.Duration {
	c := &s.law.cfg
	e := s.evidence()
	share := 0.5 * c.Evidence / (e.excess(c) - 0.5*e.all)
	if !(share > 0 && share < 1) {
		return time.Duration(refreshEvery)
	}
	return max(time.Duration(-math.Log(share)*float64(c.FailureMemory)), time.Duration(refreshEvery))
}

// Note books a request that was decided. It counts as demand, at its voltage;
// if it was admitted, perhaps as one of a cohort; if the load turned it away,
// as a sign that the route is at its limit.
func (s *State) Note(q physics.Query, admitted, seated bool) {
	d := s.demand
	if d == nil || !(q.Voltage > 0) {
		return
	}
	// Above some thousand arrivals a second a sample of them tells as much,
	// and processors need not pass the counter around for each.
	if s.thin == 0 || uint32(math.Float64bits(q.U)*0x9E3779B97F4A7C15>>48)&s.thin == 0 {
		d.arrive(band(q.Voltage), s.thin+1)
		if admitted && !seated {
			d.lent.Add(s.thin + 1)
		}
	}
	if admitted {
		if s.probe.step == open {
			d.cohort(s.probe.own).Add(1)
		}
	} else {
		m, b := s.market(q), band(q.Voltage)
		if x, end := s.price.position(b, m.u); !s.carries(&m, b, x, end) {
			d.shed.Add(1)
		}
	}
}

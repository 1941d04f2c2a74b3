package classic

import (
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/tuner"
)

// Route is one route in the terms of the published law. The zero value is a
// route never seen. A plain value; not safe for concurrent use while a step
// changes it.
type Route struct {
	Known      bool         // false until the first call
	Mode       physics.Mode // Bootstrap, Operational or CircuitBreaker
	Pressure   Vector       // of the last call
	Previous   Vector       // of the call before it; zero in bootstrap
	Momentum   float64      // 1/ms; 0 in bootstrap
	Scar       float64      // ohms, as of Last
	Resistance float64      // ohms, as of Last
	Ticks      uint64       // calls so far
	Last       int64        // ns, time of the last call
}

// Call is the input of one [Params.Step].
type Call struct {
	Time       int64   // ns on any clock
	Latency    float64 // ms; NaN: not given
	ErrorRate  float64 // fraction; NaN: not given
	Saturation float64 // fraction; NaN: not given
	Voltage    float64 // volts
}

// Decision is the answer of one [Params.Step].
type Decision struct {
	Allow  bool
	Reason physics.Reason
}

// bootstrap returns the route that a first call of pressure p at time now, in ns,
// brings into being, before that call itself is counted.
func (c *Config) bootstrap(p Vector, now int64) Route {
	return Route{
		Known:      true,
		Mode:       physics.Bootstrap,
		Pressure:   p,
		Resistance: c.BootstrapResistance(),
		Last:       now,
	}
}

// Step is one call of the original's route(): the telemetry of a call comes
// in, the state of its route moves, and the call's own voltage is judged
// against the result. It is the law in straightforward scalar Go, what the
// vectorised [State.Advance] is checked against, and what replays recordings.
//
// t is the tuner's state, nil for static limits. Several routes may share one.
//
// Known faults, kept:
//   - The original has one tuner for all routes: a failing route raises the
//     break point of its healthy neighbours. Sharing t reproduces that; laws
//     made by [New] give each route its own.
//   - A call is judged by its own outcome, which it cannot know yet.
//   - The clock may step back; see [Decay] and [Momentum] for what follows.
func (p *Params) Step(r *Route, t *tuner.State, in Call) Decision {
	pressure := Pressure(in.Latency, in.ErrorRate, in.Saturation, p.Baselines, p.TanhScale)
	if !r.Known {
		*r = p.bootstrap(pressure, in.Time)
	}
	p.Update(r, t, pressure, in.Time)
	allow, reason := Flow(r.Mode, in.Voltage, r.Resistance)
	return Decision{Allow: allow, Reason: reason}
}

// Update moves a known route by one call of the given pressure at time now, in
// ns (RFC-0001 and RFC-0003; the order is the original's). t as in
// [Params.Step].
func (p *Params) Update(r *Route, t *tuner.State, pressure Vector, now int64) {
	dt := milliseconds(r.Last, now)
	r.Ticks++
	if r.Mode == physics.Bootstrap {
		if r.Ticks < uint64(max(0, p.BootstrapTicks)) {
			r.Pressure, r.Last = pressure, now
			return
		}
		// The call that leaves bootstrap has no momentum, is not shown to
		// the tuner and cannot trip.
		r.Mode = physics.Operational
		r.Momentum = 0
		r.Scar = p.Scar(r.Scar, pressure, dt)
		r.Resistance = p.Resistance(pressure, 0, r.Scar, p.Weights, 0)
		r.Previous, r.Pressure, r.Last = r.Pressure, pressure, now
		return
	}
	// Known fault, kept: Previous is two calls old here, dt is one call long.
	r.Momentum = Momentum(pressure, r.Previous, dt)
	r.Scar = p.Scar(r.Scar, pressure, dt)
	r.Resistance = p.Resistance(pressure, r.Momentum, r.Scar, p.Weights, 0)
	if t != nil {
		p.Tuner.Observe(t, r.Resistance)
	}
	breakPoint, recoveryPoint := p.Limits(t)
	r.Mode = p.Next(r.Mode, r.Resistance, r.Scar, pressure, breakPoint, recoveryPoint)
	r.Previous, r.Pressure, r.Last = r.Pressure, pressure, now
}

// Limits are the break and the recovery point in force, in ohms. t as in
// [Params.Step].
func (p *Params) Limits(t *tuner.State) (breakPoint, recoveryPoint float64) {
	if t == nil {
		return p.Break(), p.Recover()
	}
	return p.Tuner.Break(t), p.Tuner.Recover(t)
}

// milliseconds is the time from one instant to another, both in ns, as the
// original's clock saw it: in whole milliseconds, so that calls within one are
// at the same time. It matters: momentum is per millisecond, and nanoseconds
// would make ohms by the thousand of every jitter.
func milliseconds(from, to int64) float64 { return float64(floorMs(to) - floorMs(from)) }

func floorMs(ns int64) int64 {
	ms := ns / 1e6
	if ns%1e6 < 0 {
		ms--
	}
	return ms
}

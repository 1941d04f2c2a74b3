package classic

import (
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/tuner"
	"github.com/atrion-io/atrion/vec"
)

// State is what the law knows of one route: [physics.State]. It holds no
// pointer but the one to its law, 144 bytes in all. Make one with
// [Law.NewState]; see [physics.State] for who may call what when.
type State struct {
	law   *Law
	last  int64 // ns, time of the last sample
	k     vec.ClassicState
	ticks uint32 // samples while in bootstrap; 0: never seen
	boot  bool
}

var _ physics.State = (*State)(nil)

// Advance makes s the successor of prev after the samples of b, and asks for
// no ticks: nothing in this law happens by time alone that a decision does not
// work out for itself.
//
// A sample without a latency (NaN) counts as latency 0, as in the original.
// ErrorRate is taken as it stands; that an Outcome other than OK means an error
// rate of 1 is for the caller to write into it. Samples of outcome Ignored are
// passed over, their time too.
func (s *State) Advance(prev physics.State, b *physics.Batch) (wake time.Duration) {
	law := s.law
	*s = *prev.(*State)
	s.law = law

	i := 0
	for ; i < b.N && s.boot; i++ {
		if b.Outcome[i] != physics.Ignored {
			s.bootstrap(b, i)
		}
	}
	for i < b.N {
		if b.Outcome[i] == physics.Ignored {
			i++
			continue
		}
		end := i + 1
		for end < b.N && b.Outcome[end] != physics.Ignored {
			end++
		}
		s.run(b, i, end)
		i = end
	}
	return 0
}

// run hands samples from..to of b to the kernel.
func (s *State) run(b *physics.Batch, from, to int) {
	dt := b.Scratch[from:to]
	times := b.Time[from:to]
	last := floorMs(s.last)
	for j, t := range times {
		ms := floorMs(t)
		dt[j] = float64(ms - last)
		last = ms
	}
	s.last = times[len(times)-1]
	// Field by field: a literal is built elsewhere and copied here, and the
	// copy of what was just written costs as much as a sample.
	var batch vec.ClassicBatch
	batch.DT = dt
	batch.Latency = b.Latency[from:to]
	batch.ErrorRate = b.ErrorRate[from:to]
	batch.Saturation = b.Saturation[from:to]
	vec.Classic(s.law.kernel, &s.k, &batch, nil, nil)
}

// bootstrap is one sample of a route in bootstrap: [Params.Update] up to the
// tick that leaves it, with the arithmetic of vec. It runs a handful of times
// per route and is no kernel.
func (s *State) bootstrap(b *physics.Batch, i int) {
	kernel := s.law.kernel
	pressure := kernel.Pressure(b.Latency[i], b.ErrorRate[i], b.Saturation[i])
	old, last := s.k.P, s.last
	if s.ticks == 0 {
		old, last = pressure, b.Time[i]
	}
	s.ticks++
	s.k.P, s.last = pressure, b.Time[i]
	if int64(s.ticks) < int64(s.law.params.BootstrapTicks) {
		return
	}
	s.boot = false
	s.k.Prev = old
	s.k.Scar = kernel.NextScar(s.k.Scar, pressure, milliseconds(last, s.last))
	s.k.R = kernel.Resistance(pressure, 0, s.k.Scar)
}

func fromArray(a [3]float64) Vector { return Vector{a[0], a[1], a[2]} }

// Mode is the mode as of the last sample.
func (s *State) Mode() physics.Mode {
	switch {
	case s.boot:
		return physics.Bootstrap
	case s.k.Tripped:
		return physics.CircuitBreaker
	}
	return physics.Operational
}

// Route is the state in the terms of the scalar law, as of the last sample.
// Ticks counts while in bootstrap only.
func (s *State) Route() Route {
	return Route{
		Known:      s.ticks > 0,
		Mode:       s.Mode(),
		Pressure:   fromArray(s.k.P),
		Previous:   fromArray(s.k.Prev),
		Momentum:   s.k.Momentum,
		Scar:       s.k.Scar,
		Resistance: s.k.R,
		Ticks:      uint64(s.ticks),
		Last:       s.last,
	}
}

// Tuner is what the route's tuner has learned; nothing while it is off.
func (s *State) Tuner() tuner.State {
	return tuner.State{Mean: s.k.Mean, Var: s.k.Var, Samples: s.k.Samples}
}

// Limits are the break and the recovery point in force, in ohms.
func (s *State) Limits() (breakPoint, recoveryPoint float64) { return s.k.Break, s.k.Recover }

// Transitions counts how often the route has tripped and recovered.
func (s *State) Transitions() (trips, recoveries uint32) { return s.k.Trips, s.k.Recoveries }

// scarAt is the scar in ohms, decayed from the last sample to now. Time before
// the last sample is the last sample: reading a state must not let a scar grow
// the way a backward sample does.
func (s *State) scarAt(now int64) float64 {
	if !(s.k.Scar > 0 && now > s.last) {
		return s.k.Scar
	}
	dt := float64(now-s.last) / 1e6
	if dt < 0 { // the difference overflowed: 292 years and more
		return 0
	}
	return s.k.Scar * vec.Exp1(-s.law.params.DecayRate*(dt/1000))
}

// decayed is the resistance and the scar, in ohms, at now. All but the scar
// stays as the last sample left it.
func (s *State) decayed(now int64) (r, scar float64) {
	scar = s.scarAt(now)
	if scar == s.k.Scar {
		return s.k.R, scar
	}
	return s.law.kernel.Resistance(s.k.P, s.k.Momentum, scar), scar
}

// parts is what pressure and momentum add to the base, in ohms and with their
// signs.
func (s *State) parts() (pressure, momentum float64) {
	p := &s.law.params
	return fromArray(s.k.P).weighted(p.Weights), float64(p.DampingFactor * s.k.Momentum)
}

// maxRetry caps [physics.Ruling.RetryAfter]: what a scar will be after a
// minute is known, what traffic does to it until then is not.
const maxRetry = 60 * time.Second

package classic

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/tuner"
)

// The durable form of a state, big endian:
//
//	offset size
//	     0    7  "classic"
//	     7    1  version, 1
//	     8    1  mode: 0 bootstrap, 1 operational, 3 circuit breaker
//	     9    4  samples while in bootstrap
//	    13    8  age of the last sample, ns
//	    21   24  pressure: latency, error, saturation
//	    45   24  pressure before that
//	    69    8  momentum, 1/ms
//	    77    8  scar, ohms, at that age
//	    85    8  tuner: mean, ohms
//	    93    8  tuner: variance, ohms squared
//	   101    4  tuner: observations
//	   105    4  trips
//	   109    4  recoveries
//
// R and the limits are not written. They follow from the rest and from the
// configuration, which may be another one by the time the state is read.
const (
	stateMagic   = Name
	stateVersion = 1
	stateLen     = 113
)

// Limits of what is read, and of what is written, so that every written state
// can be read. A scar of 1e12 ohms takes 4 minutes to decay to one at the
// default rate and closes the route to every voltage; more says no more.
const (
	maxStateAge      = int64(1) << 61 // ns, 73 years
	maxStateOhms     = 1e12
	maxStateVariance = 1e24
	maxStateMomentum = 4e6 // the longest change, 2*sqrt(3), in one nanosecond
)

// AppendState appends the state's durable form, 113 bytes, to dst. The time of
// the last sample is written as its age at now. Scars and means above 1e12
// ohms are written as 1e12, so that every state can be read back.
func (s *State) AppendState(dst []byte, now int64) []byte {
	be := binary.BigEndian
	float := func(x float64) { dst = be.AppendUint64(dst, math.Float64bits(x)) }

	age := now - s.last
	switch {
	case s.ticks == 0 || now < s.last:
		age = 0
	case age < 0 || age > maxStateAge: // below 0: the difference overflowed
		age = maxStateAge
	}
	dst = append(dst, stateMagic...)
	dst = append(dst, stateVersion, byte(s.Mode()))
	dst = be.AppendUint32(dst, s.ticks)
	dst = be.AppendUint64(dst, uint64(age))
	for _, x := range s.k.P {
		float(x)
	}
	for _, x := range s.k.Prev {
		float(x)
	}
	float(max(-maxStateMomentum, min(maxStateMomentum, s.k.Momentum)))
	float(min(maxStateOhms, s.k.Scar))
	t := s.Tuner()
	if !(t.Var >= 0) {
		// Not a number: times that ran backwards grew a scar whose square is
		// infinite. Such a tuner never trips again; forget what it knows.
		t = tuner.State{}
	}
	float(min(maxStateOhms, t.Mean))
	float(min(maxStateVariance, t.Var))
	dst = be.AppendUint32(dst, t.Samples)
	dst = be.AppendUint32(dst, s.k.Trips)
	return be.AppendUint32(dst, s.k.Recoveries)
}

// ParseState sets s, fresh from [Law.NewState], from the form AppendState
// writes. The error names the field that is wrong, its value and what is
// allowed; s must then be discarded.
func (s *State) ParseState(src []byte, now int64) error {
	if len(src) != stateLen {
		return fmt.Errorf("classic: stored state has %d bytes, want %d", len(src), stateLen)
	}
	if got := string(src[:len(stateMagic)]); got != stateMagic {
		return fmt.Errorf("classic: stored state is of law %q, want %q", got, stateMagic)
	}
	if got := src[len(stateMagic)]; got != stateVersion {
		return fmt.Errorf("classic: stored state has version %d, want %d", got, stateVersion)
	}
	d := decoder{rest: src[len(stateMagic)+1:]}
	mode := physics.Mode(d.byte())
	ticks := d.uint32()
	age := int64(d.uint64())
	if d.err == nil && (age < 0 || age > maxStateAge || now-age > now) {
		d.wrong("age", age, fmt.Sprintf("0 to %d ns before now", maxStateAge))
	}
	k := s.k
	for i, field := range [...]string{"pressure.latency", "pressure.error", "pressure.saturation"} {
		k.P[i] = d.float(field, -1, 1)
	}
	for i, field := range [...]string{"previous.latency", "previous.error", "previous.saturation"} {
		k.Prev[i] = d.float(field, -1, 1)
	}
	k.Momentum = d.float("momentum", -maxStateMomentum, maxStateMomentum)
	k.Scar = d.float("scar", 0, maxStateOhms)
	k.Mean = d.float("tuner.mean", 0, maxStateOhms)
	k.Var = d.float("tuner.variance", 0, maxStateVariance)
	k.Samples = d.uint32()
	k.Trips = d.uint32()
	k.Recoveries = d.uint32()
	switch mode {
	case physics.Bootstrap:
		// Its R does not follow from these, so they must be nothing.
		if k.Scar != 0 || k.Momentum != 0 {
			d.wrong("scar and momentum", fmt.Sprint(k.Scar, " and ", k.Momentum), "0 in bootstrap")
		}
		if ticks == 0 && age != 0 {
			d.wrong("age", age, "0 before the first sample")
		}
	case physics.Operational, physics.CircuitBreaker:
		if ticks == 0 {
			d.wrong("samples", ticks, "1 or more outside bootstrap")
		}
	default:
		d.wrong("mode", uint8(mode), "0, 1 or 3")
	}
	if ticks > maxBootstrapTicks {
		d.wrong("samples", ticks, fmt.Sprintf("0 to %d", maxBootstrapTicks))
	}
	if d.err != nil {
		return d.err
	}

	s.k = k
	s.boot = mode == physics.Bootstrap
	s.k.Tripped = mode == physics.CircuitBreaker
	s.ticks = ticks
	s.last = 0
	if ticks > 0 {
		s.last = now - age
	}
	if !s.boot {
		s.k.R = s.law.kernel.Resistance(k.P, k.Momentum, k.Scar)
	}
	s.k.Break, s.k.Recover = s.law.kernel.Thresholds(k.Mean, k.Var, k.Samples)
	return nil
}

// decoder takes fields off the front of rest, whose length was checked before,
// and keeps the first error.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) wrong(field string, value any, allowed string) {
	if d.err == nil {
		d.err = fmt.Errorf("classic: stored state: %s is %v, allowed %s", field, value, allowed)
	}
}

func (d *decoder) byte() byte {
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uint32() uint32 {
	v := binary.BigEndian.Uint32(d.rest)
	d.rest = d.rest[4:]
	return v
}

func (d *decoder) uint64() uint64 {
	v := binary.BigEndian.Uint64(d.rest)
	d.rest = d.rest[8:]
	return v
}

// float takes a float64 in [lo, hi]; NaN is in no range.
func (d *decoder) float(field string, lo, hi float64) float64 {
	v := math.Float64frombits(d.uint64())
	if !(v >= lo && v <= hi) {
		d.wrong(field, v, fmt.Sprintf("%g to %g", lo, hi))
	}
	return v
}

package wire

import (
	"encoding/binary"
	"math"

	"github.com/atrion-io/atrion/internal/text"
	"github.com/atrion-io/atrion/physics"
)

// Fields is a set of the fields of a Sample.
type Fields uint8

// The fields of a sample, in the order in which they are encoded.
const (
	HasLatency Fields = 1 << iota
	HasErrorRate
	HasSaturation
	HasVoltage
	HasTime
	HasOutcome
	HasPermit

	// telling is the fields without which a sample tells nothing.
	telling = HasLatency | HasErrorRate | HasSaturation | HasOutcome | HasPermit
)

// Sample is one observation as it stands on the wire. Fields that Has does not
// name are zero.
type Sample struct {
	LatencyMs  float64         // latencyMs, l: milliseconds, 0..86,400,000 (24 h)
	ErrorRate  float64         // errorRate, e: fraction, 0..1
	Saturation float64         // saturation, s: fraction, 0..1
	Voltage    float64         // voltage, v: volts, over 0, at most 1e9
	Time       int64           // t: unix milliseconds, 0..253402300799999 (year 9999)
	Permit     []byte          // permit: 1..64 visible ASCII characters; decoded, it is part of the message
	Outcome    physics.Outcome // outcome, o: ok, error, timeout, dropped or ignored
	Has        Fields
}

// Ranges of the fields of a sample.
const (
	MaxLatencyMs = 24 * 60 * 60 * 1000
	MaxVoltage   = 1e9
	MaxTime      = 253402300799999
)

// field is a field of a sample; known ones are 1 + the number of their bit.
type field uint8

const (
	unknown field = iota
	latency
	errorRate
	saturation
	voltage
	when
	outcome
	permit
	fields
)

func (f field) bit() Fields { return 1 << (f - 1) }

// spec is what is allowed in a field.
type spec struct {
	long, short string
	lo, hi      float64
	allowed     string
}

var specs = [fields]spec{
	latency:    {"latencyMs", "l", 0, MaxLatencyMs, "0..86400000 (ms)"},
	errorRate:  {"errorRate", "e", 0, 1, "0..1"},
	saturation: {"saturation", "s", 0, 1, "0..1"},
	voltage:    {"voltage", "v", math.SmallestNonzeroFloat64, MaxVoltage, "over 0, at most 1e9 (volts)"},
	when:       {"t", "t", 0, MaxTime, "an integer 0..253402300799999 (unix ms)"},
	outcome:    {"outcome", "o", 0, 0, "ok, error, timeout, dropped, ignored"},
	permit:     {"permit", "permit", 0, 0, "1..64 visible ASCII characters"},
}

// shortNames is the fields by their short names; all others are unknown.
var shortNames = [256]field{
	'l': latency, 'e': errorRate, 's': saturation, 'v': voltage, 't': when, 'o': outcome,
}

// fieldOf finds the field of a key. Comparing by length first makes it a few
// instructions, and needs no string.
func fieldOf(key []byte) field {
	switch len(key) {
	case 1:
		return shortNames[key[0]]
	case 6:
		if string(key) == "permit" {
			return permit
		}
	case 7:
		if string(key) == "outcome" {
			return outcome
		}
		if string(key) == "voltage" {
			return voltage
		}
	case 9:
		if string(key) == "latencyMs" {
			return latency
		}
		if string(key) == "errorRate" {
			return errorRate
		}
	case 10:
		if string(key) == "saturation" {
			return saturation
		}
	}
	return unknown
}

// outcomeOf is physics.ParseOutcome for bytes.
func outcomeOf(s []byte) (physics.Outcome, bool) {
	switch string(s) {
	case "ok":
		return physics.OK, true
	case "error":
		return physics.Error, true
	case "timeout":
		return physics.Timeout, true
	case "dropped":
		return physics.Dropped, true
	case "ignored":
		return physics.Ignored, true
	}
	return 0, false
}

// visible reports whether s is 1..limit visible ASCII characters: what passes
// through logs, subjects and terminals unharmed.
func visible[S []byte | string](s S, limit int) bool {
	return len(s) > 0 && len(s) <= limit && text.Visible(s)
}

func isPermit(s []byte) bool { return visible(s, MaxPermit) }

func isOutcome(s []byte) bool {
	_, ok := outcomeOf(s)
	return ok
}

// sample reads one sample, number at of its message, into s, which it need not
// find zero.
func (w *walker) sample(at int, s *Sample) error {
	*s = Sample{}
	if err := w.enter(kindMap); err != nil {
		return err
	}
	for {
		ok, err := w.more(kindMap)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		key, err := w.key()
		if err != nil {
			return err
		}
		f := fieldOf(key)
		if f == unknown {
			if err := w.skip(); err != nil {
				return err
			}
			continue
		}
		spec := &specs[f]
		if s.Has&f.bit() != 0 {
			return twice(at, spec.long)
		}
		s.Has |= f.bit()
		switch f {
		case when:
			var t uint64
			t, err = w.uint(at, spec.long, MaxTime, spec.allowed)
			s.Time = int64(t)
		case outcome:
			var o []byte
			o, err = w.text(at, spec.long, isOutcome, spec.allowed)
			s.Outcome, _ = outcomeOf(o)
		case permit:
			s.Permit, err = w.text(at, spec.long, isPermit, spec.allowed)
		default:
			var v float64
			v, err = w.float(at, spec.long, spec.lo, spec.hi, spec.allowed)
			s.set(f, v)
		}
		if err != nil {
			return err
		}
	}
	if s.Has&telling == 0 {
		return emptySample(at)
	}
	return nil
}

func emptySample(at int) error {
	return &FieldError{
		Index: at, Field: "latencyMs|errorRate|saturation|outcome|permit",
		Value: "missing", Allowed: "at least one of them",
	}
}

func (s *Sample) set(f field, v float64) {
	switch f {
	case latency:
		s.LatencyMs = v
	case errorRate:
		s.ErrorRate = v
	case saturation:
		s.Saturation = v
	case voltage:
		s.Voltage = v
	}
}

// fastSample reads the msgpack sample at data[pos:] as every encoder writes
// it: a map of at most 15 short keys with float64s, small integers and short
// strings. It returns the position behind it, or 0 if anything at all is
// unusual, and leaves s alone; the walker then reads the same bytes again and
// alone decides what is right, and what is wrong with it.
func fastSample(data []byte, pos int, s *Sample) int {
	if pos >= len(data) || data[pos]&0xf0 != 0x80 {
		return 0
	}
	n := int(data[pos] & 0x0f)
	pos++
	// Collected here rather than in s, so that they stay in registers.
	var (
		has     Fields
		values  [outcome]float64
		result  physics.Outcome
		permits []byte
	)
	for ; n > 0; n-- {
		if pos >= len(data) || data[pos]&0xe0 != 0xa0 {
			return 0
		}
		keyEnd := pos + 1 + int(data[pos]&0x1f)
		if keyEnd >= len(data) { // a value must follow
			return 0
		}
		var f field
		if keyEnd == pos+2 {
			f = shortNames[data[pos+1]] // most keys: spare them the call
		} else {
			f = fieldOf(data[pos+1 : keyEnd])
		}
		if f == unknown || has&f.bit() != 0 {
			return 0
		}
		has |= f.bit()
		pos = keyEnd

		if f >= outcome {
			if data[pos]&0xe0 != 0xa0 {
				return 0
			}
			end := pos + 1 + int(data[pos]&0x1f)
			if end > len(data) {
				return 0
			}
			str := data[pos+1 : end : end]
			pos = end
			var ok bool
			if f == permit {
				permits, ok = str, isPermit(str)
			} else {
				result, ok = outcomeOf(str)
			}
			if !ok {
				return 0
			}
			continue
		}

		var v float64
		switch c := data[pos]; {
		case c < 0x80:
			v = float64(c)
			pos++
		case c == 0xcb:
			if pos+9 > len(data) {
				return 0
			}
			v = math.Float64frombits(binary.BigEndian.Uint64(data[pos+1:]))
			pos += 9
		case c == 0xcd:
			if pos+3 > len(data) {
				return 0
			}
			v = float64(binary.BigEndian.Uint16(data[pos+1:]))
			pos += 3
		case c == 0xcf || c == 0xd3:
			if pos+9 > len(data) {
				return 0
			}
			// Negative ones look huge: no field allows either.
			v = float64(binary.BigEndian.Uint64(data[pos+1:]))
			pos += 9
		default:
			return 0
		}
		spec := &specs[f]
		if !(v >= spec.lo && v <= spec.hi) { // NaN too
			return 0
		}
		values[f] = v + 0 // -0 is 0
	}
	t := int64(values[when])
	if has&telling == 0 || float64(t) != values[when] {
		return 0
	}
	*s = Sample{
		LatencyMs:  values[latency],
		ErrorRate:  values[errorRate],
		Saturation: values[saturation],
		Voltage:    values[voltage],
		Time:       t,
		Permit:     permits,
		Outcome:    result,
		Has:        has,
	}
	return pos
}

// check returns what decoding the sample would say.
func (s *Sample) check(at int) error {
	for f := latency; f < fields; f++ {
		if s.Has&f.bit() == 0 {
			continue
		}
		spec := &specs[f]
		var value string
		switch f {
		case when:
			if s.Time < 0 || s.Time > MaxTime {
				value = string(jsonInt(nil, s.Time))
			}
		case outcome:
			if s.Outcome > physics.Ignored {
				value = s.Outcome.String()
			}
		case permit:
			if !isPermit(s.Permit) {
				value = string(jsonStr(nil, clip(string(s.Permit), 48)))
			}
		default:
			if v := s.get(f); !(v >= spec.lo && v <= spec.hi) {
				value = string(jsonFloat(nil, v))
			}
		}
		if value != "" {
			return &FieldError{Index: at, Field: spec.long, Value: value, Allowed: spec.allowed}
		}
	}
	if s.Has&telling == 0 {
		return emptySample(at)
	}
	return nil
}

func (s *Sample) get(f field) float64 {
	switch f {
	case latency:
		return s.LatencyMs
	case errorRate:
		return s.ErrorRate
	case saturation:
		return s.Saturation
	}
	return s.Voltage
}

// append encodes a sample that check has passed.
func (s *Sample) append(b *builder) {
	n := 0
	for f := latency; f < fields; f++ {
		if s.Has&f.bit() != 0 {
			n++
		}
	}
	b.open(n)
	for f := latency; f < fields; f++ {
		if s.Has&f.bit() == 0 {
			continue
		}
		// Short names for machines, long ones for people.
		name := specs[f].long
		if b.format == Msgpack {
			name = specs[f].short
		}
		switch f {
		case when:
			b.uint(name, uint64(s.Time))
		case outcome:
			b.str(name, s.Outcome.String())
		case permit:
			b.bytes(name, s.Permit)
		default:
			b.float(name, s.get(f))
		}
	}
	b.close()
}

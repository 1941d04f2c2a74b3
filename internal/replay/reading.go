package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/atrion-io/atrion/physics/classic"
)

// reading is a value where a number is expected: anything JSON can hold.
type reading struct {
	given bool // the member is there, be it null
	raw   json.RawMessage
}

// UnmarshalJSON keeps the value for later; what it may be depends on the field.
func (r *reading) UnmarshalJSON(b []byte) error {
	r.given, r.raw = true, bytes.Clone(b)
	return nil
}

func (r reading) String() string {
	if !r.given {
		return "missing"
	}
	return abbreviate(r.raw)
}

// number is the value of a JSON number; one too large for a float64 is an
// infinity, as in JavaScript.
func (r reading) number() (float64, bool) {
	if !r.given || r.raw[0] != '-' && (r.raw[0] < '0' || r.raw[0] > '9') {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(r.raw), 64)
	return v, err == nil || math.IsInf(v, 0)
}

// text is the value of a JSON string.
func (r reading) text() (s string, ok bool) {
	if !r.given || r.raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(r.raw, &s) == nil
}

// telemetry is the value as a reading of latency, errors or saturation, NaN
// where it counts as not given; ok is false for objects and arrays.
func (r reading) telemetry() (v float64, ok bool) {
	if v, ok := r.number(); ok {
		return v, true
	}
	if s, ok := r.text(); ok {
		return leadingNumber(s), true
	}
	return math.NaN(), !r.given || r.raw[0] != '{' && r.raw[0] != '['
}

// voltage is the value as a voltage, which may be one of the texts that stand
// for numbers JSON does not have. ok is false for anything else.
func (r reading) voltage() (v float64, ok bool) {
	if v, ok := r.number(); ok {
		return v, true
	}
	switch s, _ := r.text(); s {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	return 0, false
}

// maxTime is the largest time in ms whose nanoseconds fit an int64.
const maxTime = 9.2e12

// decode makes the law's input of c. volts stands for a voltage not given.
func (c *call) decode(volts float64) (in classic.Call, err error) {
	ms, ok := c.T.number()
	if !ok || !(ms >= -maxTime && ms <= maxTime) {
		return in, wrong("i.t", c.T.String(), fmt.Sprintf("a number of ms from %g to %g", -maxTime, maxTime))
	}
	in.Time = nanoseconds(ms)
	for _, f := range []struct {
		name string
		from reading
		to   *float64
	}{{"i.lat", c.Lat, &in.Latency}, {"i.err", c.Err, &in.ErrorRate}, {"i.sat", c.Sat, &in.Saturation}} {
		if *f.to, ok = f.from.telemetry(); !ok {
			return in, wrong(f.name, f.from.String(), "a number, or text, a boolean or null in place of one")
		}
	}
	in.Voltage = volts
	if s, _ := c.V.text(); c.V.given && s != "undefined" {
		if in.Voltage, ok = c.V.voltage(); !ok {
			return in, wrong("i.v", c.V.String(), `a number, "NaN", "Infinity", "-Infinity" or "undefined"`)
		}
	}
	return in, nil
}

// nanoseconds is ms to the nearest nanosecond. Whole milliseconds are exact:
// their product with 1e6 need not be, as a float64.
func nanoseconds(ms float64) int64 {
	whole := math.Floor(ms)
	return int64(whole)*1e6 + int64(math.Round((ms-whole)*1e6))
}

// leadingNumber is the number that s begins with, after white space, NaN where
// there is none: what JavaScript makes of text.
func leadingNumber(s string) float64 {
	s = strings.TrimSpace(s)
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	whole := digits()
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() && !whole {
			return math.NaN()
		}
	} else if !whole {
		return math.NaN()
	}
	if mantissa := i; i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			i = mantissa
		}
	}
	v, _ := strconv.ParseFloat(s[:i], 64) // out of range: an infinity
	return v
}

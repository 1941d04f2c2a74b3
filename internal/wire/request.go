package wire

import (
	"strconv"
	"unicode/utf8"
)

// Request asks for a decision. The zero value asks with the route's defaults.
type Request struct {
	Voltage   float64 // voltage, v: volts, over 0, at most 1e9; 0: not given
	Tier      string  // tier: a named voltage, 1..32 visible ASCII characters; "": not given
	Profile   string  // profile: 1..64 visible ASCII characters; "": not given
	Telemetry *Sample // telemetry: a sample to take in before deciding; nil: none
	Hold      bool    // hold: ask for a permit that telemetry ends
	Retry     int     // retry: the n-th try after the first, 0..MaxRetry
	Subject   string  // subject: who asks, 1..128 visible ASCII characters; "": not given
}

// MaxTier is the longest name of a tier, in bytes.
const MaxTier = 32

// MaxSubject is the longest name of a caller, in bytes.
const MaxSubject = 128

// MaxRetry is the highest number of a retry; the law counts the first ten.
const MaxRetry = 100

const (
	allowedRetry   = "0..100"
	allowedTier    = "1..32 visible ASCII characters"
	allowedProfile = "1..64 visible ASCII characters"
	allowedSubject = "1..128 visible ASCII characters"
)

// tiers are those that every node knows, so that decoding one makes no string.
var tiers = [...]string{"critical", "high", "normal", "low", "bulk"}

func tierOf(s []byte) string {
	for _, t := range tiers {
		if string(s) == t {
			return t
		}
	}
	return string(s)
}

func isTier(s []byte) bool    { return visible(s, MaxTier) }
func isProfile(s []byte) bool { return visible(s, MaxProfile) }
func isSubject(s []byte) bool { return visible(s, MaxSubject) }

// DecodeRequest reads a decision request into r: an empty message, or a map.
// After an error r is zero. A permit in the telemetry is part of data.
func DecodeRequest(data []byte, r *Request) error {
	*r = Request{}
	if len(data) == 0 {
		return nil
	}
	w, err := newWalker(data)
	if err == nil {
		err = w.request(r)
	}
	if err == nil {
		err = w.end()
	}
	if err != nil {
		*r = Request{}
	}
	return err
}

func (w *walker) request(r *Request) error {
	var seen [7]bool
	return w.fields(func(key []byte) (err error) {
		i, name := -1, ""
		switch string(key) {
		case "voltage", "v":
			i, name = 0, "voltage"
		case "tier":
			i, name = 1, "tier"
		case "profile":
			i, name = 2, "profile"
		case "telemetry":
			i, name = 3, "telemetry"
		case "hold":
			i, name = 4, "hold"
		case "retry":
			i, name = 5, "retry"
		case "subject":
			i, name = 6, "subject"
		default:
			return w.skip()
		}
		if seen[i] {
			return twice(-1, name)
		}
		seen[i] = true
		var s []byte
		switch i {
		case 0:
			spec := &specs[voltage]
			r.Voltage, err = w.float(-1, name, spec.lo, spec.hi, spec.allowed)
		case 1:
			s, err = w.text(-1, name, isTier, allowedTier)
			r.Tier = tierOf(s)
		case 2:
			s, err = w.text(-1, name, isProfile, allowedProfile)
			r.Profile = string(s)
		case 3:
			if k, start := w.kind(), w.pos; k != kindMap {
				if err := w.whole(k); err != nil {
					return err
				}
				return w.wrong(-1, name, "one sample, a map", start)
			}
			r.Telemetry = new(Sample)
			err = w.sample(0, r.Telemetry)
		case 4:
			r.Hold, err = w.flag(-1, name)
		case 5:
			var n uint64
			n, err = w.uint(-1, name, MaxRetry, allowedRetry)
			r.Retry = int(n)
		case 6:
			s, err = w.text(-1, name, isSubject, allowedSubject)
			r.Subject = string(s)
		}
		return err
	})
}

// fields reads a map, calling read to take the value of each key.
func (w *walker) fields(read func(key []byte) error) error {
	if err := w.enter(kindMap); err != nil {
		return err
	}
	for {
		ok, err := w.more(kindMap)
		if !ok || err != nil {
			return err
		}
		key, err := w.key()
		if err != nil {
			return err
		}
		if err := read(key); err != nil {
			return err
		}
	}
}

// AppendRequest appends the request to dst. What DecodeRequest would refuse is
// the same error here, and dst is returned as it was.
func AppendRequest(dst []byte, r *Request, format Format) ([]byte, error) {
	n := 0
	for _, given := range []bool{r.Voltage != 0, r.Tier != "", r.Profile != "", r.Telemetry != nil, r.Hold, r.Retry != 0, r.Subject != ""} {
		if given {
			n++
		}
	}
	b := builder{dst: dst, format: format}
	b.open(n)
	if v := r.Voltage; v != 0 {
		if spec := &specs[voltage]; !(v >= spec.lo && v <= spec.hi) {
			return dst, &FieldError{Index: -1, Field: spec.long, Value: string(jsonFloat(nil, v)), Allowed: spec.allowed}
		}
		b.float("voltage", v)
	}
	if r.Tier != "" {
		if !visible(r.Tier, MaxTier) {
			return dst, wrongText("tier", r.Tier, allowedTier)
		}
		b.str("tier", r.Tier)
	}
	if r.Profile != "" {
		if !visible(r.Profile, MaxProfile) {
			return dst, wrongText("profile", r.Profile, allowedProfile)
		}
		b.str("profile", r.Profile)
	}
	if r.Telemetry != nil {
		if err := r.Telemetry.check(0); err != nil {
			return dst, err
		}
		b.key("telemetry")
		r.Telemetry.append(&b)
	}
	if r.Hold {
		b.bool("hold", true)
	}
	if r.Retry != 0 {
		if r.Retry < 0 || r.Retry > MaxRetry {
			return dst, &FieldError{Index: -1, Field: "retry", Value: strconv.Itoa(r.Retry), Allowed: allowedRetry}
		}
		b.uint("retry", uint64(r.Retry))
	}
	if r.Subject != "" {
		if !visible(r.Subject, MaxSubject) {
			return dst, wrongText("subject", r.Subject, allowedSubject)
		}
		b.str("subject", r.Subject)
	}
	b.close()
	return b.dst, nil
}

func wrongText(field, value, allowed string) error {
	if !utf8.ValidString(value) {
		value = string([]rune(value)) // every odd byte becomes U+FFFD
	}
	return &FieldError{Index: -1, Field: field, Value: string(jsonStr(nil, clip(value, 48))), Allowed: allowed}
}

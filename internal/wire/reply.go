package wire

import (
	"math"
	"strconv"

	"github.com/atrion-io/atrion/physics"
)

// Reply is the answer to a Request.
type Reply struct {
	Allow        bool          // allow: V > R, and nothing else forbids
	Route        string        // route
	Resistance   float64       // resistance: ohms, the sum of Terms
	Mode         string        // mode: physics.Mode's name
	Reason       string        // reason: which rule decided
	Terms        physics.Terms // terms: {base, pressure, momentum, scar}, ohms
	Voltage      float64       // voltage: volts the request was judged by
	Capped       bool          // capped: the request bid more than its identity's quota allows
	Break        float64       // break: ohms at which the route trips; 0: none
	RetryAfterMs uint64        // retryAfterMs: when asking again may help; 0: now, or unknown
	Permit       string        // permit: to be ended by telemetry; "": none
	Node         string        // node: who answered
	Revision     uint64        // revision: of the route's state at that node
	Verdict      string        // verdict: what the reason would be if only the law had a say; "": the same
	Ban          Ban           // ban: that rejects the request, or would; zero: none
	Override     Override      // override: in force on the route; zero: none
}

// Ban is a ban as replies, lists and requests of operators have it.
type Ban struct {
	Route       string `json:"route,omitempty"`   // a name or a pattern; "": every route
	Subject     string `json:"subject,omitempty"` // who; "": everybody
	By          string `json:"by"`
	Reason      string `json:"reason"`
	ExpiresInMs uint64 `json:"expiresInMs"`
}

// Override is an override, likewise.
type Override struct {
	Route       string `json:"route"` // a name or a pattern
	Mode        string `json:"mode"`  // open, closed, disabled or shadow
	By          string `json:"by"`
	Reason      string `json:"reason"`
	ExpiresInMs uint64 `json:"expiresInMs"`
}

// ErrorReply answers a request that could not be answered with a decision. It
// is the error that decoding such an answer returns.
type ErrorReply struct {
	Code    int    // code: as in HTTP: 400 wrong, 404 unknown, 429 too much, 5xx the node's fault
	Text    string // error: one line
	Field   string // field, value, allowed: of a FieldError; "" otherwise
	Value   string
	Allowed string
}

// Error is the text.
func (e *ErrorReply) Error() string {
	return "wire: answered with error " + strconv.Itoa(e.Code) + ": " + e.Text
}

// maxText bounds the strings of replies. A client believes its node, but not
// without end.
const maxText = 1024

func isText(s []byte) bool { return len(s) <= maxText }

const (
	allowedText   = "a string of at most 1024 bytes"
	allowedFinite = "a finite number"
	allowedUint   = "an integer 0..2^64-1"
)

// AppendReply appends the reply to dst. Numbers must be finite: JSON has no
// others. A violation is a *FieldError, and dst is returned as it was.
func AppendReply(dst []byte, r *Reply, format Format) ([]byte, error) {
	for _, f := range [...]struct {
		name string
		v    float64
	}{
		{"resistance", r.Resistance}, {"base", r.Terms.Base}, {"pressure", r.Terms.Pressure},
		{"momentum", r.Terms.Momentum}, {"scar", r.Terms.Scar}, {"voltage", r.Voltage}, {"break", r.Break},
	} {
		if math.IsNaN(f.v) || math.IsInf(f.v, 0) {
			return dst, &FieldError{Index: -1, Field: f.name, Value: string(jsonFloat(nil, f.v)), Allowed: allowedFinite}
		}
	}
	b := builder{dst: dst, format: format}
	n := 11
	for _, there := range [...]bool{r.Capped, r.Permit != "", r.Verdict != "", r.Ban != Ban{}, r.Override != Override{}} {
		if there {
			n++
		}
	}
	b.open(n)
	b.bool("allow", r.Allow)
	b.str("route", r.Route)
	b.float("resistance", r.Resistance)
	b.str("mode", r.Mode)
	b.str("reason", r.Reason)
	b.key("terms")
	b.open(4)
	b.float("base", r.Terms.Base)
	b.float("pressure", r.Terms.Pressure)
	b.float("momentum", r.Terms.Momentum)
	b.float("scar", r.Terms.Scar)
	b.close()
	b.float("voltage", r.Voltage)
	if r.Capped {
		b.bool("capped", true)
	}
	b.float("break", r.Break)
	b.uint("retryAfterMs", r.RetryAfterMs)
	if r.Permit != "" {
		b.str("permit", r.Permit)
	}
	b.str("node", r.Node)
	b.uint("revision", r.Revision)
	if r.Verdict != "" {
		b.str("verdict", r.Verdict)
	}
	if r.Ban != (Ban{}) {
		b.key("ban")
		b.rule("subject", r.Ban.Subject, Override{Route: r.Ban.Route, By: r.Ban.By, Reason: r.Ban.Reason, ExpiresInMs: r.Ban.ExpiresInMs})
	}
	if r.Override != (Override{}) {
		b.key("override")
		b.rule("mode", r.Override.Mode, r.Override)
	}
	b.close()
	return b.dst, nil
}

// rule writes what bans and overrides have in common, and the one field that
// they have not.
func (b *builder) rule(key, value string, o Override) {
	b.open(5)
	b.str("route", o.Route)
	b.str(key, value)
	b.str("by", o.By)
	b.str("reason", o.Reason)
	b.uint("expiresInMs", o.ExpiresInMs)
	b.close()
}

// AppendError appends the error reply to dst.
func AppendError(dst []byte, e *ErrorReply, format Format) []byte {
	b := builder{dst: dst, format: format}
	n := 2
	if e.Field != "" {
		n = 5
	}
	b.open(n)
	b.uint("code", uint64(max(0, e.Code)))
	b.str("error", clip(e.Text, maxText-3))
	if e.Field != "" {
		b.str("field", clip(e.Field, maxText-3))
		b.str("value", clip(e.Value, maxText-3))
		b.str("allowed", clip(e.Allowed, maxText-3))
	}
	b.close()
	return b.dst
}

// DecodeReply reads the answer to a decision request into r. If it is an error
// reply, that is the error, an [*ErrorReply]. After any error r is zero.
// Fields that are not there are zero.
func DecodeReply(data []byte, r *Reply) error {
	*r = Reply{}
	w, err := newWalker(data)
	if err == nil && len(data) == 0 {
		err = w.bad("want a map")
	}
	var e ErrorReply
	if err == nil {
		err = w.reply(r, &e)
	}
	if err == nil {
		err = w.end()
	}
	if err == nil && (e.Text != "" || e.Code != 0) {
		err = &e
	}
	if err != nil {
		*r = Reply{}
	}
	return err
}

func (w *walker) finite(name string, dst *float64) (err error) {
	*dst, err = w.float(-1, name, -math.MaxFloat64, math.MaxFloat64, allowedFinite)
	return err
}

func (w *walker) short(name string, dst *string) error {
	s, err := w.text(-1, name, isText, allowedText)
	*dst = string(s)
	return err
}

func (w *walker) reply(r *Reply, e *ErrorReply) error {
	return w.fields(func(key []byte) (err error) {
		switch string(key) {
		case "allow":
			r.Allow, err = w.flag(-1, "allow")
		case "route":
			err = w.short("route", &r.Route)
		case "resistance":
			err = w.finite("resistance", &r.Resistance)
		case "mode":
			err = w.short("mode", &r.Mode)
		case "reason":
			err = w.short("reason", &r.Reason)
		case "terms":
			err = w.terms(&r.Terms)
		case "voltage":
			err = w.finite("voltage", &r.Voltage)
		case "capped":
			r.Capped, err = w.flag(-1, "capped")
		case "break":
			err = w.finite("break", &r.Break)
		case "retryAfterMs":
			r.RetryAfterMs, err = w.uint(-1, "retryAfterMs", math.MaxUint64, allowedUint)
		case "permit":
			err = w.short("permit", &r.Permit)
		case "node":
			err = w.short("node", &r.Node)
		case "revision":
			r.Revision, err = w.uint(-1, "revision", math.MaxUint64, allowedUint)
		case "verdict":
			err = w.short("verdict", &r.Verdict)
		case "ban":
			var o Override
			err = w.rule("ban", "subject", &r.Ban.Subject, &o)
			r.Ban.Route, r.Ban.By, r.Ban.Reason, r.Ban.ExpiresInMs = o.Route, o.By, o.Reason, o.ExpiresInMs
		case "override":
			err = w.rule("override", "mode", &r.Override.Mode, &r.Override)
		case "code":
			var n uint64
			n, err = w.uint(-1, "code", 999, "an integer 0..999")
			e.Code = int(n)
		case "error":
			err = w.short("error", &e.Text)
		case "field":
			err = w.short("field", &e.Field)
		case "value":
			err = w.short("value", &e.Value)
		case "allowed":
			err = w.short("allowed", &e.Allowed)
		default:
			err = w.skip()
		}
		return err
	})
}

// isMap returns nil if a map comes next.
func (w *walker) isMap(name string) error {
	k, start := w.kind(), w.pos
	if k == kindMap {
		return nil
	}
	if err := w.whole(k); err != nil {
		return err
	}
	return w.wrong(-1, name, "a map", start)
}

// rule reads what bans and overrides have in common, and the one field that they
// have not.
func (w *walker) rule(name, key string, value *string, o *Override) error {
	if err := w.isMap(name); err != nil {
		return err
	}
	return w.fields(func(k []byte) (err error) {
		switch string(k) {
		case "route":
			err = w.short("route", &o.Route)
		case key:
			err = w.short(key, value)
		case "by":
			err = w.short("by", &o.By)
		case "reason":
			err = w.short("reason", &o.Reason)
		case "expiresInMs":
			o.ExpiresInMs, err = w.uint(-1, "expiresInMs", math.MaxUint64, allowedUint)
		default:
			err = w.skip()
		}
		return err
	})
}

func (w *walker) terms(t *physics.Terms) error {
	if err := w.isMap("terms"); err != nil {
		return err
	}
	return w.fields(func(key []byte) error {
		switch string(key) {
		case "base":
			return w.finite("base", &t.Base)
		case "pressure":
			return w.finite("pressure", &t.Pressure)
		case "momentum":
			return w.finite("momentum", &t.Momentum)
		case "scar":
			return w.finite("scar", &t.Scar)
		}
		return w.skip()
	})
}

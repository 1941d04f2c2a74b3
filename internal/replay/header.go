package replay

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/tuner"
)

// header is the first line. Its members are read one by one, so that each can
// be named when it is wrong.
type header struct {
	Config         map[string]json.RawMessage `json:"config"`
	SLO            map[string]json.RawMessage `json:"slo"`
	Weights        map[string]json.RawMessage `json:"weights"`
	Baselines      map[string]json.RawMessage `json:"baselines"`
	AutoTuner      json.RawMessage            `json:"autoTuner"`
	FallbackBreak  json.RawMessage            `json:"fallbackBreak"`
	DefaultVoltage reading                    `json:"defaultVoltage"`
	Routes         []string                   `json:"routes"`
	I              json.RawMessage            `json:"i"`
	Op             json.RawMessage            `json:"op"`
}

// large bounds what a header may hold. It is far wider than what a law accepts
// from its users: recordings may be of configurations that made no sense.
const (
	large      = 1e12
	largeCount = 1_000_000_000
)

// defaultVoltage is the original's.
const defaultVoltage = 100

// newRunner reads the header.
func newRunner(text []byte) (*runner, error) {
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, fmt.Errorf("want a header: %w", malformed(err))
	}
	switch {
	case h.I != nil || h.Op != nil:
		return nil, fmt.Errorf(`want a header, an object with "config", "slo" and "autoTuner", before the first call`)
	case h.Config == nil:
		return nil, wrong("header: config", "missing", "an object")
	case h.SLO == nil:
		return nil, wrong("header: slo", "missing", "an object")
	case h.AutoTuner == nil:
		return nil, wrong("header: autoTuner", "missing", "an object or null")
	}

	c := classic.DefaultConfig()
	var f fields
	f.in("config", h.Config)
	f.number("baseResistance", &c.BaseResistance, 0, large)
	f.number("decayRate", &c.DecayRate, 0, large)
	f.number("scarFactor", &c.ScarFactor, 0, large)
	f.number("dampingFactor", &c.DampingFactor, 0, large)
	f.number("criticalPressure", &c.CriticalPressure, 0, large)
	f.number("breakMultiplier", &c.BreakMultiplier, 0, large)
	f.count("bootstrapTicks", &c.BootstrapTicks, 0)
	f.number("tanhScale", &c.TanhScale, 0, large)
	f.in("slo", h.SLO)
	f.number("baselineLatencyMs", &c.SLO.LatencyMs, 0, large)
	f.number("targetErrorRate", &c.SLO.ErrorRate, 0, large)
	if raw, given := h.SLO["criticality"]; given {
		f.in("slo.criticality", f.object("slo.criticality", raw))
		f.number("latency", &c.SLO.Criticality.Latency, 0, large)
		f.number("error", &c.SLO.Criticality.Error, 0, large)
		f.number("saturation", &c.SLO.Criticality.Saturation, 0, large)
	}
	if c.Tuned = string(h.AutoTuner) != "null"; c.Tuned {
		c.Tuner = tuner.DefaultConfig()
		f.in("autoTuner", f.object("autoTuner", h.AutoTuner))
		f.count("windowSize", &c.Tuner.Window, 1)
		f.number("sensitivity", &c.Tuner.Sensitivity, 0, large)
		f.number("minFloor", &c.Tuner.Floor, 0, large)
		f.number("hardCeiling", &c.Tuner.Ceiling, 0, large)
		f.count("warmupTicks", &c.Tuner.Warmup, 0)
		f.number("recoveryMultiplier", &c.Tuner.RecoveryMultiplier, 0, large)
		if h.FallbackBreak != nil && string(h.FallbackBreak) != "null" {
			f.in("", map[string]json.RawMessage{"fallbackBreak": h.FallbackBreak})
			f.number("fallbackBreak", &c.Tuner.FallbackBreak, 0, large)
		}
	}

	p := c.Params()
	f.in("weights", h.Weights)
	f.number("wLatency", &p.Weights.Latency, -large, large)
	f.number("wError", &p.Weights.Error, -large, large)
	f.number("wSaturation", &p.Weights.Saturation, -large, large)
	f.in("baselines", h.Baselines)
	f.number("latencyMs", &p.Baselines.LatencyMs, 0, large)
	f.number("errorRate", &p.Baselines.ErrorRate, 0, large)
	f.number("saturation", &p.Baselines.Saturation, 0, large)
	if f.err != nil {
		return nil, f.err
	}

	r := &runner{params: p, voltage: defaultVoltage, routes: make(map[string]*classic.Route)}
	if c.Tuned {
		r.tuner = new(tuner.State)
	}
	if h.DefaultVoltage.given {
		v, ok := h.DefaultVoltage.voltage()
		if !ok {
			return nil, wrong("header: defaultVoltage", h.DefaultVoltage.String(), "a number")
		}
		r.voltage = v
	}
	if len(h.Routes) == 1 {
		r.only = h.Routes[0]
	}
	return r, nil
}

// fields reads numbers from the members of one object after another and keeps
// the first error.
type fields struct {
	name    string
	members map[string]json.RawMessage
	err     error
}

func (f *fields) in(object string, members map[string]json.RawMessage) {
	f.name, f.members = object, members
}

func (f *fields) object(field string, raw json.RawMessage) (members map[string]json.RawMessage) {
	if json.Unmarshal(raw, &members) != nil || members == nil {
		f.fail(field, raw, "an object")
	}
	return members
}

func (f *fields) fail(field string, raw json.RawMessage, allowed string) {
	if f.err == nil {
		f.err = wrong("header: "+field, abbreviate(raw), allowed)
	}
}

// number sets v to the named member, if there is one.
func (f *fields) number(name string, v *float64, lo, hi float64) {
	raw, given := f.members[name]
	if !given {
		return
	}
	var x float64
	if raw[0] == '"' || string(raw) == "null" || json.Unmarshal(raw, &x) != nil || !(x >= lo && x <= hi) {
		f.fail(f.path(name), raw, fmt.Sprintf("a number from %g to %g", lo, hi))
		return
	}
	*v = x
}

// count sets n to the named member, if there is one.
func (f *fields) count(name string, n *int, lo int) {
	raw, given := f.members[name]
	if !given {
		return
	}
	var x float64
	if string(raw) == "null" || json.Unmarshal(raw, &x) != nil || x != math.Trunc(x) || !(x >= float64(lo) && x <= largeCount) {
		f.fail(f.path(name), raw, fmt.Sprintf("a whole number from %d to %d", lo, largeCount))
		return
	}
	*n = int(x)
}

func (f *fields) path(name string) string {
	if f.name == "" {
		return name
	}
	return f.name + "." + name
}

// abbreviate is raw as an error shows it.
func abbreviate(raw []byte) string {
	const most = 60
	if len(raw) > most {
		return string(raw[:most]) + "..."
	}
	return string(raw)
}

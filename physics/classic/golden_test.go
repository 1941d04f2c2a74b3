package classic

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/tuner"
)

// number reads the recorded numbers: JSON numbers, and the tagged strings for
// what JSON has no numbers for. set is false for null and a missing key, text
// is any other string, which only JavaScript takes for a number.
type number struct {
	v    float64
	set  bool
	text string
}

func (n *number) UnmarshalJSON(b []byte) error {
	*n = number{set: true}
	switch s := string(b); s {
	case `"NaN"`:
		n.v = math.NaN()
	case `"Infinity"`:
		n.v = math.Inf(1)
	case `"-Infinity"`:
		n.v = math.Inf(-1)
	case `"undefined"`, "null":
		n.set = false
	default:
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			n.v = v
			return nil
		}
		n.text = s
	}
	return nil
}

// or is the number, or def where it is missing.
func (n number) or(def float64) float64 {
	if n.set {
		return n.v
	}
	return def
}

// telemetry is what the original makes of n as a reading: absent values are 0,
// and text counts by its numeric prefix.
func (n number) telemetry() float64 {
	if n.text == "" {
		return n.or(math.NaN())
	}
	var s string
	if json.Unmarshal([]byte(n.text), &s) != nil {
		return math.NaN() // true, false
	}
	s = strings.TrimSpace(s)
	for end := len(s); end > 0; end-- {
		if v, err := strconv.ParseFloat(s[:end], 64); err == nil {
			return v
		}
	}
	return math.NaN()
}

type configJSON struct {
	BaseResistance, DecayRate, ScarFactor, DampingFactor, CriticalPressure, BreakMultiplier float64
	BootstrapTicks                                                                          int
	MinDeltaT, TanhScale                                                                    float64
}

type sloJSON struct {
	BaselineLatencyMs, TargetErrorRate float64
	Criticality                        Vector
}

type tunerJSON struct {
	WindowSize                         int
	Sensitivity, MinFloor, HardCeiling float64
	WarmupTicks                        int
	RecoveryMultiplier                 float64
}

type header struct {
	Name           string
	Ticks          int
	Routes         []string
	Config         configJSON
	SLO            sloJSON
	AutoTuner      *tunerJSON
	FallbackBreak  *float64
	DefaultVoltage float64
}

func (c configJSON) config(s sloJSON) Config {
	return Config{
		BaseResistance:   c.BaseResistance,
		DecayRate:        c.DecayRate,
		ScarFactor:       c.ScarFactor,
		DampingFactor:    c.DampingFactor,
		CriticalPressure: c.CriticalPressure,
		BreakMultiplier:  c.BreakMultiplier,
		BootstrapTicks:   c.BootstrapTicks,
		TanhScale:        c.TanhScale,
		SLO:              SLO{LatencyMs: s.BaselineLatencyMs, ErrorRate: s.TargetErrorRate, Criticality: s.Criticality},
	}
}

func (h header) config() Config {
	c := h.Config.config(h.SLO)
	if h.AutoTuner != nil {
		c.Tuned = true
		c.Tuner = h.AutoTuner.config(*h.FallbackBreak)
	}
	return c
}

func (t tunerJSON) config(fallback float64) tuner.Config {
	return tuner.Config{
		Window:             t.WindowSize,
		Sensitivity:        t.Sensitivity,
		Floor:              t.MinFloor,
		Ceiling:            t.HardCeiling,
		Warmup:             t.WarmupTicks,
		RecoveryMultiplier: t.RecoveryMultiplier,
		FallbackBreak:      fallback,
	}
}

type tickInput struct {
	T, Lat, Err, Sat, V number
	ID                  string
}

type tickOutput struct {
	P           [3]number
	M, S, R     number
	Mode        string
	Mean, SD, N number
	BP, RP      number
	Allow       bool
}

type tick struct {
	I  tickInput
	O  *tickOutput
	Op string
	ID string
}

// call is the tick as the law takes it.
func (k tick) call(h header) Call {
	return Call{
		Time:       int64(k.I.T.v) * 1e6,
		Latency:    k.I.Lat.telemetry(),
		ErrorRate:  k.I.Err.telemetry(),
		Saturation: k.I.Sat.telemetry(),
		Voltage:    k.I.V.or(h.DefaultVoltage),
	}
}

// sequences are the recorded files, by name.
func sequences(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/[0-9]*.jsonl")
	if err != nil || len(files) != 16 {
		t.Fatalf("%d recorded sequences, want 16 (%v)", len(files), err)
	}
	return files
}

func readSequence(t testing.TB, file string) (h header, ticks []tick) {
	t.Helper()
	for i, line := range readLines(t, file) {
		if i == 0 {
			if err := json.Unmarshal(line, &h); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			continue
		}
		var k tick
		if err := json.Unmarshal(line, &k); err != nil {
			t.Fatalf("%s:%d: %v", file, i+1, err)
		}
		ticks = append(ticks, k)
	}
	return h, ticks
}

func readLines(t testing.TB, file string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		lines = append(lines, bytes.Clone(sc.Bytes()))
	}
	return lines
}

const tolerance = 1e-12

// near reports whether got equals want to 1e-12 of want or of floor,
// whichever is larger; NaN equals NaN, an infinity itself.
func near(got, want, floor float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return got == want || math.IsNaN(want) && math.IsNaN(got)
	}
	return math.Abs(got-want) <= tolerance*max(math.Abs(want), floor)
}

var modeLetters = map[physics.Mode]string{
	physics.Bootstrap:      "B",
	physics.Operational:    "O",
	physics.CircuitBreaker: "C",
}

// Absolute floors of the relative tolerance: of ohms and pressures, and of
// momenta. A momentum is a difference of pressures, so it has their last bits
// as its error however small it is: with the tanh of package math it stays
// within 1e-18, with that of vec, good to 2 units in the last place, it needs
// ten times that.
const (
	ohmsFloor       = 1e-3
	rateFloor       = 1e-6
	kernelRateFloor = 1e-5
)

// compare lists what of a tick's outcome differs from the record.
func (o *tickOutput) compare(p *Params, r *Route, t *tuner.State, allow bool, rate float64) (diffs []string) {
	number := func(field string, got, want, floor float64) {
		if !near(got, want, floor) {
			diffs = append(diffs, fmt.Sprintf("%s = %v, recorded %v", field, got, want))
		}
	}
	const ohms = ohmsFloor
	number("p.latency", r.Pressure.Latency, o.P[0].v, ohms)
	number("p.error", r.Pressure.Error, o.P[1].v, ohms)
	number("p.saturation", r.Pressure.Saturation, o.P[2].v, ohms)
	if o.M.set {
		number("m", r.Momentum, o.M.v, rate)
	} else if r.Mode != physics.Bootstrap {
		diffs = append(diffs, "momentum recorded as null outside bootstrap")
	}
	number("s", r.Scar, o.S.v, ohms)
	number("r", r.Resistance, o.R.v, ohms)
	if got := modeLetters[r.Mode]; got != o.Mode {
		diffs = append(diffs, fmt.Sprintf("mode = %s, recorded %s", got, o.Mode))
	}
	if o.Mean.set != (t != nil) {
		diffs = append(diffs, "tuner on and off do not agree")
	} else if t != nil {
		number("mean", t.Mean, o.Mean.v, ohms)
		number("sd", t.StdDev(), o.SD.v, ohms)
		number("n", float64(t.Samples), o.N.v, 0)
	}
	bp, rp := p.Limits(t)
	number("bp", bp, o.BP.v, ohms)
	number("rp", rp, o.RP.v, ohms)
	if allow != o.Allow {
		diffs = append(diffs, fmt.Sprintf("allow = %v, recorded %v", allow, o.Allow))
	}
	return diffs
}

// TestStepSequences replays the 16 recorded sequences through the scalar law.
func TestStepSequences(t *testing.T) {
	total := 0
	for _, file := range sequences(t) {
		h, ticks := readSequence(t, file)
		t.Run(h.Name, func(t *testing.T) {
			p := h.config().Params()
			var shared *tuner.State
			if p.Tuned {
				shared = new(tuner.State)
			}
			routes := map[string]*Route{}
			n := 0
			for i, k := range ticks {
				if k.Op == "reset" {
					delete(routes, k.ID)
					continue
				}
				r := routes[k.I.ID]
				if r == nil {
					r = new(Route)
					routes[k.I.ID] = r
				}
				d := p.Step(r, shared, k.call(h))
				if k.O == nil {
					continue
				}
				n++
				if diffs := k.O.compare(&p, r, shared, d.Allow, rateFloor); diffs != nil {
					t.Fatalf("line %d: %s", i+2, strings.Join(diffs, "; "))
				}
			}
			if n != h.Ticks {
				t.Errorf("%d ticks compared, header says %d", n, h.Ticks)
			}
			total += n
		})
	}
	if !t.Failed() && total != 5580 {
		t.Errorf("%d ticks compared in all, want 5580", total)
	}
}

// TestWindTunnel replays the 18 deterministic experiments of the original's
// laboratory. Sixteen give inputs and outcomes as columns (tick i at i*dt, from
// a bootstrap state of zero pressure at 0), one as rows with a clock, one as
// rows of 100 ms with a tuner.
func TestWindTunnel(t *testing.T) {
	data, err := os.ReadFile("testdata/windtunnel.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Traces []struct {
			Name    string
			Config  configJSON
			SLO     sloJSON
			Input   [][3]float64
			R, M, S []number
			Mode    string
			Columns []string
			Rows    [][]number
		}
	}
	// Row cells hold numbers and mode letters; a letter decodes as text.
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Traces) != 18 {
		t.Fatalf("%d traces, want 18", len(file.Traces))
	}
	ticks := 0
	for _, tr := range file.Traces {
		t.Run(tr.Name, func(t *testing.T) {
			c := tr.Config.config(tr.SLO)
			var shared *tuner.State
			if tr.Name == "autotuner_deterministic" {
				c = DefaultConfig()
				c.SLO.LatencyMs = 50
				c.Tuner = tuner.Config{Window: 20, Sensitivity: 3, Floor: 20, Ceiling: 200, Warmup: 10, RecoveryMultiplier: 0.5, FallbackBreak: 100}
				shared = new(tuner.State)
			}
			p := c.Params()
			// Bring both forms into one: rows of named cells.
			type row map[string]number
			var rows []row
			for i, in := range tr.Input {
				rows = append(rows, row{
					"now": {v: float64(i+1) * tr.Config.MinDeltaT, set: true},
					"lat": {v: in[0]}, "err": {v: in[1]}, "sat": {v: in[2]},
					"R": tr.R[i], "M": tr.M[i], "S": tr.S[i], "mode": {text: strconv.Quote(tr.Mode[i : i+1])},
				})
			}
			for i, cells := range tr.Rows {
				r := row{"now": {v: float64(i+1) * 100, set: true}}
				for j, column := range tr.Columns {
					r[column] = cells[j]
				}
				rows = append(rows, r)
			}
			r := p.bootstrap(Vector{}, 0)
			for i, want := range rows {
				pressure := Pressure(want["lat"].v, want["err"].v, want["sat"].v, p.Baselines, p.TanhScale)
				p.Update(&r, shared, pressure, int64(want["now"].v*1e6))
				got := map[string]float64{"R": r.Resistance, "M": r.Momentum, "S": r.Scar}
				if shared != nil {
					got["mu"], got["sigma"] = shared.Mean, shared.StdDev()
					got["break"], got["recovery"] = p.Limits(shared)
				}
				for name, v := range got {
					w, recorded := want[name]
					floor := 1e-3
					if name == "M" {
						floor = 1e-6
					}
					if recorded && !near(v, w.or(0), floor) {
						t.Fatalf("tick %d: %s = %v, recorded %v", i, name, v, w.v)
					}
				}
				if m := strconv.Quote(modeLetters[r.Mode]); m != want["mode"].text {
					t.Fatalf("tick %d: mode %s, recorded %s", i, m, want["mode"].text)
				}
				ticks++
			}
		})
	}
	if !t.Failed() && ticks != 1625 {
		t.Errorf("%d ticks compared in all, want 1625", ticks)
	}
}

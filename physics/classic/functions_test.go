package classic

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/tuner"
)

// tally is how many recorded cases of a function are run and how many are not.
type tally struct{ run, skip int }

// functionTallies are the cases of testdata/functions.jsonl by function. A case
// is skipped where its input exists only in JavaScript (text, booleans or big
// integers where a number belongs) and where the function does: its README
// says why, function by function. Nothing may move between the columns unseen.
var functionTallies = map[string]tally{
	"AutoTuner":                  {11, 0},
	"DEFAULT_AUTOTUNER_CONFIG":   {1, 0},
	"DEFAULT_CONFIG":             {1, 0},
	"DEFAULT_SLO":                {1, 0},
	"Scenarios.oscillating":      {0, 15},
	"Scenarios.ramp":             {0, 15},
	"Scenarios.recovery":         {0, 15},
	"Scenarios.silence":          {0, 15},
	"Scenarios.spike":            {0, 15},
	"Scenarios.sustained":        {0, 15},
	"VectorMath.add":             {12, 0},
	"VectorMath.clamp":           {20, 0},
	"VectorMath.divide":          {17, 0},
	"VectorMath.dot":             {80, 0},
	"VectorMath.magnitude":       {48, 0},
	"VectorMath.scale":           {12, 0},
	"VectorMath.scaleComponents": {12, 0},
	"VectorMath.subtract":        {12, 0},
	"VectorMath.sum":             {12, 0},
	"calculateMomentum":          {100, 0},
	"calculateProfilePressure":   {52, 0},
	"calculateResistance":        {149, 0},
	"calculateStaleness":         {30, 0},
	"clampResistance":            {22, 0},
	"clampToZero":                {21, 0},
	"cleanScar":                  {16, 0},
	"consoleObserver":            {0, 3},
	"constants":                  {1, 0},
	"createBootstrapState":       {6, 0},
	"decideFlow":                 {24, 0},
	"deriveBaselines":            {2, 0},
	"deriveReason":               {27, 0},
	"deriveWeights":              {12, 0},
	"floatEquals":                {5, 0},
	"getProfileConfig":           {5, 0},
	"isSafeNumber":               {19, 8},
	"isValidPressure":            {16, 0},
	"isValidPressureVector":      {6, 0},
	"normalize":                  {303, 24},
	"normalizeTelemetry":         {40, 0},
	"normalizeZero":              {16, 0},
	"requiresAbortController":    {5, 0},
	"requiresHeartbeat":          {5, 0},
	"runSimulation":              {1, 0},
	"safeClamp":                  {16, 0},
	"safeDeltaT":                 {6, 0},
	"safeDivide":                 {112, 0},
	"safeExp":                    {76, 0},
	"safeTanh":                   {56, 0},
	"sanitizePositive":           {19, 8},
	"sanitizePressure":           {19, 8},
	"sanitizeVector":             {4, 0},
	"selectRoute":                {60, 0},
	"toSafeNumber":               {19, 10},
	"updatePhysics":              {80, 0},
	"updateScar":                 {220, 0},
}

type vectorJSON struct{ Latency, Error, Saturation number }

func (v vectorJSON) vector() Vector { return Vector{v.Latency.v, v.Error.v, v.Saturation.v} }

type weightsJSON struct{ WLatency, WError, WSaturation number }

func (w weightsJSON) vector() Vector { return Vector{w.WLatency.v, w.WError.v, w.WSaturation.v} }

type baselinesJSON struct{ LatencyMs, ErrorRate, Saturation float64 }

// partial is any subset of the original's configuration.
type partial struct {
	BaseResistance, DecayRate, ScarFactor, DampingFactor, CriticalPressure number
}

func (p partial) config() *Config {
	return &Config{
		BaseResistance:   p.BaseResistance.v,
		DecayRate:        p.DecayRate.v,
		ScarFactor:       p.ScarFactor.v,
		DampingFactor:    p.DampingFactor.v,
		CriticalPressure: p.CriticalPressure.v,
	}
}

type stateJSON struct {
	Mode                       string
	Pressure, PreviousPressure json.RawMessage
	Momentum                   number
	ScarTissue, Resistance     float64
	TickCount                  uint64
	LastUpdatedAt              float64
}

var modesByName = map[string]physics.Mode{
	"BOOTSTRAP":       physics.Bootstrap,
	"OPERATIONAL":     physics.Operational,
	"CIRCUIT_BREAKER": physics.CircuitBreaker,
}

var profilesByName = map[string]Profile{
	"LIGHT": Light, "STANDARD": Standard, "HEAVY": Heavy, "EXTREME": Extreme, "CUSTOM": Custom,
}

// functionCase is one line of the record.
type functionCase struct {
	Fn    string
	In    []json.RawMessage
	Out   json.RawMessage
	Picks []struct {
		U    float64
		Pick *int
	}
	Before, AfterReset json.RawMessage
}

// into decodes the i-th argument.
func into[T any](t testing.TB, raw json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// TestFunctions runs the recorded cases of the original's functions.
func TestFunctions(t *testing.T) {
	got := map[string]tally{}
	total := tally{}
	for i, line := range readLines(t, "testdata/functions.jsonl") {
		if i == 0 {
			continue
		}
		c := into[functionCase](t, line)
		n := got[c.Fn]
		ran, err := c.run(t)
		if err != nil {
			t.Errorf("line %d: %s%s: %v", i+1, c.Fn, c.In, err)
		}
		if ran {
			n.run++
			total.run++
		} else {
			n.skip++
			total.skip++
		}
		got[c.Fn] = n
	}
	for fn, want := range functionTallies {
		if got[fn] != want {
			t.Errorf("%s: %d cases run and %d skipped, want %d and %d", fn, got[fn].run, got[fn].skip, want.run, want.skip)
		}
	}
	for fn, n := range got {
		if _, known := functionTallies[fn]; !known {
			t.Errorf("%q: {%d, %d},", fn, n.run, n.skip)
		}
	}
	t.Logf("%d cases of %d functions run, %d skipped", total.run, len(got), total.skip)
}

// unary are the functions of one number to one number.
var unary = map[string]func(float64) float64{
	"sanitizePressure": SafePressure,
	"safeTanh":         SafeTanh,
	"clampToZero":      ClampToZero,
	"normalizeZero":    PositiveZero,
	"cleanScar":        CleanScar,
}

// scalar are the other functions of numbers to one number.
var scalar = map[string]func(in []float64) float64{
	"normalize":          func(in []float64) float64 { return Normalize(in[0], in[1], in[2]) },
	"toSafeNumber":       func(in []float64) float64 { return Safe(in[0], in[1]) },
	"sanitizePositive":   func(in []float64) float64 { return SafePositive(in[0], in[1]) },
	"safeClamp":          func(in []float64) float64 { return SafeClamp(in[0], in[1], in[2]) },
	"safeExp":            func(in []float64) float64 { return SafeExp(in[0], in[1]) },
	"clampResistance":    func(in []float64) float64 { return ClampResistance(in[0], in[1]) },
	"safeDivide":         func(in []float64) float64 { return SafeDivide(in[0], in[1], in[2]) },
	"safeDeltaT":         func(in []float64) float64 { return SafeDeltaT(in[0], in[1], in[2]) },
	"calculateStaleness": func(in []float64) float64 { return Staleness(in[0], in[1], in[2]) },
}

// defaults are the values an argument that is not given stands for.
var defaults = map[string]float64{"calculateStaleness": DefaultStalenessRate}

// run runs the case. ran is false where it cannot be run in Go, err says how
// the outcome differs from the record.
func (c functionCase) run(t testing.TB) (ran bool, err error) {
	num := func(i int) number { return into[number](t, c.In[i]) }
	vec := func(i int) Vector { return into[vectorJSON](t, c.In[i]).vector() }
	out := func() number { return into[number](t, c.Out) }
	outVec := func() Vector { return into[vectorJSON](t, c.Out).vector() }

	if f := unary[c.Fn]; f != nil {
		if num(0).text != "" {
			return false, nil
		}
		return true, same(f(num(0).or(math.NaN())), out().v)
	}
	if f := scalar[c.Fn]; f != nil {
		in := make([]float64, len(c.In))
		for i := range c.In {
			n := num(i)
			if n.text != "" {
				return false, nil
			}
			// Undefined and null are NaN in Go, unless the function has
			// a default for them.
			def, optional := defaults[c.Fn]
			if !optional {
				def = math.NaN()
			}
			in[i] = n.or(def)
		}
		return true, same(f(in), out().v)
	}

	switch c.Fn {
	case "DEFAULT_CONFIG", "DEFAULT_SLO", "DEFAULT_AUTOTUNER_CONFIG":
		d := DefaultConfig()
		var got, want any
		switch c.Fn {
		case "DEFAULT_CONFIG":
			want = into[configJSON](t, c.Out)
			got = configJSON{d.BaseResistance, d.DecayRate, d.ScarFactor, d.DampingFactor, d.CriticalPressure, d.BreakMultiplier, d.BootstrapTicks, 100, d.TanhScale}
		case "DEFAULT_SLO":
			want = into[sloJSON](t, c.Out)
			got = sloJSON{d.SLO.LatencyMs, d.SLO.ErrorRate, d.SLO.Criticality}
		default:
			want = into[tunerJSON](t, c.Out).config(100)
			got = d.Tuner
		}
		return true, equal(got, want)
	case "constants":
		got := map[string]float64{
			"PHYSICS_EPSILON": NoiseFloor, "MIN_SIGNIFICANT_CHANGE": MinSignificantChange, "MAX_SAFE_RESISTANCE": MaxResistance,
			"MIN_DELTA_T": MinDeltaT, "EPSILON_guards": Epsilon, "EPSILON_floatEquals": EqualTolerance,
		}
		return true, equal(fmt.Sprint(got), fmt.Sprint(into[map[string]float64](t, c.Out)))
	case "normalizeTelemetry":
		b := Baselines(into[baselinesJSON](t, c.In[3]))
		return true, sameVector(Pressure(num(0).v, num(1).v, num(2).v, b, num(4).v), outVec())
	case "isValidPressure":
		return true, equal(IsPressure(num(0).v), into[bool](t, c.Out))
	case "isValidPressureVector":
		return true, equal(vec(0).IsPressure(), into[bool](t, c.Out))
	case "isSafeNumber":
		if num(0).text != "" {
			return false, nil
		}
		return true, equal(Finite(num(0).or(math.NaN())), into[bool](t, c.Out))
	case "floatEquals":
		return true, equal(Equal(num(0).v, num(1).v), into[bool](t, c.Out))
	case "sanitizeVector":
		return true, sameVector(vec(0).Sanitize(), outVec())
	case "VectorMath.magnitude":
		return true, same(vec(0).Magnitude(), out().v)
	case "VectorMath.dot":
		return true, same(vec(0).Dot(vec(1)), out().v)
	case "VectorMath.sum":
		return true, same(vec(0).Sum(), out().v)
	case "VectorMath.add":
		return true, sameVector(vec(0).Add(vec(1)), outVec())
	case "VectorMath.subtract":
		return true, sameVector(vec(0).Sub(vec(1)), outVec())
	case "VectorMath.scale":
		return true, sameVector(vec(0).Scale(num(1).v), outVec())
	case "VectorMath.divide":
		return true, sameVector(vec(0).Divide(num(1).v), outVec())
	case "VectorMath.scaleComponents":
		return true, sameVector(vec(0).Multiply(into[weightsJSON](t, c.In[1]).vector()), outVec())
	case "VectorMath.clamp":
		return true, sameVector(vec(0).Clamp(), outVec())
	case "calculateMomentum":
		return true, same(Momentum(vec(0), vec(1), num(2).v), out().v)
	case "updateScar":
		config := into[partial](t, c.In[2]).config()
		return true, same(config.Scar(num(0).v, vec(1), num(3).v), out().v)
	case "calculateResistance":
		config := into[partial](t, c.In[4]).config()
		w := into[weightsJSON](t, c.In[3]).vector()
		return true, same(config.Resistance(vec(0), num(1).v, num(2).v, w, num(5).or(0)), out().v)
	case "createBootstrapState":
		now := int64(num(3).v) * 1e6
		r := into[partial](t, c.In[2]).config().bootstrap(vec(1), now)
		return true, sameRoute(t, r, into[stateJSON](t, c.Out))
	case "updatePhysics":
		p := into[configJSON](t, c.In[3]).config(sloJSON{}).Params()
		p.Weights = into[weightsJSON](t, c.In[2]).vector()
		r := into[stateJSON](t, c.In[0]).route(t)
		p.Update(&r, nil, vec(1), int64(num(4).v)*1e6)
		return true, sameRoute(t, r, into[stateJSON](t, c.Out))
	case "deriveWeights":
		return true, sameVector(Weights(vec(0)), into[weightsJSON](t, c.Out).vector())
	case "deriveBaselines":
		in := into[sloJSON](t, c.In[0])
		got := SLO{LatencyMs: in.BaselineLatencyMs, ErrorRate: in.TargetErrorRate, Criticality: in.Criticality}.Baselines()
		return true, equal(got, Baselines(into[baselinesJSON](t, c.Out)))
	case "decideFlow":
		route := into[struct {
			Mode       string
			Resistance float64
		}](t, c.In[1])
		want := into[struct{ Type, Reason string }](t, c.Out)
		allow, reason := Flow(modesByName[route.Mode], num(0).v, route.Resistance)
		got := map[physics.Reason]string{physics.Allowed: "", physics.InsufficientVoltage: "INSUFFICIENT_VOLTAGE", physics.Tripped: "CIRCUIT_OPEN"}[reason]
		return true, equal(fmt.Sprint(allow, got), fmt.Sprint(want.Type == "PASS", want.Reason))
	case "deriveReason":
		// The record is a sentence with its numbers rounded; the product
		// has the reason as a value, and it is the value that is compared.
		_, reason := Flow(modesByName[into[string](t, c.In[0])], num(1).v, num(2).v)
		prefix := map[physics.Reason]string{physics.Allowed: "OK", physics.InsufficientVoltage: "Insufficient voltage: V=", physics.Tripped: "Circuit breaker open"}[reason]
		want := into[string](t, c.Out)
		if len(want) < len(prefix) || want[:len(prefix)] != prefix {
			return true, fmt.Errorf("%v, recorded %q", reason, want)
		}
		return true, nil
	case "selectRoute":
		return true, c.selectRoute(t)
	case "getProfileConfig", "requiresAbortController", "requiresHeartbeat":
		spec := profilesByName[into[string](t, c.In[0])].Spec()
		switch c.Fn {
		case "requiresAbortController":
			return true, equal(spec.Abortable, into[bool](t, c.Out))
		case "requiresHeartbeat":
			return true, equal(spec.Heartbeat > 0, into[bool](t, c.Out))
		}
		type specJSON struct {
			BaselineLatencyMs, MaxDurationMs float64
			HeartbeatRequired                bool
			HeartbeatIntervalMs              float64
			ScarMultiplier                   float64
		}
		ms := func(d time.Duration) float64 { return float64(d.Milliseconds()) }
		got := specJSON{spec.LatencyMs, ms(spec.MaxDuration), spec.Heartbeat > 0, ms(spec.Heartbeat), spec.ScarMultiplier}
		return true, equal(got, into[specJSON](t, c.Out))
	case "calculateProfilePressure":
		return true, same(profilesByName[into[string](t, c.In[1])].Pressure(num(0).v), out().v)
	case "AutoTuner":
		return true, c.tuner(t)
	case "runSimulation":
		return true, c.simulation(t)
	}
	return false, nil
}

func (c functionCase) selectRoute(t testing.TB) error {
	var routes []Conductor
	for _, raw := range into[[][2]json.RawMessage](t, c.In[0]) {
		routes = append(routes, Conductor{modesByName[into[string](t, raw[0])], into[float64](t, raw[1])})
	}
	beta := into[float64](t, c.In[1])
	want := into[struct{ Probabilities []number }](t, c.Out).Probabilities
	got := Probabilities(nil, routes, beta)
	if len(got) != len(want) {
		return fmt.Errorf("%d probabilities, recorded %d", len(got), len(want))
	}
	for i := range want {
		if err := same(got[i], want[i].v); err != nil {
			return fmt.Errorf("probability %d: %w", i, err)
		}
	}
	for _, p := range c.Picks {
		pick := -1
		if p.Pick != nil {
			pick = *p.Pick
		}
		if got := SelectRoute(routes, beta, p.U); got != pick {
			return fmt.Errorf("u=%v picks %d, recorded %d", p.U, got, pick)
		}
	}
	return nil
}

func (c functionCase) tuner(t testing.TB) error {
	config := tunerJSON{WindowSize: 100, Sensitivity: 3, MinFloor: 30, HardCeiling: 500, WarmupTicks: 50, RecoveryMultiplier: 0.5}
	if err := json.Unmarshal(c.In[0], &config); err != nil {
		return err
	}
	k := config.config(into[number](t, c.In[1]).or(100))
	type summary struct {
		Mean, StdDev, SampleCount number
		IsWarmedUp                bool
		BreakPoint, RecoveryPoint number
	}
	check := func(s *tuner.State, want summary) error {
		for _, x := range []struct{ got, want float64 }{
			{s.Mean, want.Mean.v}, {s.StdDev(), want.StdDev.v}, {float64(s.Samples), want.SampleCount.v},
			{k.Break(s), want.BreakPoint.v}, {k.Recover(s), want.RecoveryPoint.v},
		} {
			if !near(x.got, x.want, 1e-3) {
				return fmt.Errorf("%v, recorded %v", x.got, x.want)
			}
		}
		return equal(k.Warm(s), want.IsWarmedUp)
	}
	var s tuner.State
	for _, raw := range []json.RawMessage{c.Before, c.AfterReset} {
		if err := check(&s, into[summary](t, raw)); err != nil {
			return fmt.Errorf("with no sample: %w", err)
		}
	}
	rows := into[[][8]json.RawMessage](t, c.Out)
	for i, x := range into[[]number](t, c.In[2]) {
		k.Observe(&s, x.v)
		row := rows[i]
		n := func(j int) number { return into[number](t, row[j]) }
		want := summary{n(0), n(1), n(2), into[bool](t, row[3]), n(4), n(5)}
		if err := check(&s, want); err != nil {
			return fmt.Errorf("observation %d: %w", i, err)
		}
		if err := equal([2]bool{k.Trips(&s, x.v), k.Recovers(&s, x.v)}, [2]bool{into[bool](t, row[6]), into[bool](t, row[7])}); err != nil {
			return fmt.Errorf("observation %d: %w", i, err)
		}
	}
	return nil
}

// simulation runs the one recorded scenario: latency 50 ms throughout, an error
// rate of 0.8 in ticks 20 to 29, counted from 1, ticks minDeltaT apart.
func (c functionCase) simulation(t testing.TB) error {
	in := into[struct {
		DurationTicks int
		Config        configJSON
		SLO           sloJSON
		Scenario      string
	}](t, c.In[0])
	if err := equal(in.Scenario, "compose(sustained(50), spike(20,30,0.8,0), sustained(0))"); err != nil {
		return err
	}
	p := in.Config.config(in.SLO).Params()
	r := p.bootstrap(Vector{}, 0)
	rows := into[[][5]json.RawMessage](t, c.Out)
	for i := range in.DurationTicks {
		errorRate := 0.0
		if tick := i + 1; tick >= 20 && tick < 30 {
			errorRate = 0.8
		}
		p.Update(&r, nil, Pressure(50, errorRate, 0, p.Baselines, p.TanhScale), int64(float64(i+1)*in.Config.MinDeltaT*1e6))
		for j, got := range []float64{float64(r.Ticks), r.Resistance, r.Momentum, r.Scar} {
			if want := into[number](t, rows[i][j]); !near(got, want.v, 1e-6) {
				return fmt.Errorf("tick %d: %v, recorded %s", i, got, rows[i])
			}
		}
		if err := equal(r.Mode, modesByName[into[string](t, rows[i][4])]); err != nil {
			return fmt.Errorf("tick %d: %w", i, err)
		}
	}
	return nil
}

func (s stateJSON) route(t testing.TB) Route {
	r := Route{
		Known:      true,
		Mode:       modesByName[s.Mode],
		Pressure:   into[vectorJSON](t, s.Pressure).vector(),
		Momentum:   s.Momentum.or(0),
		Scar:       s.ScarTissue,
		Resistance: s.Resistance,
		Ticks:      s.TickCount,
		Last:       int64(s.LastUpdatedAt) * 1e6,
	}
	if string(s.PreviousPressure) != `"undefined"` {
		r.Previous = into[vectorJSON](t, s.PreviousPressure).vector()
	}
	return r
}

func sameRoute(t testing.TB, got Route, out stateJSON) error {
	want := out.route(t)
	for _, x := range []struct {
		what      string
		got, want float64
	}{
		{"momentum", got.Momentum, want.Momentum}, {"scar", got.Scar, want.Scar}, {"resistance", got.Resistance, want.Resistance},
	} {
		if err := same(x.got, x.want); err != nil {
			return fmt.Errorf("%s: %w", x.what, err)
		}
	}
	got.Momentum, got.Scar, got.Resistance = want.Momentum, want.Scar, want.Resistance
	return equal(got, want)
}

// same compares numbers to 1e-12 of the record, zeros with their sign.
func same(got, want float64) error {
	if want == 0 && (got != 0 || math.Signbit(got) != math.Signbit(want)) || !near(got, want, 0) {
		return fmt.Errorf("%v, recorded %v", got, want)
	}
	return nil
}

func sameVector(got, want Vector) error {
	for _, x := range [][2]float64{{got.Latency, want.Latency}, {got.Error, want.Error}, {got.Saturation, want.Saturation}} {
		if same(x[0], x[1]) != nil {
			return fmt.Errorf("%v, recorded %v", got, want)
		}
	}
	return nil
}

func equal[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("%v, recorded %v", got, want)
	}
	return nil
}

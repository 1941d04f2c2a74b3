package classic

import (
	"errors"
	"fmt"

	"github.com/atrion-io/atrion/tuner"
)

// Config is the published law's configuration. The zero value is not usable
// (Validate says why): start from [DefaultConfig]. It is a plain value, never
// changed by this package, and may be shared between goroutines.
//
// The original's minDeltaT is left out, as nothing but its simulator reads it.
type Config struct {
	// BaseResistance is what a healthy route resists, in ohms. Default 10,
	// range [0.001, 1e6]. Raising it rejects more low voltages. Keep it below
	// Tuner.Floor where the tuner is on (see [Trips]).
	BaseResistance float64

	// DecayRate is lambda of the scar's decay, in 1/s. Default 0.1 (a scar
	// halves in 6.9 s), range [1e-6, 1000]. Raising it forgets sooner.
	DecayRate float64

	// ScarFactor is what one traumatic call leaves behind, in ohms. Default
	// 5, range [0, 1e6]. Raising it trips sooner and stays open longer.
	ScarFactor float64

	// DampingFactor is what momentum is worth, in ohms per (pressure per ms).
	// Default 20, range [0, 1e6]. Raising it resists change more.
	DampingFactor float64

	// CriticalPressure is the length of the positive pressure above which a
	// call is traumatic, dimensionless. Default 0.7, range [0, 10]; above
	// 1.73 nothing is. Raising it makes scars rarer.
	CriticalPressure float64

	// BreakMultiplier is the static break point in bases, used while Tuned is
	// false. Default 10, range (1, 1e6]. Raising it trips later.
	BreakMultiplier float64

	// BootstrapTicks is the call with which a new route leaves bootstrap; 0
	// and 1 leave it with the first. Default 10, range [0, 1000000]. Raising
	// it lets more calls pass unseen.
	BootstrapTicks int

	// TanhScale is the steepness of the pressure curve, dimensionless.
	// Default 1, range [0.001, 1000]. Raising it saturates sooner.
	TanhScale float64

	// SLO is what the routes promise; see its fields.
	SLO SLO

	// Tuned says whether break and recovery points are learned per route.
	// Default true. With false they are BreakMultiplier bases and half that.
	Tuned bool

	// Tuner says how they are learned; see its fields. Not looked at while
	// Tuned is false.
	Tuner tuner.Config
}

// DefaultConfig returns the published defaults, tuner on.
func DefaultConfig() Config {
	return Config{
		BaseResistance:   10,
		DecayRate:        0.1,
		ScarFactor:       5,
		DampingFactor:    20,
		CriticalPressure: 0.7,
		BreakMultiplier:  10,
		BootstrapTicks:   10,
		TanhScale:        1,
		SLO: SLO{
			LatencyMs:   100,
			ErrorRate:   0.01,
			Criticality: Vector{Latency: 5, Error: 8, Saturation: 3},
		},
		Tuned: true,
		Tuner: tuner.DefaultConfig(),
	}
}

const maxBootstrapTicks = 1_000_000

// Validate returns nil, or one error that names every field outside its range,
// its value and the range. The ranges are wide enough for any use and narrow
// enough that R stays finite and at or above the base whatever the samples.
func (c Config) Validate() error {
	var errs []error
	wrong := func(field string, value any, allowed string) {
		errs = append(errs, fmt.Errorf("classic: %s is %v, allowed %s", field, value, allowed))
	}
	// Written so that NaN fails.
	within := func(field string, x, lo, hi float64, unit string) {
		if !(x >= lo && x <= hi) {
			wrong(field, x, fmt.Sprintf("%g to %g%s", lo, hi, unit))
		}
	}
	within("BaseResistance", c.BaseResistance, 1e-3, 1e6, " ohms")
	within("DecayRate", c.DecayRate, 1e-6, 1000, " per second")
	within("ScarFactor", c.ScarFactor, 0, 1e6, " ohms")
	within("DampingFactor", c.DampingFactor, 0, 1e6, " ohms per pressure per ms")
	within("CriticalPressure", c.CriticalPressure, 0, 10, "")
	if !(c.BreakMultiplier > 1 && c.BreakMultiplier <= 1e6) {
		wrong("BreakMultiplier", c.BreakMultiplier, "above 1, at most 1e+06")
	}
	if c.BootstrapTicks < 0 || c.BootstrapTicks > maxBootstrapTicks {
		wrong("BootstrapTicks", c.BootstrapTicks, "0 to 1000000 calls")
	}
	within("TanhScale", c.TanhScale, 1e-3, 1000, "")
	within("SLO.LatencyMs", c.SLO.LatencyMs, 1e-3, 1e9, " ms")
	within("SLO.ErrorRate", c.SLO.ErrorRate, 1e-9, 1, "")
	within("SLO.Criticality.Latency", c.SLO.Criticality.Latency, 0, 1e6, "")
	within("SLO.Criticality.Error", c.SLO.Criticality.Error, 0, 1e6, "")
	within("SLO.Criticality.Saturation", c.SLO.Criticality.Saturation, 0, 1e6, "")
	if c.Tuned {
		if err := c.Tuner.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("classic: Tuner: %w", err))
		}
	}
	if c == (Config{}) {
		errs = append(errs, errors.New("classic: the zero Config is not usable, start from DefaultConfig"))
	}
	return errors.Join(errs...)
}

// Params is a Config and what follows from it, worked out once. It is
// immutable after [Config.Params] and safe to share.
type Params struct {
	Config
	Weights   Vector // ohms per unit of pressure
	Baselines Baselines
}

// Params works out weights and baselines. It does not validate: the equations
// are defined, with the original's faults, for any configuration.
func (c Config) Params() Params {
	return Params{Config: c, Weights: Weights(c.SLO.Criticality), Baselines: c.SLO.Baselines()}
}

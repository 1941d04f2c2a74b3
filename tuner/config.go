package tuner

import (
	"errors"
	"fmt"
)

// Config says how quickly limits are learned and how far they may go. The zero
// value is not usable (Validate says why): start from [DefaultConfig].
//
// A Config is never changed by this package and may be shared.
type Config struct {
	// Window is the memory in observations: the newest counts
	// 2/(Window+1). Default 100, range [1, 1000000]. Raising it makes the
	// limits slower to follow, in both directions.
	Window int

	// Sensitivity is k, the standard deviations above the mean at which a
	// route trips. Default 3, range [0, 100]. Raising it trips later.
	Sensitivity float64

	// Floor is the lowest break point in ohms. Default 30, range [0, 1e9].
	// Raising it trips later. It must lie above the resistance of a healthy
	// route: a perfectly steady route has sigma = 0, its R equals its mean,
	// and only the floor keeps it from tripping on itself.
	Floor float64

	// Ceiling is the highest break point in ohms. Default 500, range
	// [Floor, 1e9]. Raising it lets a slowly failing route teach the tuner
	// higher limits.
	Ceiling float64

	// Warmup is the number of observations before the learned limits replace
	// FallbackBreak. Default 50, range [0, 1000000]. Raising it delays them.
	// With 0 the first observation is its own mean, so a route trips on it
	// if it reaches Floor.
	Warmup int

	// RecoveryMultiplier is the share of the break point below which a
	// tripped route has recovered. Default 0.5, range (0, 1]. Raising it
	// recovers earlier and flaps more.
	RecoveryMultiplier float64

	// FallbackBreak is the break point in ohms during warm-up. Default 100,
	// range (0, 1e9]. Raising it trips later while little is known.
	FallbackBreak float64
}

const (
	maxCount = 1_000_000
	maxOhms  = 1e9
)

// DefaultConfig returns the published defaults.
func DefaultConfig() Config {
	return Config{
		Window:             100,
		Sensitivity:        3,
		Floor:              30,
		Ceiling:            500,
		Warmup:             50,
		RecoveryMultiplier: 0.5,
		FallbackBreak:      100,
	}
}

// Validate returns nil, or one error that names every field outside its range,
// its value and the range.
func (c Config) Validate() error {
	var errs []error
	wrong := func(field string, value any, allowed string) {
		errs = append(errs, fmt.Errorf("tuner: %s is %v, allowed %s", field, value, allowed))
	}
	// Comparisons are written so that NaN fails them.
	if c.Window < 1 || c.Window > maxCount {
		wrong("Window", c.Window, "1 to 1000000 observations")
	}
	if !(c.Sensitivity >= 0 && c.Sensitivity <= 100) {
		wrong("Sensitivity", c.Sensitivity, "0 to 100 standard deviations")
	}
	if !(c.Floor >= 0 && c.Floor <= maxOhms) {
		wrong("Floor", c.Floor, "0 to 1e9 ohms")
	}
	if !(c.Ceiling >= c.Floor && c.Ceiling <= maxOhms) {
		wrong("Ceiling", c.Ceiling, "Floor to 1e9 ohms")
	}
	if c.Warmup < 0 || c.Warmup > maxCount {
		wrong("Warmup", c.Warmup, "0 to 1000000 observations")
	}
	if !(c.RecoveryMultiplier > 0 && c.RecoveryMultiplier <= 1) {
		wrong("RecoveryMultiplier", c.RecoveryMultiplier, "above 0, at most 1")
	}
	if !(c.FallbackBreak > 0 && c.FallbackBreak <= maxOhms) {
		wrong("FallbackBreak", c.FallbackBreak, "above 0, at most 1e9 ohms")
	}
	if errs != nil && c == (Config{}) {
		errs = append(errs, errors.New("tuner: the zero Config is not usable, start from DefaultConfig"))
	}
	return errors.Join(errs...)
}

// Alpha is the weight of the newest observation, 2/(Window+1): the weights of
// an exponential mean with it have the same centre of mass as a plain mean
// over Window values.
func (c Config) Alpha() float64 { return 2 / (float64(c.Window) + 1) }

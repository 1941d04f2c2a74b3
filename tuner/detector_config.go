package tuner

import (
	"errors"
	"fmt"
	"time"
)

// DetectorConfig says when a [Detector] raises an alarm and how it learns. The
// zero value is not usable (Validate says why): start from [DefaultDetector].
//
// It is never changed by this package and may be shared by any number of
// detectors and goroutines.
type DetectorConfig struct {
	// HalfLife is the time after which an observation counts half in mean and
	// sigma. Default 1 h, range [1 s, 10000 h]. Raising it makes the limits
	// slower to follow the day, and slower to be taught by a slow failure.
	HalfLife time.Duration

	// Smoothing is the half-life of the level that is held against the
	// limits. Default 5 s, range [1 ms, HalfLife]. Raising it finds smaller
	// shifts, later.
	Smoothing time.Duration

	// MaxStep is the longest time that passes between two observations: a
	// longer gap counts as this one, in all the durations here. Default 12 s,
	// range [1 ms, HalfLife/10]. So a series sparser than this is learned by
	// the sample (300 of them make the default half-life), a night without
	// traffic is not forgotten history, and the first value after it is one
	// value among many.
	MaxStep time.Duration

	// Quiet is how long a series must have been within its limits for the
	// next excursion to be a new incident. Default 10 min, range
	// [0, 10000 h]. Raising it joins more excursions into one incident.
	Quiet time.Duration

	// Accept is how long a series must be outside its limits, without once
	// returning, for that to become normal. Default 3 h, range
	// [Smoothing, 10000 h]. Raising it keeps a long incident an alarm, and
	// the alarm after a deliberate change.
	Accept time.Duration

	// Warmup is how long nothing is raised at first. Default 10 min, range
	// [0, 10000 h]. Raising it makes the first alarms better founded.
	Warmup time.Duration

	// Raise is k, the sigma from the mean at which the alarm is raised.
	// Default 5, range [1, 100]. Raising it alarms later and less.
	Raise float64

	// Clear is the sigma from the mean under which the alarm is cleared.
	// Default 2.5, range [0, Raise]. Raising it clears earlier and relapses
	// more.
	Clear float64

	// Clip is the sigma from the mean at which a value is clipped before it
	// is smoothed. Default 10.5, range (2 Raise, 1000]: in a sparse series a
	// value is half of the level, and half of Clip must pass Raise or no
	// value could alarm alone. Raising it lets fewer values decide.
	Clip float64

	// Winsor is the sigma from the mean at which the influence of a level on
	// mean and sigma is bounded. Default 4, range [1, 1000]. Raising it
	// follows heavy tails, and failures, faster.
	Winsor float64

	// FloorShare is the least sigma as a share of the mean. Default 0.01,
	// range [0, 1]. Raising it ignores larger deviations of a steady series.
	FloorShare float64

	// Floor is the least sigma in the unit of the values. Default 0, range
	// [0, 1e9]. For a series whose mean is 0, such as an error rate.
	Floor float64

	// TwoSided raises the alarm on drops too. Default true: a latency far
	// below normal is often an error answered quickly. Turn it off where the
	// alarm is to trip something.
	TwoSided bool
}

// DefaultDetector returns the defaults.
func DefaultDetector() DetectorConfig {
	return DetectorConfig{
		HalfLife:   time.Hour,
		Smoothing:  5 * time.Second,
		MaxStep:    12 * time.Second,
		Quiet:      10 * time.Minute,
		Accept:     3 * time.Hour,
		Warmup:     10 * time.Minute,
		Raise:      5,
		Clear:      2.5,
		Clip:       10.5,
		Winsor:     4,
		FloorShare: 0.01,
		TwoSided:   true,
	}
}

const maxDuration = 10_000 * time.Hour

// Validate returns nil, or one error that names every field outside its range,
// its value and the range.
func (c DetectorConfig) Validate() error {
	var errs []error
	check := func(ok bool, field string, value any, allowed string) {
		if !ok {
			errs = append(errs, fmt.Errorf("tuner: %s is %v, allowed %s", field, value, allowed))
		}
	}
	// Comparisons are written so that NaN fails them.
	check(c.HalfLife >= time.Second && c.HalfLife <= maxDuration, "HalfLife", c.HalfLife, "1s to 10000h")
	check(c.Smoothing >= time.Millisecond && c.Smoothing <= c.HalfLife, "Smoothing", c.Smoothing, "1ms to HalfLife")
	check(c.MaxStep >= time.Millisecond && c.MaxStep <= c.HalfLife/10, "MaxStep", c.MaxStep, "1ms to HalfLife/10")
	check(c.Quiet >= 0 && c.Quiet <= maxDuration, "Quiet", c.Quiet, "0 to 10000h")
	check(c.Accept >= c.Smoothing && c.Accept <= maxDuration, "Accept", c.Accept, "Smoothing to 10000h")
	check(c.Warmup >= 0 && c.Warmup <= maxDuration, "Warmup", c.Warmup, "0 to 10000h")
	check(c.Raise >= 1 && c.Raise <= 100, "Raise", c.Raise, "1 to 100 sigma")
	check(c.Clear >= 0 && c.Clear <= c.Raise, "Clear", c.Clear, "0 to Raise")
	check(c.Clip > 2*c.Raise && c.Clip <= 1000, "Clip", c.Clip, "above 2 Raise, at most 1000 sigma")
	check(c.Winsor >= 1 && c.Winsor <= 1000, "Winsor", c.Winsor, "1 to 1000 sigma")
	check(c.FloorShare >= 0 && c.FloorShare <= 1, "FloorShare", c.FloorShare, "0 to 1")
	check(c.Floor >= 0 && c.Floor <= 1e9, "Floor", c.Floor, "0 to 1e9")
	if errs != nil && c == (DetectorConfig{}) {
		errs = append(errs, errors.New("tuner: the zero DetectorConfig is not usable, start from DefaultDetector"))
	}
	return errors.Join(errs...)
}

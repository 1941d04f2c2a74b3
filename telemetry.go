package atrion

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// MaxLatency is the longest latency telemetry may report.
const MaxLatency = 24 * time.Hour

// MaxAge is the longest ago telemetry may have been observed.
const MaxAge = time.Hour

// Telemetry is what somebody observed of a route: one call, or the summary of
// many. The zero value of a field means that it is not given.
type Telemetry struct {
	Latency    time.Duration // of the call or calls; 0 (not given) to 24 h
	ErrorRate  float64       // share of failed calls, 0 to 1
	Saturation float64       // share of the callee's capacity in use, 0 to 1
	Outcome    Outcome       // how a single call ended; a failure with ErrorRate 0 counts as ErrorRate 1
	Voltage    float64       // volts the call bid; 0: the engine's default
	Age        time.Duration // how long before now it was observed, 0 to 1 h
}

// measured reports whether the telemetry says anything about the route.
func (t *Telemetry) measured() bool {
	return t.Latency != 0 || t.ErrorRate != 0 || t.Saturation != 0 || t.Outcome != OK
}

// Validate returns nil, or an ErrInvalidTelemetry with the *FieldError of the
// first wrong field.
func (t *Telemetry) Validate() error {
	if t.Latency < 0 || t.Latency > MaxLatency {
		return invalid("Latency", t.Latency, "0 to 24h")
	}
	if err := checkCommon(t.ErrorRate, t.Saturation, t.Outcome, t.Voltage); err != nil {
		return err
	}
	if t.Age < 0 || t.Age > MaxAge {
		return invalid("Age", t.Age, "0 to 1h")
	}
	return nil
}

// checkCommon checks what Telemetry and the law's form of it have in common.
func checkCommon(errorRate, saturation float64, o Outcome, voltage float64) error {
	switch {
	case !(errorRate >= 0 && errorRate <= 1):
		return invalid("ErrorRate", errorRate, "0 to 1")
	case !(saturation >= 0 && saturation <= 1):
		return invalid("Saturation", saturation, "0 to 1")
	case o > Ignored:
		return invalid("Outcome", uint8(o), "ok, error, timeout, dropped or ignored")
	case voltage != 0 && !validVoltage(voltage):
		return invalid("Voltage", voltage, allowedVoltage)
	}
	return nil
}

func invalid(field string, value any, allowed string) error {
	return fmt.Errorf("%w: %w", ErrInvalidTelemetry, &FieldError{Field: field, Value: fmt.Sprint(value), Allowed: allowed})
}

// sample is the law's form of valid telemetry observed up to now.
func (t *Telemetry) sample(now int64) physics.Sample {
	s := physics.Sample{
		Time:       now - int64(t.Age),
		Latency:    math.NaN(),
		ErrorRate:  t.ErrorRate,
		Saturation: t.Saturation,
		Voltage:    t.Voltage,
		Outcome:    t.Outcome,
	}
	if t.Latency > 0 {
		s.Latency = float64(t.Latency) / float64(time.Millisecond)
	}
	if t.Outcome.Failed() && t.ErrorRate == 0 {
		s.ErrorRate = 1 // a failed call, told as an outcome
	}
	return s
}

// checkSample is Validate for the law's form, with times that count from now.
func checkSample(s *physics.Sample) error {
	const ms = float64(MaxLatency) / float64(time.Millisecond)
	if s.Latency < 0 || s.Latency > ms { // NaN: not given
		return invalid("Latency", s.Latency, "0 to 86400000 ms, or NaN")
	}
	if err := checkCommon(s.ErrorRate, s.Saturation, s.Outcome, s.Voltage); err != nil {
		return err
	}
	if !(s.Inflight >= 0 && s.Inflight <= 1e9) {
		return invalid("Inflight", s.Inflight, "0 to 1e+09")
	}
	if s.Time > 0 || s.Time < -int64(MaxAge) {
		return invalid("Time", s.Time, "-1h to 0, in ns from now")
	}
	return nil
}

// Classify is the default of Config.Classify: nil is OK, a deadline that
// passed is Timeout, a context cancelled by its caller is Ignored (it says
// nothing about the callee), anything else is Error.
func Classify(err error) Outcome {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Ignored
	}
	return Error
}

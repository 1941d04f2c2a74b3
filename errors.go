package atrion

import (
	"errors"
	"fmt"

	"github.com/atrion-io/atrion/actors"
)

// Errors. Test for them with errors.Is.
var (
	// ErrRejected: the request may not pass. It is what every *RejectedError
	// is, whatever the reason.
	ErrRejected = errors.New("atrion: rejected")
	// ErrInsufficientVoltage: rejected because V <= R.
	ErrInsufficientVoltage = errors.New("atrion: insufficient voltage")
	// ErrTripped: rejected because the route's circuit breaker is open.
	ErrTripped = errors.New("atrion: tripped")
	// ErrFaulty: rejected because the route's law keeps failing and the engine
	// was configured to fail closed.
	ErrFaulty = errors.New("atrion: route faulty, failing closed")

	// ErrBanned: rejected because of a ban; the Decision has it.
	ErrBanned = errors.New("atrion: banned")
	// ErrOverride: rejected because the route is forced open; the Decision has
	// the override.
	ErrOverride = errors.New("atrion: forced open")

	// ErrInvalidConfig: New refused its Config, or Apply its Settings; the error
	// names every wrong field.
	ErrInvalidConfig = errors.New("atrion: invalid config")
	// ErrInvalidTelemetry: telemetry was refused whole; the error names the field.
	ErrInvalidTelemetry = errors.New("atrion: invalid telemetry")
	// ErrClosed: the engine is closed.
	ErrClosed = actors.ErrClosed
	// ErrMailboxFull: a sample was dropped because its route is behind.
	ErrMailboxFull = actors.ErrMailboxFull
	// ErrInvalidRule: a ban or an override was refused; the error names the field.
	ErrInvalidRule = errors.New("atrion: invalid rule")
	// ErrTooManyBans: Config.MaxBans is reached, or 32 of one subject.
	ErrTooManyBans = errors.New("atrion: too many bans")
	// ErrTooManyOverrides: Config.MaxOverrides is reached.
	ErrTooManyOverrides = errors.New("atrion: too many overrides")
	// ErrTooManyRoutes: MaxRoutes is reached and no route can give way.
	ErrTooManyRoutes = actors.ErrTooManyRoutes
)

// FieldError says which field is wrong, and how.
type FieldError struct {
	Field   string
	Value   string
	Allowed string
}

// Error names field, value and allowed range.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%s is %s (allowed: %s)", e.Field, e.Value, e.Allowed)
}

// RejectedError is what Acquire and Do return for a request that may not pass.
// It carries the whole decision.
type RejectedError struct {
	Decision Decision
}

// Error says in one line why the request was rejected.
func (e *RejectedError) Error() string { return "atrion: rejected: " + e.Decision.String() }

// Is reports whether target is ErrRejected or the error of this reason.
func (e *RejectedError) Is(target error) bool {
	if target == ErrRejected {
		return true
	}
	switch e.Decision.Reason {
	case InsufficientVoltage:
		return target == ErrInsufficientVoltage
	case Tripped:
		return target == ErrTripped
	case Faulty:
		return target == ErrFaulty
	case Banned:
		return target == ErrBanned
	case Overridden:
		return target == ErrOverride
	}
	return false
}

package wire

import (
	"errors"
	"fmt"
	"strconv"
)

// Errors of decoding; test for them with errors.Is.
var (
	// ErrFormat: the bytes are not a message: neither encoding, cut short,
	// followed by something, or nested too deeply.
	ErrFormat = errors.New("wire: malformed message")
	// ErrTooLarge: the message has more than MaxMessage bytes.
	ErrTooLarge = errors.New("wire: message too large")
	// ErrTooMany: the message has more than MaxSamples samples.
	ErrTooMany = errors.New("wire: too many samples")
	// ErrEmpty: the message has no sample.
	ErrEmpty = errors.New("wire: no samples")
	// ErrField: a field is wrong; the error is a [*FieldError].
	ErrField = errors.New("wire: wrong field")
)

// FieldError says which field of a message is wrong, and how. It wraps
// [ErrField].
type FieldError struct {
	Index   int    // place of the sample in the message, from 0; -1: not in a sample
	Field   string // the field's long name
	Value   string // what was given, shortened for reading
	Allowed string // what would have been right
}

// Error names sample, field, value and allowed range.
func (e *FieldError) Error() string {
	at := ""
	if e.Index >= 0 {
		at = "sample " + strconv.Itoa(e.Index) + ": "
	}
	return fmt.Sprintf("wire: %s%s is %s; allowed: %s", at, e.Field, e.Value, e.Allowed)
}

// Unwrap returns [ErrField].
func (e *FieldError) Unwrap() error { return ErrField }

func formatError(data []byte, pos int, what string) error {
	if pos < len(data) {
		return fmt.Errorf("%w: byte 0x%02x at %d: %s", ErrFormat, data[pos], pos, what)
	}
	return fmt.Errorf("%w: ends at %d: %s", ErrFormat, len(data), what)
}

func checkSize(data []byte) error {
	if len(data) > MaxMessage {
		return fmt.Errorf("%w: %d bytes; allowed: 1..%d", ErrTooLarge, len(data), MaxMessage)
	}
	return nil
}

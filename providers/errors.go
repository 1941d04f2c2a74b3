package providers

import (
	"errors"
	"fmt"
)

// Errors of providers. Test for them with errors.Is: they come wrapped in what
// happened.
var (
	// ErrNotFound: the key has no live entry.
	ErrNotFound = errors.New("providers: not found")
	// ErrClosed: the provider was closed.
	ErrClosed = errors.New("providers: closed")
	// ErrFull: there is no room for another entry.
	ErrFull = errors.New("providers: full")
	// ErrTooLarge: the value is over the provider's limit.
	ErrTooLarge = errors.New("providers: value too large")
	// ErrInvalidKey: a key or filter is outside its limits; the error is a
	// [*KeyError].
	ErrInvalidKey = errors.New("providers: invalid key")
	// ErrUnavailable: the storage does not answer. Trying later may help.
	ErrUnavailable = errors.New("providers: unavailable")
)

// KeyError says which part of a key is wrong, and how. It wraps
// [ErrInvalidKey].
type KeyError struct {
	Field   string // "route" or "node"
	Value   string // the offending name, shortened for reading
	Allowed string // what would have been right
}

// Error names field, value and allowed range.
func (e *KeyError) Error() string {
	return fmt.Sprintf("%v: %s %q: allowed: %s", ErrInvalidKey, e.Field, e.Value, e.Allowed)
}

// Unwrap returns [ErrInvalidKey].
func (e *KeyError) Unwrap() error { return ErrInvalidKey }

// validateName checks one part of a key. Control bytes are refused because
// names end up in logs, subjects and terminals; anything else, valid UTF-8 or
// not, is the provider's job to carry.
func validateName(field, name string, limit int) error {
	bad := len(name) == 0 || len(name) > limit
	for i := 0; !bad && i < len(name); i++ {
		bad = name[i] < 0x20 || name[i] == 0x7f
	}
	if !bad {
		return nil
	}
	if len(name) > 80 {
		name = fmt.Sprintf("%s... (%d bytes)", name[:64], len(name))
	}
	return &KeyError{Field: field, Value: name, Allowed: fmt.Sprintf("1..%d bytes, no control bytes", limit)}
}

// CheckValue returns nil, or an [ErrTooLarge] that names size and limit. It is
// for authors of providers.
func CheckValue(value []byte, limit int) error {
	if len(value) > limit {
		return fmt.Errorf("%w: %d bytes; allowed: 0..%d", ErrTooLarge, len(value), limit)
	}
	return nil
}

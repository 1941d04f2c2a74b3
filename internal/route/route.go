// Package route says what a route may be called. One rule for the library,
// the bus and the providers, so that a name good in one place is good in all.
package route

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxLen is the longest route name, in bytes.
const MaxLen = 256

// ErrName is what every error of Validate wraps.
var ErrName = errors.New("invalid route name")

// Validate returns nil if name is 1 to 256 bytes of valid UTF-8 without
// control characters and without the bus wildcards * and >. Dots and slashes
// are fine: "api/checkout" and "api.checkout" are two routes.
func Validate(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: empty (allowed: 1 to %d bytes)", ErrName, MaxLen)
	case len(name) > MaxLen:
		return fmt.Errorf("%w: %d bytes (allowed: 1 to %d bytes)", ErrName, len(name), MaxLen)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not valid UTF-8", ErrName, name)
	}
	for i, c := range name {
		switch {
		case c < 0x20 || c >= 0x7f && c < 0xa0:
			return fmt.Errorf("%w: %q has control character %U at byte %d (allowed: none)", ErrName, name, c, i)
		case c == '*' || c == '>':
			return fmt.Errorf("%w: %q has wildcard %q at byte %d (allowed: none)", ErrName, name, c, i)
		}
	}
	return nil
}

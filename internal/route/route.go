// Package route says what a route may be called. One rule for the library and
// the bus, so that a name good in one place is good in the other.
package route

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxLen is the longest route name, in bytes.
const MaxLen = 256

// Allowed is the rule, in words.
const Allowed = "1..256 bytes of valid UTF-8 without control characters and without * and >"

// ErrName is what every error of Validate wraps.
var ErrName = errors.New("invalid route name")

// Validate returns nil, or an error that says what is wrong with the name and
// what is allowed. Dots and slashes are fine: "api/checkout" and "api.checkout"
// are two routes.
func Validate(name string) error {
	if p := Problem(name); p != "" {
		return fmt.Errorf("%w: %s (allowed: %s)", ErrName, p, Allowed)
	}
	return nil
}

// Problem says what is wrong with the name, or "" if nothing is.
func Problem(name string) string {
	switch {
	case name == "":
		return "empty"
	case len(name) > MaxLen:
		return fmt.Sprintf("%d bytes long", len(name))
	case !utf8.ValidString(name):
		return fmt.Sprintf("%q, not UTF-8", clip(name))
	}
	for i, c := range name {
		switch {
		case c < 0x20 || c >= 0x7f && c < 0xa0: // C0, DEL, C1
			return fmt.Sprintf("%q with control character 0x%02x at %d", clip(name), c, i)
		case c == '*' || c == '>':
			return fmt.Sprintf("%q with wildcard %c at %d", clip(name), c, i)
		}
	}
	return ""
}

// clip shortens a name for an error.
func clip(name string) string {
	const most = 48
	if len(name) <= most {
		return name
	}
	n := most
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n] + "..."
}

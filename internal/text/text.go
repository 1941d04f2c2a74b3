// Package text says what names and words may look like that people and logs are
// shown.
package text

import "unicode/utf8"

// Visible reports whether s is visible ASCII: no spaces, no control characters.
func Visible[S []byte | string](s S) bool {
	for i := range len(s) {
		if s[i] <= 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// Plain reports whether s is UTF-8 without control characters.
func Plain(s string) bool {
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return false
		}
	}
	return utf8.ValidString(s)
}

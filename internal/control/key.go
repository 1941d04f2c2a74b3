package control

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	banPrefix      = "ban."
	overridePrefix = "override."
)

// banKey is that of the ban of a route and a subject. Both can be long and of
// any bytes, so it is a hash; the value says what it is.
func banKey(pattern, subject string) string {
	sum := sha256.Sum256([]byte(pattern + "\x00" + subject))
	return banPrefix + hex.EncodeToString(sum[:16])
}

// overrideKey is that of the override of a route or a pattern: letters, digits,
// '_' and '-' stay, every other byte is =HH.
func overrideKey(pattern string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.WriteString(overridePrefix)
	for i := range len(pattern) {
		c := pattern[i]
		if c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

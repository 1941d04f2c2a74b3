package natskv

import (
	"fmt"
	"strings"

	"github.com/atrion-io/atrion/providers"
)

const hexDigits = "0123456789ABCDEF"

// plain reports whether c stands for itself in a key. All of NATS's own key
// syntax is excluded, '.' and '=' among them.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// Escape makes one token of a key of any bytes: letters, digits, '_' and '-'
// stay, every other byte becomes =HH with upper-case hex digits. It is
// injective, and at most three times as long as s.
func Escape(s string) string {
	n := 0
	for i := 0; i < len(s); i++ {
		if !plain(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*n)
	for i := 0; i < len(s); i++ {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// Unescape is the inverse of Escape. It refuses every token that Escape does
// not make, so that no name has two keys.
func Unescape(token string) (string, error) {
	if strings.IndexByte(token, '=') < 0 {
		for i := 0; i < len(token); i++ {
			if !plain(token[i]) {
				return "", badToken(token, i)
			}
		}
		return token, nil
	}
	b := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		c := token[i]
		switch {
		case plain(c):
		case c == '=' && i+2 < len(token):
			hi, lo := strings.IndexByte(hexDigits, token[i+1]), strings.IndexByte(hexDigits, token[i+2])
			if hi < 0 || lo < 0 {
				return "", badToken(token, i)
			}
			if c = byte(hi<<4 | lo); plain(c) {
				return "", badToken(token, i) // would have stayed as it is
			}
			i += 2
		default:
			return "", badToken(token, i)
		}
		b = append(b, c)
	}
	return string(b), nil
}

func badToken(token string, at int) error {
	return fmt.Errorf("%w: key token %.80q at %d: allowed: letters, digits, '_', '-', and =HH for any other byte", providers.ErrInvalidKey, token, at)
}

// FormatKey is the bucket's key of k.
func FormatKey(k providers.Key) string { return Escape(k.Route) + "." + Escape(k.Node) }

// ParseKey is the inverse of FormatKey.
func ParseKey(key string) (providers.Key, error) {
	route, node, ok := strings.Cut(key, ".")
	if !ok {
		return providers.Key{}, fmt.Errorf("%w: %.80q: allowed: <route>.<node>", providers.ErrInvalidKey, key)
	}
	var k providers.Key
	var err error
	if k.Route, err = Unescape(route); err != nil {
		return providers.Key{}, err
	}
	if k.Node, err = Unescape(node); err != nil {
		return providers.Key{}, err
	}
	if err := k.Validate(); err != nil {
		return providers.Key{}, err
	}
	return k, nil
}

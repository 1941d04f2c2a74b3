package wire

import (
	"fmt"
	"strings"

	"github.com/atrion-io/atrion/internal/route"
)

// Subjects of the bus; a route follows each prefix.
const (
	TelemetryPrefix = "atrion.telemetry"
	RoutePrefix     = "atrion.route"
	AnyPrefix       = "atrion.any.route" // the same, for any node
	ExplainPrefix   = "atrion.admin.explain"
	AdminPrefix     = "atrion.admin"
	HealthSubject   = "atrion.admin.health"
	EventPrefix     = "atrion.event"
	RefusedSubject  = "atrion.event.refused"
)

// NodePrefix begins the subjects of one node alone: "atrion.node" and its name
// as one token, with every byte that cannot stand in one as %HH: '.', '*' and '>'
// among them, and '$', '{' and '}', which mean something in a server's mappings.
func NodePrefix(node string) string {
	var b strings.Builder
	b.WriteString("atrion.node.")
	for i := 0; i < len(node); i++ {
		switch c := node[i]; {
		case strings.IndexByte(".*>%${}", c) >= 0, c <= ' ', c > '~':
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// ValidateRoute returns nil, or a [*FieldError] that says what is wrong with
// the name of a route.
func ValidateRoute(name string) error {
	if problem := route.Problem(name); problem != "" {
		return &FieldError{Index: -1, Field: "route", Value: problem, Allowed: route.Allowed}
	}
	return nil
}

// SubjectFromRoute returns the subject of a route: prefix, a dot, and the name
// with every byte that cannot stand in a subject as %HH, in upper case:
//
//   - all but visible ASCII: space, and every byte of other characters
//   - '%' itself
//   - a dot that would make an empty token: the first or the last byte, or
//     one behind a dot
//
// Other dots stay, so a route may be several tokens and be subscribed to by a
// pattern. Names that ValidateRoute refuses are its error.
func SubjectFromRoute(prefix, route string) (string, error) {
	if err := ValidateRoute(route); err != nil {
		return "", err
	}
	var b strings.Builder
	b.Grow(len(prefix) + 1 + len(route) + 8)
	b.WriteString(prefix)
	b.WriteByte('.')
	open := true // the token so far is empty
	for i := 0; i < len(route); i++ {
		c := route[i]
		switch {
		case c == '.' && !open && i < len(route)-1:
			b.WriteByte('.')
			open = true
			continue
		case c == '.', c == '%', c <= ' ', c > '~':
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		default:
			b.WriteByte(c)
		}
		open = false
	}
	return b.String(), nil
}

// RouteFromSubject is the inverse of SubjectFromRoute: the route is the rest of
// the subject behind prefix and a dot, with every %HH (either case) as the
// byte it stands for. It is lenient where nothing is lost: bytes that need not
// be escaped may be, and characters that are not ASCII may stand as they are.
// It allocates only if there is an escape.
func RouteFromSubject(prefix, subject string) (string, error) {
	n := len(prefix)
	if len(subject) <= n+1 || subject[:n] != prefix || subject[n] != '.' {
		return "", &FieldError{
			Index: -1, Field: "subject", Value: fmt.Sprintf("%q", clip(subject, 80)),
			Allowed: prefix + ".<route>",
		}
	}
	rest := subject[n+1:]
	escaped, open := false, true
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '.':
			if open || i == len(rest)-1 {
				return "", wrongSubject(rest, "an empty token", i, "dots between tokens only; others as %2E")
			}
			open = true
			continue
		case c == ' ':
			return "", wrongSubject(rest, "a space", i, "a space as %20")
		case c == '%':
			if i+2 >= len(rest) || unhex(rest[i+1]) < 0 || unhex(rest[i+2]) < 0 {
				return "", wrongSubject(rest, "a bad escape", i, "% and two hex digits; % itself as %25")
			}
			escaped = true
			i += 2
		}
		open = false
	}
	if escaped {
		if len(rest) > 3*MaxRoute {
			return "", ValidateRoute(rest) // too long, whatever it says
		}
		b := make([]byte, 0, len(rest))
		for i := 0; i < len(rest); i++ {
			c := rest[i]
			if c == '%' {
				c = byte(unhex(rest[i+1])<<4 | unhex(rest[i+2]))
				i += 2
			}
			b = append(b, c)
		}
		rest = string(b)
	}
	if err := ValidateRoute(rest); err != nil {
		return "", err
	}
	return rest, nil
}

func wrongSubject(rest, what string, at int, allowed string) error {
	return &FieldError{Index: -1, Field: "route", Value: fmt.Sprintf("%q with %s at %d", clip(rest, 48), what, at), Allowed: allowed}
}

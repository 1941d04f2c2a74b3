package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestSubject(t *testing.T) {
	for route, want := range map[string]string{
		"checkout":     "checkout",
		"api.v1.users": "api.v1.users",
		"GET /a b":     "GET%20/a%20b",
		"100%":         "100%25",
		"%41":          "%2541",
		".":            "%2E",
		"..":           "%2E%2E",
		".a.":          "%2Ea%2E",
		"a..b":         "a.%2Eb",
		"a...b":        "a.%2E.b",
		"ü":            "%C3%BC",
		"a=b/c-d_e$~":  "a=b/c-d_e$~",
	} {
		got, err := SubjectFromRoute("p.q", route)
		if err != nil || got != "p.q."+want {
			t.Errorf("SubjectFromRoute(%q) = %q, %v; want %q", route, got, err, want)
		}
		if back, err := RouteFromSubject("p.q", got); err != nil || back != route {
			t.Errorf("RouteFromSubject(%q) = %q, %v; want %q", got, back, err, route)
		}
	}
	// What a lenient reader accepts besides.
	for rest, want := range map[string]string{"%61": "a", "%c3%bc": "ü", "ü": "ü", "a%2eb": "a.b"} {
		if got, err := RouteFromSubject("p", "p."+rest); err != nil || got != want {
			t.Errorf("RouteFromSubject(%q) = %q, %v; want %q", rest, got, err, want)
		}
	}
}

func TestSubjectRefused(t *testing.T) {
	for subject, says := range map[string]string{
		"":                                 "p.<route>",
		"p":                                "p.<route>",
		"p.":                               "p.<route>",
		"px.a":                             "p.<route>",
		"q.a":                              "p.<route>",
		"p..a":                             "empty token at 0",
		"p.a.":                             "empty token at 1",
		"p.a..b":                           "empty token at 2",
		"p.a b":                            "%20",
		"p.%":                              "bad escape at 0",
		"p.a%2":                            "bad escape at 1",
		"p.%zz":                            "bad escape",
		"p.%2A":                            "wildcard * at 0",
		"p.a.>":                            "wildcard > at 2",
		"p.*":                              "wildcard *",
		"p.%00":                            "control character 0x00",
		"p.%7F":                            "control character 0x7f",
		"p.a\tb":                           "control character 0x09",
		"p.%ff":                            "not UTF-8",
		"p.\xff":                           "not UTF-8",
		"p." + strings.Repeat("x", 257):    "257 bytes long; allowed: 1..256 bytes",
		"p." + strings.Repeat("%41", 257):  "bytes long; allowed: 1..256",
		"p." + strings.Repeat("%41", 9000): "bytes long; allowed: 1..256",
	} {
		got, err := RouteFromSubject("p", subject)
		if !errors.Is(err, ErrField) || got != "" || !strings.Contains(err.Error(), says) {
			t.Errorf("RouteFromSubject(%.60q) = %q, %v; want %q", subject, got, err, says)
		}
	}
	for route, says := range map[string]string{
		"": "route is empty", "a*": "wildcard * at 1", ">": "wildcard >", "a\nb": "control character 0x0a at 1",
		"\x7f": "0x7f", "\xc3": "not UTF-8", strings.Repeat("y", 257): "257 bytes long",
	} {
		for _, err := range []error{ValidateRoute(route), func() error { _, err := SubjectFromRoute("p", route); return err }()} {
			if !errors.Is(err, ErrField) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "1..256 bytes of valid UTF-8") {
				t.Errorf("%.20q: %v; want %q", route, err, says)
			}
		}
	}
	if err := ValidateRoute(strings.Repeat("z", 256)); err != nil {
		t.Error(err)
	}
}

func TestRouteFromSubjectAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if _, err := RouteFromSubject("atrion.telemetry", "atrion.telemetry.api.v1.users"); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations; want 0", n)
	}
}

func FuzzSubject(f *testing.F) {
	for _, s := range []string{"a", "a.b", "..", "%", "ü", "a b", "%2E", "p.%41", "*", strings.Repeat("%", 256)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		// Any valid route survives the way through a legal subject.
		if ValidateRoute(s) == nil {
			subject, err := SubjectFromRoute("x", s)
			if err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			for _, token := range strings.Split(subject, ".") {
				if token == "" || strings.ContainsAny(token, "*> \t\r\n\x00") {
					t.Fatalf("%q: illegal subject %q", s, subject)
				}
			}
			if back, err := RouteFromSubject("x", subject); err != nil || back != s {
				t.Fatalf("%q -> %q -> %q, %v", s, subject, back, err)
			}
		}
		// Any subject that is accepted stands for a valid route, whose own
		// subject stands for the same.
		route, err := RouteFromSubject("x", "x."+s)
		if err != nil {
			return
		}
		subject, err := SubjectFromRoute("x", route)
		if err != nil {
			t.Fatalf("%q accepted as %q: %v", s, route, err)
		}
		if back, err := RouteFromSubject("x", subject); err != nil || back != route {
			t.Fatalf("%q -> %q -> %q, %v", route, subject, back, err)
		}
	})
}

// A node's name is one token whatever is in it, and two names are two tokens.
func TestNodePrefix(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"n1", "a.b", "a%2Eb", "*", ">", "a b", "ä", "a", "b", "a.", ".a", "~!", "$1", "{{x}}"} {
		subject := NodePrefix(name)
		token := strings.TrimPrefix(subject, "atrion.node.")
		if token == "" || strings.ContainsAny(token, ".*> \t${}") || strings.ContainsFunc(token, func(r rune) bool { return r > '~' }) {
			t.Errorf("%q: %q is not one token", name, subject)
		}
		if other, dup := seen[token]; dup {
			t.Errorf("%q and %q have the same subject %q", name, other, subject)
		}
		seen[token] = name
	}
}

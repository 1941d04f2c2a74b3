package natskv

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/atrion-io/atrion/providers"
)

// validKey is what the key-value API accepts.
var validKey = regexp.MustCompile(`^[-/_=\.a-zA-Z0-9]+$`)

func TestEscape(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "checkout": "checkout", "A-z_09": "A-z_09", "a.b": "a=2Eb", "a=b": "a=3Db", "/": "=2F", "ü": "=C3=BC",
		"\x00\xff": "=00=FF", "*>": "=2A=3E", " ": "=20",
	} {
		if got := Escape(s); got != want {
			t.Errorf("Escape(%q) = %q; want %q", s, got, want)
		}
		if got, err := Unescape(want); got != s || err != nil {
			t.Errorf("Unescape(%q) = %q, %v; want %q", want, got, err, s)
		}
	}
	for _, bad := range []string{"=", "=2", "a=2", "=2e", "=2G", "=41", "=5F", "a.b", "a/b", "a b", "ü", "==2E", "=2E="} {
		if got, err := Unescape(bad); !errors.Is(err, providers.ErrInvalidKey) || got != "" {
			t.Errorf("Unescape(%q) = %q, %v; want ErrInvalidKey", bad, got, err)
		}
	}
}

func TestKey(t *testing.T) {
	k := providers.Key{Route: strings.Repeat("\xff", providers.MaxRoute), Node: strings.Repeat(".", providers.MaxNode)}
	s := FormatKey(k)
	if len(s) != 3*(providers.MaxRoute+providers.MaxNode)+1 {
		t.Errorf("%d bytes", len(s))
	}
	if got, err := ParseKey(s); err != nil || got != k {
		t.Errorf("ParseKey = %v, %v", got, err)
	}
	for _, bad := range []string{"", "a", ".", "a.", ".a", "a.b.c", "a.=", "=.a", "=00.a", "a.=0A", strings.Repeat("x", 257) + ".n"} {
		if got, err := ParseKey(bad); !errors.Is(err, providers.ErrInvalidKey) || got != (providers.Key{}) {
			t.Errorf("ParseKey(%q) = %v, %v; want ErrInvalidKey", bad, got, err)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a", "b")
	f.Add("=41", "A")
	f.Add("a.b", "a=2Eb")
	f.Add("\x00\xff", "*")
	f.Fuzz(func(t *testing.T, a, b string) {
		ea, eb := Escape(a), Escape(b)
		if (ea == eb) != (a == b) {
			t.Fatalf("%q and %q become %q and %q", a, b, ea, eb)
		}
		if a != "" && (!validKey.MatchString(ea) || strings.Contains(ea, ".")) {
			t.Fatalf("%q becomes %q, which is no token of a key", a, ea)
		}
		if back, err := Unescape(ea); err != nil || back != a {
			t.Fatalf("%q -> %q -> %q, %v", a, ea, back, err)
		}
		// The other direction: a token that is accepted is the only one of
		// its name.
		if name, err := Unescape(a); err == nil && Escape(name) != a {
			t.Fatalf("token %q is accepted as %q, whose token is %q", a, name, Escape(name))
		}
		if k, err := ParseKey(a + "." + b); err == nil && FormatKey(k) != a+"."+b {
			t.Fatalf("key %q is accepted as %v, whose key is %q", a+"."+b, k, FormatKey(k))
		}
	})
}

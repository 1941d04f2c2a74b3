package route

import (
	"errors"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, name := range []string{"a", "api/checkout", "api.checkout", "GET /v1/{id}", "ü/日本", strings.Repeat("x", MaxLen)} {
		if err := Validate(name); err != nil {
			t.Errorf("Validate(%q) = %v, want nil", name, err)
		}
	}
	for name, want := range map[string]string{
		"":                            "1 to 256 bytes",
		strings.Repeat("x", MaxLen+1): "257 bytes",
		"a\xff":                       "UTF-8",
		"a\x00b":                      "control character U+0000 at byte 1",
		"a\nb":                        "control character U+000A",
		"a\u007f":                     "control character U+007F",
		"a\u0085":                     "control character U+0085",
		"a.*":                         `wildcard '*' at byte 2`,
		"a.>":                         `wildcard '>' at byte 2`,
	} {
		err := Validate(name)
		if !errors.Is(err, ErrName) || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate(%q) = %v, want ErrName with %q", name, err, want)
		}
	}
}

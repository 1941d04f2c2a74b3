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
		"":                            "empty",
		strings.Repeat("x", MaxLen+1): "257 bytes long",
		"a\xff":                       "not UTF-8",
		"a\x00b":                      "control character 0x00 at 1",
		"a\nb":                        "control character 0x0a at 1",
		"a\u007f":                     "control character 0x7f at 1",
		"a\u0085":                     "control character 0x85 at 1",
		"a.*":                         "wildcard * at 2",
		"a.>":                         "wildcard > at 2",
	} {
		err := Validate(name)
		if !errors.Is(err, ErrName) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), Allowed) {
			t.Errorf("Validate(%q) = %v, want ErrName with %q and what is allowed", name, err, want)
		}
	}
}

package providers_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/atrion-io/atrion/providers"
)

func TestKeyError(t *testing.T) {
	for _, c := range []struct {
		key  providers.Key
		says []string
	}{
		{providers.Key{Route: "", Node: "n"}, []string{`route ""`, "allowed: 1..256 bytes, no control bytes"}},
		{providers.Key{Route: "r\x00", Node: "n"}, []string{`route "r\x00"`}},
		{providers.Key{Route: strings.Repeat("r", 257), Node: "n"}, []string{"rrr...", "257 bytes"}},
		{providers.Key{Route: "r", Node: strings.Repeat("n", 65)}, []string{`node "nnn`, "1..64"}},
		{providers.Key{Route: "r", Node: "\x7f"}, []string{`node "\x7f"`}},
	} {
		err := c.key.Validate()
		var ke *providers.KeyError
		if !errors.Is(err, providers.ErrInvalidKey) || !errors.As(err, &ke) {
			t.Errorf("%.20q: %v", c.key, err)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%q does not say %q", err, s)
			}
		}
	}
	for _, k := range []providers.Key{{Route: "r", Node: "n"}, {Route: strings.Repeat("\xff", 256), Node: strings.Repeat(" ", 64)}} {
		if err := k.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestFilter(t *testing.T) {
	k := providers.Key{Route: "r", Node: "n"}
	for f, want := range map[providers.Filter]bool{
		{}: true, {Route: "r"}: true, {Node: "n"}: true, {Route: "r", Node: "n"}: true,
		{Route: "x"}: false, {Node: "x"}: false, {Route: "r", Node: "x"}: false, {Route: "n", Node: "r"}: false,
	} {
		if f.Match(k) != want || f.Validate() != nil {
			t.Errorf("%+v: %v, %v", f, f.Match(k), f.Validate())
		}
	}
	for _, f := range []providers.Filter{{Route: "\n"}, {Node: "\n"}, {Route: "r", Node: strings.Repeat("x", 65)}} {
		if err := f.Validate(); !errors.Is(err, providers.ErrInvalidKey) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestEventKind(t *testing.T) {
	for k, want := range map[providers.EventKind]string{providers.Changed: "changed", providers.Synced: "synced", providers.Reset: "reset", 9: "unknown"} {
		if k.String() != want {
			t.Errorf("%d: %q", k, k)
		}
	}
}

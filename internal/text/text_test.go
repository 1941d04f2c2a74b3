package text

import "testing"

func TestText(t *testing.T) {
	for s, want := range map[string]struct{ visible, plain bool }{
		"": {true, true}, "a-Z~!": {true, true}, "a b": {false, true}, "ü": {false, true}, "\x7f": {}, "a\n": {}, "\u0085": {}, "\xff": {},
	} {
		if Visible(s) != want.visible || Plain(s) != want.plain {
			t.Errorf("%q: visible %v, plain %v", s, Visible(s), Plain(s))
		}
	}
}

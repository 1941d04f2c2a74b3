package route

import (
	"slices"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, good := range []string{"a", "a/b", "a*", "*", "GET /x", strings.Repeat("x", MaxLen) + "*"} {
		if err := ValidatePattern(good); err != nil {
			t.Errorf("%.20q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a*b", "**", "a>", "a\n*", strings.Repeat("x", MaxLen+1) + "*", "\xff*"} {
		if err := ValidatePattern(bad); err == nil || !strings.Contains(err.Error(), AllowedPattern) {
			t.Errorf("%.20q: %v, want an error that says what is allowed", bad, err)
		}
	}
}

// The most specific comes first, and what Match says of one pattern is what the
// table finds.
func TestTableIsAListOfPatterns(t *testing.T) {
	patterns := []string{"a", "a/b", "a*", "a/*", "*", "b*", "a/bc*"}
	var table Table[string]
	for _, p := range patterns {
		table.Set(p, p)
	}
	table.Set("gone*", "gone*")
	table.Delete("gone*")
	table.Set("gone", "gone")
	table.Delete("gone")
	if n := table.Len(); n != len(patterns) {
		t.Errorf("Len is %d, want %d", n, len(patterns))
	}
	for name, want := range map[string][]string{
		"a": {"a", "a*", "*"}, "a/b": {"a/b", "a/*", "a*", "*"}, "a/bcd": {"a/bc*", "a/*", "a*", "*"},
		"b": {"b*", "*"}, "c": {"*"}, "gone": {"*"},
	} {
		if got := slices.Collect(table.Match(name)); !slices.Equal(got, want) {
			t.Errorf("%q is under %q, want %q", name, got, want)
		}
		var plain []string
		for _, p := range patterns {
			if Match(p, name) {
				plain = append(plain, p)
			}
		}
		slices.Sort(plain)
		sorted := slices.Sorted(slices.Values(want))
		if !slices.Equal(plain, sorted) {
			t.Errorf("Match says %q of %q, the table %q", plain, name, sorted)
		}
	}
	all := map[string]string{}
	for p, v := range table.All() {
		all[p] = v
	}
	for _, p := range patterns {
		if v, ok := table.Get(p); !ok || v != p || all[p] != p {
			t.Errorf("Get(%q): %q, %v; All: %q", p, v, ok, all[p])
		}
	}
}

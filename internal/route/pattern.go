package route

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// AllowedPattern is the rule for patterns, in words.
const AllowedPattern = "a route name, or what names begin with and '*'"

// ValidatePattern returns nil, or an error that says what is wrong. A pattern is
// a route name, which stands for itself, or a beginning of names, which may be
// empty, and '*'.
func ValidatePattern(pattern string) error {
	name, many := strings.CutSuffix(pattern, "*")
	if many && name == "" {
		return nil
	}
	if p := Problem(name); p != "" {
		return fmt.Errorf("%w: %s (allowed: %s)", ErrName, p, AllowedPattern)
	}
	return nil
}

// Match reports whether the pattern stands for the name.
func Match(pattern, name string) bool {
	if n := len(pattern) - 1; n >= 0 && pattern[n] == '*' {
		return strings.HasPrefix(name, pattern[:n])
	}
	return pattern == name
}

// Table finds what is said of a name among values under patterns. The zero
// Table is empty. It is not safe for concurrent use.
type Table[T any] struct {
	exact  map[string]T
	prefix map[string]T // without the '*'
	length []int        // those of prefixes, longest first
}

// Len is the number of patterns.
func (t *Table[T]) Len() int { return len(t.exact) + len(t.prefix) }

// Get returns the value under that very pattern.
func (t *Table[T]) Get(pattern string) (v T, ok bool) {
	if name, many := strings.CutSuffix(pattern, "*"); many {
		v, ok = t.prefix[name]
	} else {
		v, ok = t.exact[name]
	}
	return v, ok
}

// Set puts v under the pattern.
func (t *Table[T]) Set(pattern string, v T) {
	if t.exact == nil {
		t.exact, t.prefix = map[string]T{}, map[string]T{}
	}
	name, many := strings.CutSuffix(pattern, "*")
	if !many {
		t.exact[name] = v
		return
	}
	t.prefix[name] = v
	if !slices.Contains(t.length, len(name)) {
		t.length = append(t.length, len(name))
		slices.SortFunc(t.length, func(a, b int) int { return b - a })
	}
}

// Delete takes the pattern away. The lengths of those that were there stay: a
// look for one that is gone costs little.
func (t *Table[T]) Delete(pattern string) {
	if name, many := strings.CutSuffix(pattern, "*"); many {
		delete(t.prefix, name)
	} else {
		delete(t.exact, name)
	}
}

// Match yields the values whose patterns stand for the name, the most specific
// first: the name itself, then the longest beginning.
func (t *Table[T]) Match(name string) iter.Seq[T] {
	return func(yield func(T) bool) {
		if v, ok := t.exact[name]; ok && !yield(v) {
			return
		}
		for _, n := range t.length {
			if n > len(name) {
				continue
			}
			if v, ok := t.prefix[name[:n]]; ok && !yield(v) {
				return
			}
		}
	}
}

// All yields every pattern and its value, in no particular order.
func (t *Table[T]) All() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for name, v := range t.exact {
			if !yield(name, v) {
				return
			}
		}
		for name, v := range t.prefix {
			if !yield(name+"*", v) {
				return
			}
		}
	}
}

package control

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/atrion-io/atrion"
)

// report collects what is wrong with a document.
type report struct {
	errs []error
	more int
}

// maxErrors is how many wrong fields one answer names; the rest are counted.
const maxErrors = 16

func (r *report) wrong(path, value, allowed string) {
	if len(r.errs) == maxErrors {
		r.more++
		return
	}
	r.errs = append(r.errs, &atrion.FieldError{Field: path, Value: value, Allowed: allowed})
}

// section reads the keys of one object. Those that nobody asked for are wrong.
type section struct {
	*report
	path  string
	tree  tree
	asked []string
}

// section returns the section t, which must be an object.
func (r *report) section(path string, t tree) *section {
	if t.kind != "object" {
		name := path
		if name == "" {
			name = "document"
		}
		r.wrong(name, t.show(), "an object")
		t = tree{kind: "object"}
	}
	return &section{report: r, path: path, tree: t}
}

// show is the value as an error shows it.
func (t *tree) show() string {
	s := t.appendTo(nil)
	if len(s) > 48 {
		s = append(s[:45], "..."...)
	}
	return strings.ToValidUTF8(string(s), "")
}

// take returns the value of a key, if it is there.
func (s *section) take(key string) (v tree, path string, ok bool) {
	s.asked = append(s.asked, key)
	path = join(s.path, key)
	if i := slices.Index(s.tree.keys, key); i >= 0 {
		return s.tree.values[i], path, true
	}
	return tree{}, path, false
}

// end complains about the keys that nobody asked for.
func (s *section) end() {
	for _, key := range s.tree.keys {
		if !slices.Contains(s.asked, key) {
			s.wrong(join(s.path, key), "unknown", strings.Join(s.asked, ", "))
		}
	}
}

func (s *section) number(key string, p *float64) {
	v, path, ok := s.take(key)
	if !ok {
		return
	}
	x, err := strconv.ParseFloat(v.text, 64)
	if v.kind != "number" || err != nil {
		s.wrong(path, v.show(), "a number")
		return
	}
	*p = x
}

func (s *section) whole(key string, p *int) {
	v, path, ok := s.take(key)
	if !ok {
		return
	}
	x, err := strconv.Atoi(v.text)
	if v.kind != "number" || err != nil {
		s.wrong(path, v.show(), "a whole number")
		return
	}
	*p = x
}

func (s *section) flag(key string, p *bool) {
	if v, path, ok := s.take(key); ok {
		if v.kind != "boolean" {
			s.wrong(path, v.show(), "true or false")
			return
		}
		*p = v.text == "true"
	}
}

func (s *section) span(key string, p *time.Duration) {
	v, path, ok := s.take(key)
	if !ok {
		return
	}
	d, err := time.ParseDuration(v.text)
	if v.kind != "string" || err != nil {
		s.wrong(path, v.show(), `a duration with its unit, as "1.5s" or "10m"`)
		return
	}
	*p = d
}

func (s *section) string(key string, p *string) {
	if v, path, ok := s.take(key); ok {
		if v.kind != "string" {
			s.wrong(path, v.show(), "a string")
			return
		}
		*p = v.text
	}
}

// sub reads the object under key, if it is there.
func (s *section) sub(key string, read func(*section)) {
	if v, path, ok := s.take(key); ok {
		in := s.section(path, v)
		read(in)
		in.end()
	}
}

// within complains about a number out of its range; 0 and NaN included unless
// they are within.
func (r *report) within(path string, v, low, high float64) {
	if !(v >= low && v <= high) {
		r.wrong(path, strconv.FormatFloat(v, 'g', -1, 64), fmt.Sprintf("%g to %g", low, high))
	}
}

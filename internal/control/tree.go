package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Limits of a document.
const (
	MaxDocument = 256 << 10 // bytes
	maxDepth    = 16
)

// tree is a JSON value that remembers the order of its keys.
type tree struct {
	kind   string // object, list, string, number, boolean, null
	keys   []string
	values []tree // of an object, as keys are, or of a list
	text   string // of a string, a number, a boolean
}

// parseTree reads one JSON value and nothing else. A key that comes twice is an
// error: which one counts would be anybody's guess.
func parseTree(data []byte) (tree, error) {
	if len(data) > MaxDocument {
		return tree{}, fieldError("document", fmt.Sprint(len(data), " bytes"), fmt.Sprintf("at most %d", MaxDocument))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	t, err := readTree(d, "", 0)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the document")
		}
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
		return tree{}, fmt.Errorf("%w: line %d: %w", ErrInvalid, line, err)
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return tree{}, fmt.Errorf("%w: it ends too early", ErrInvalid)
	case err != nil && !errors.Is(err, ErrInvalid):
		return tree{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return t, err
}

func readTree(d *json.Decoder, path string, depth int) (tree, error) {
	token, err := d.Token()
	if err != nil {
		return tree{}, err
	}
	switch v := token.(type) {
	case string:
		return tree{kind: "string", text: v}, nil
	case json.Number:
		return tree{kind: "number", text: v.String()}, nil
	case bool:
		return tree{kind: "boolean", text: fmt.Sprint(v)}, nil
	case nil:
		return tree{kind: "null"}, nil
	}
	if depth == maxDepth {
		return tree{}, fieldError(path, "deeper", fmt.Sprintf("at most %d levels", maxDepth))
	}
	t := tree{kind: "list"}
	if token == json.Delim('{') {
		t.kind = "object"
	}
	seen := map[string]bool{}
	for i := 0; d.More(); i++ {
		at := fmt.Sprintf("%s[%d]", path, i)
		if t.kind == "object" {
			key, err := d.Token()
			if err != nil {
				return tree{}, err
			}
			name := key.(string)
			at = join(path, name)
			if seen[name] {
				return tree{}, fieldError(at, "there twice", "once")
			}
			seen[name] = true
			t.keys = append(t.keys, name)
		}
		v, err := readTree(d, at, depth+1)
		if err != nil {
			return tree{}, err
		}
		t.values = append(t.values, v)
	}
	_, err = d.Token()
	return t, err
}

// join is the path of a key: a.b, or a["b c"] where the key is no plain word.
func join(path, key string) string {
	plain := key != ""
	for _, c := range key {
		plain = plain && (c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9')
	}
	switch {
	case !plain:
		return fmt.Sprintf("%s[%q]", path, key)
	case path == "":
		return key
	}
	return path + "." + key
}

// appendTo writes the tree as JSON, without the keys of the top that are left
// out.
func (t *tree) appendTo(dst []byte, without ...string) []byte {
	quote := func(s string) {
		q, _ := json.Marshal(s) // a string always can be
		dst = append(dst, q...)
	}
	switch t.kind {
	case "string":
		quote(t.text)
	case "number", "boolean":
		dst = append(dst, t.text...)
	case "null":
		dst = append(dst, "null"...)
	case "list":
		dst = append(dst, '[')
		for i := range t.values {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = t.values[i].appendTo(dst)
		}
		dst = append(dst, ']')
	case "object":
		dst = append(dst, '{')
		first := true
		for i, key := range t.keys {
			if slices.Contains(without, key) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			quote(key)
			dst = append(dst, ':')
			dst = t.values[i].appendTo(dst)
		}
		dst = append(dst, '}')
	}
	return dst
}

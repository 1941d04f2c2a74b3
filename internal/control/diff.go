package control

import (
	"fmt"
	"maps"
	"slices"
)

// Change is one difference between two documents.
type Change struct {
	Path string `json:"path"`
	From string `json:"from,omitempty"` // as JSON; "": it is not there
	To   string `json:"to,omitempty"`
}

// Diff returns what changes from one document to the other, by path. A nil
// document is empty. Their revisions are not compared.
func Diff(from, to []byte) ([]Change, error) {
	a, err := flat(from)
	if err != nil {
		return nil, err
	}
	b, err := flat(to)
	if err != nil {
		return nil, err
	}
	paths := maps.Clone(a)
	maps.Copy(paths, b)
	changes := []Change{}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if a[path] != b[path] {
			changes = append(changes, Change{Path: path, From: a[path], To: b[path]})
		}
	}
	return changes, nil
}

// flat is the leaves of a document by path.
func flat(data []byte) (map[string]string, error) {
	leaves := map[string]string{}
	if data == nil {
		return leaves, nil
	}
	t, err := parseTree(data)
	if err != nil {
		return nil, err
	}
	t.flatten("", leaves)
	delete(leaves, "revision")
	return leaves, nil
}

func (t *tree) flatten(path string, leaves map[string]string) {
	if len(t.values) == 0 {
		if path != "" {
			leaves[path] = string(t.appendTo(nil))
		}
		return
	}
	for i := range t.values {
		if t.kind == "object" {
			t.values[i].flatten(join(path, t.keys[i]), leaves)
		} else {
			t.values[i].flatten(fmt.Sprintf("%s[%d]", path, i), leaves)
		}
	}
}

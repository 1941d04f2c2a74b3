package node

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/conf"
)

// token is what nats-server's parser makes of a value: the value, and where it
// stands.
type token interface {
	Value() any
	Line() int
}

// load reads a configuration file in the NATS syntax into c and returns the
// file's digest. Every wrong line is named.
func (c *Config) load(path string) (digest string, err error) {
	tree, digest, err := conf.ParseFileWithChecksDigest(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	known := map[string]setting{}
	for _, s := range c.settings() {
		known[s.name] = s
	}
	var errs []error
	walk("", tree, func(name string, value any, line int) {
		if name == usersSetting {
			if err := c.loadUsers(value); err != nil {
				errs = append(errs, fmt.Errorf("%s:%d: %s%w", path, line, name, err))
			}
			return
		}
		s, ok := known[name]
		if block, key, dotted := strings.Cut(name, "."); dotted && known[block].block {
			s, ok, value = known[block], true, key+"="+scalar(value)
		}
		if !ok {
			errs = append(errs, fmt.Errorf("%s:%d: unknown setting %q", path, line, name))
			return
		}
		if err := s.set(scalar(value)); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %s %w", path, line, name, err))
		}
	})
	c.checkPlain(path)
	return digest, errors.Join(errs...)
}

// walk calls visit for every value in the tree, with the dotted name of its
// place, in a fixed order.
func walk(prefix string, tree map[string]any, visit func(name string, value any, line int)) {
	keys := make([]string, 0, len(tree))
	for k := range tree {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		v, line := untoken(tree[k]), 0
		if t, ok := tree[k].(token); ok {
			line = t.Line()
		}
		if sub, ok := v.(map[string]any); ok {
			walk(prefix+k+".", sub, visit)
			continue
		}
		visit(prefix+k, v, line)
	}
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = scalar(untoken(item))
		}
		return strings.Join(items, ",")
	default:
		return fmt.Sprint(v)
	}
}

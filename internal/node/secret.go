package node

import (
	"fmt"
	"os"
	"strings"

	"github.com/atrion-io/atrion/bus"
)

// secret is a setting that only the file can have, never the command line,
// which everybody on the machine can read.
func (c *Config) secret(name, usage string, p *bus.Secret) setting {
	return setting{name: name, usage: usage, secret: true,
		set: func(v string) (err error) { *p, err = c.resolve(v); return err },
		get: func() string { return "" }}
}

// resolve is the secret that v stands for: "$NAME" is that variable of the
// environment (a bcrypt hash begins with a $ too, and is itself), "file:PATH"
// the content of that file. Errors never quote v, which may be a secret.
func (c *Config) resolve(v string) (bus.Secret, error) {
	if name, ok := strings.CutPrefix(v, "$"); ok && !strings.HasPrefix(v, "$2") {
		value, ok := os.LookupEnv(name)
		if !ok || value == "" {
			return "", fmt.Errorf("refers to an environment variable that is not set (allowed: $NAME of one that is, file:PATH, or the secret itself)")
		}
		return bus.Secret(value), nil
	}
	if path, ok := strings.CutPrefix(v, "file:"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if b = []byte(strings.TrimSpace(string(b))); len(b) == 0 {
			return "", fmt.Errorf("refers to %s, which is empty", path)
		}
		c.checkMode(path)
		return bus.Secret(b), nil
	}
	if v != "" && !strings.HasPrefix(v, "$2") {
		c.plain = append(c.plain, v)
	}
	return bus.Secret(v), nil
}

// checkMode warns of a file with a secret that others may read.
func (c *Config) checkMode(path string) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		c.warnings = append(c.warnings, fmt.Sprintf("%s has a secret in it and mode %#o: others can read it; chmod 600 %s", path, info.Mode().Perm(), path))
	}
}

// checkPlain warns if the file at path has one of the secrets in it as it is,
// which one taken from the environment is not, and may be read by others.
func (c *Config) checkPlain(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	for _, s := range c.plain {
		if strings.Contains(string(text), s) {
			c.checkMode(path)
			break
		}
	}
	c.plain = nil
}

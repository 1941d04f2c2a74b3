package node

import (
	"fmt"

	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/providers/natskv"
)

// usersSetting is the list auth { users = [...] } of the file. It has no flag.
const usersSetting = "auth.users"

// controlBucket is where a fleet keeps what an operator told it.
const controlBucket = "ATRION_CONTROL"

// loadUsers takes the value of auth.users.
func (c *Config) loadUsers(value any) error {
	list, ok := value.([]any)
	if !ok {
		return fmt.Errorf(`is no list (allowed: [ {user: "svc", password: $SVC_PASSWORD, role: service}, ... ])`)
	}
	for i, item := range list {
		fields, ok := untoken(item).(map[string]any)
		if !ok {
			return fmt.Errorf("[%d] is no block (allowed: {user, password, role} or {nkey, role})", i)
		}
		var u bus.User
		for name, v := range fields {
			s := scalar(untoken(v))
			var err error
			switch name {
			case "user":
				u.Name = s
			case "password":
				u.Password, err = c.resolve(s)
			case "nkey":
				u.NKey = s
			case "role":
				u.Role = bus.Role(s)
			default:
				err = fmt.Errorf("is unknown (allowed: user, password, nkey, role)")
			}
			if err != nil {
				return fmt.Errorf("[%d].%s %w", i, name, err)
			}
		}
		if err := u.Validate(); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
		c.Users = append(c.Users, u)
	}
	return nil
}

// untoken is the value without where it stands.
func untoken(v any) any {
	if t, ok := v.(token); ok {
		return t.Value()
	}
	return v
}

// auth is who may use the embedded server; nil: everybody.
func (c *Config) auth() *bus.AuthConfig {
	if len(c.Users) == 0 {
		return nil
	}
	bucket := c.Bucket
	if bucket == "" {
		bucket = natskv.DefaultBucket
	}
	return &bus.AuthConfig{Users: c.Users, Buckets: []string{bucket, controlBucket}}
}

// tlsSettings are the settings of one kind of TLS links, below a prefix.
func tlsSettings(prefix, what string, f *bus.TLSFiles) []setting {
	return []setting{
		text(prefix+".cert", "certificate file (PEM) "+what, &f.Cert),
		text(prefix+".key", "key file of the certificate", &f.Key),
		text(prefix+".ca", "file with the authorities that signed the other side's certificate", &f.CA),
		toggle(prefix+".verify", "ask the other side for a certificate", &f.Verify),
	}
}

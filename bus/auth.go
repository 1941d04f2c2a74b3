package bus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/atrion-io/atrion/internal/wire"
)

// Role is what a user of an embedded server may do. Whatever is not listed is
// refused, subscriptions by the back door of a queue group among it.
type Role string

// The roles. docs/operations.md has the subjects of each.
const (
	RoleService  Role = "service"  // publish telemetry, ask for decisions
	RoleObserver Role = "observer" // read events, health and what is configured
	RoleAdmin    Role = "admin"    // an observer that may change things
	RoleNode     Role = "node"     // another atrion-node, with the buckets of ours
)

// User is somebody the embedded server knows: by a name and a password, or by
// a key.
type User struct {
	Name     string // one token of letters, digits, '_' and '-'
	Password Secret // as it is, or a bcrypt hash of it
	NKey     string // or a public user key, U...; the user keeps the seed
	Role     Role
}

// AuthConfig says who may use an embedded server. Without one, anybody who
// reaches it may do anything.
type AuthConfig struct {
	Users []User
	// Buckets are the key-value buckets that RoleNode may use.
	Buckets []string
}

// engineName is no user's: it stands for this process.
const engineName = "atrion"

// InboxPrefix is where a user gets its answers, and the only place where it
// may listen for them: with the usual prefix of all, clients could read each
// other's. Connections need it as nats.CustomInboxPrefix.
func InboxPrefix(user string) string { return "_INBOX_" + user }

// Identity is the user's name, or its key.
func (u *User) Identity() string {
	if u.NKey != "" {
		return u.NKey
	}
	return u.Name
}

// Validate returns nil, or what is wrong with the user.
func (u *User) Validate() error {
	wrong := func(field, value, allowed string) error {
		return fmt.Errorf("%w: %s is %s; allowed: %s", ErrInvalidConfig, field, value, allowed)
	}
	switch {
	case (u.NKey == "") == (u.Name == ""):
		return wrong("user", fmt.Sprintf("%q with nkey %q", u.Name, u.NKey), "one of the two")
	case u.NKey != "" && u.Password != "":
		return wrong("password", "set beside nkey", "none: the key is enough")
	case u.NKey != "" && !nkeys.IsValidPublicUserKey(u.NKey):
		return wrong("nkey", "something else", "a public user key, U... (the seed, SU..., stays with the user)") // not quoted: it may be the seed
	case u.NKey == "" && u.Password == "":
		return wrong("password", "empty for user "+u.Name, "a password, or its bcrypt hash")
	case u.Name == engineName:
		return wrong("user", fmt.Sprintf("%q", u.Name), "another name: this one is the node itself")
	case u.Name != "" && strings.ContainsFunc(u.Name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	}):
		return wrong("user", fmt.Sprintf("%q", u.Name), "letters, digits, '_' and '-'")
	}
	switch u.Role {
	case RoleService, RoleObserver, RoleAdmin, RoleNode:
		return nil
	}
	return wrong("role", fmt.Sprintf("%q for user %s", u.Role, u.Identity()), "service, observer, admin, node")
}

// Validate returns nil, or what is wrong with any of the users.
func (c *AuthConfig) Validate() error {
	var errs []error
	seen := map[string]bool{}
	for i := range c.Users {
		u := &c.Users[i]
		if err := u.Validate(); err != nil {
			errs = append(errs, err)
		} else if seen[u.Identity()] {
			errs = append(errs, fmt.Errorf("%w: user %s is there twice; allowed: once", ErrInvalidConfig, u.Identity()))
		}
		seen[u.Identity()] = true
	}
	return errors.Join(errs...)
}

// What the roles may publish. Requests that read are the observer's.
var (
	servicePublish = []string{
		wire.TelemetryPrefix + ".>", wire.RoutePrefix + ".>",
		"atrion.node.*.telemetry.>", "atrion.node.*.route.>", // what a cluster makes of them
		PartitionPrefix + ".*.telemetry.>", PartitionPrefix + ".*.route.>", // and affinity
		wire.AnyPrefix + ".>",
	}
	observerPublish = []string{
		wire.HealthSubject, wire.ExplainPrefix + ".>", "atrion.node.*.health", "atrion.node.*.explain.>",
		"atrion.admin.config.get", "atrion.admin.config.get.>", "atrion.admin.config.history", "atrion.admin.config.history.>",
		"atrion.admin.config.diff", "atrion.admin.config.diff.>",
		"atrion.admin.ban.list", "atrion.admin.ban.list.>", "atrion.admin.override.list", "atrion.admin.override.list.>",
		"$SRV.PING", "$SRV.PING.>", "$SRV.INFO", "$SRV.INFO.>", "$SRV.STATS", "$SRV.STATS.>",
	}
	adminPublish = append([]string{"atrion.admin.>"}, observerPublish...)
)

// permissions are the subjects of the role for the user of that identity.
func (c *AuthConfig) permissions(role Role, identity string) *server.Permissions {
	inbox := InboxPrefix(identity) + ".>"
	p := &server.Permissions{Publish: &server.SubjectPermission{}, Subscribe: &server.SubjectPermission{Allow: []string{inbox}}}
	switch role {
	case RoleService:
		p.Publish.Allow = servicePublish
	case RoleObserver, RoleAdmin:
		p.Publish.Allow = observerPublish
		if role == RoleAdmin {
			p.Publish.Allow = adminPublish
		}
		p.Subscribe.Allow = append(p.Subscribe.Allow, wire.EventPrefix+".>")
	case RoleNode:
		p.Subscribe.Allow = append(p.Subscribe.Allow, "atrion.>", "$SRV.>")
		p.Publish.Allow = append([]string{"atrion.>"}, c.bucketSubjects()...)
		// It answers requests, wherever they want to be answered, and soon.
		p.Response = &server.ResponsePermission{MaxMsgs: server.DEFAULT_ALLOW_RESPONSE_MAX_MSGS, Expires: server.DEFAULT_ALLOW_RESPONSE_EXPIRATION}
	}
	return p
}

// bucketSubjects are what a client of the buckets publishes: their keys, and
// JetStream requests about them, here or in the hub's domain, and about nothing
// else.
func (c *AuthConfig) bucketSubjects() []string {
	var all []string
	for _, api := range []string{"$JS.API.", "$JS.*.API."} {
		all = append(all, api+"INFO")
		for _, b := range c.Buckets {
			stream := "KV_" + b
			for _, verb := range []string{"STREAM.*.", "STREAM.MSG.*.", "CONSUMER.*.", "CONSUMER.*.*.", "DIRECT.GET."} {
				all = append(all, api+verb+stream, api+verb+stream+".>")
			}
		}
	}
	for _, b := range c.Buckets {
		all = append(all, "$KV."+b+".>", "$JS.*.API.$KV."+b+".>")
	}
	return append(all, "$JS.ACK.>", "$JS.FC.>")
}

// engineUser is how this process's own connections are known to its server. Its
// key never leaves the process, and nobody may use it over a socket.
type engineUser struct {
	pair   nkeys.KeyPair
	public string
}

func newEngineUser() (*engineUser, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("bus: make a key: %w", err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("bus: make a key: %w", err)
	}
	return &engineUser{pair, public}, nil
}

func (u *engineUser) options() []nats.Option {
	return []nats.Option{nats.Nkey(u.public, u.pair.Sign), nats.CustomInboxPrefix(InboxPrefix(engineName))}
}

func (u *engineUser) nkey(p *server.Permissions) *server.NkeyUser {
	return &server.NkeyUser{Nkey: u.public, Permissions: p, AllowedConnectionTypes: map[string]struct{}{"IN_PROCESS": {}}}
}

// reserved are subjects on which a service must never be heard, whoever asks
// it for an answer there: state, JetStream, orders to nodes. Whoever asks
// chooses where the answer goes.
var reserved = []string{"$KV.>", "$JS.>", "$SYS.>", "atrion.admin.>", "atrion.node.>", wire.TelemetryPrefix + ".>", wire.RoutePrefix + ".>"}

// engine is who this process is to its own server: keeper may do everything,
// speaker, which talks with clients, nothing to what is reserved.
type engine struct{ keeper, speaker *engineUser }

// apply makes the users known to the server, and this process among them.
func (c *AuthConfig) apply(o *server.Options) (*engine, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	for i := range c.Users {
		u := &c.Users[i]
		p := c.permissions(u.Role, u.Identity())
		if u.NKey != "" {
			o.Nkeys = append(o.Nkeys, &server.NkeyUser{Nkey: u.NKey, Permissions: p})
		} else {
			o.Users = append(o.Users, &server.User{Username: u.Name, Password: string(u.Password), Permissions: p})
		}
	}
	var e engine
	var err error
	if e.keeper, err = newEngineUser(); err != nil {
		return nil, err
	}
	if e.speaker, err = newEngineUser(); err != nil {
		return nil, err
	}
	o.Nkeys = append(o.Nkeys, e.keeper.nkey(nil),
		e.speaker.nkey(&server.Permissions{Publish: &server.SubjectPermission{Deny: reserved}}))
	return &e, nil
}

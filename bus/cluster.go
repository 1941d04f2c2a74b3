package bus

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/atrion-io/atrion/internal/wire"
)

// ClusterConfig makes an embedded server a member of a cluster. All members
// have the same Name, the same list of Routes, and names of their own.
type ClusterConfig struct {
	// Name of the cluster. Required.
	Name string
	// Host and Port are where the other members reach this one. Required; an
	// address beyond loopback needs a Password, or TLS with Verify, or
	// EmbeddedConfig.Insecure.
	Host string
	Port int
	// Advertise is the host:port that members tell each other instead, for one
	// behind a proxy or in a container.
	Advertise string
	// Routes are the URLs of all members, nats://host:port, this one's own
	// among them or not. At least one.
	Routes []string
	// User and Password are what members show each other.
	User     string
	Password Secret
	// TLS of the links between members.
	TLS TLSFiles
}

// How soon a member that hangs is noticed: what is sent to it is lost until then.
// The server's own default is half a minute and more.
const (
	routePing     = time.Second
	routePingsOut = 3
)

// A member that is away is tried once a second, over several connections: that
// it still is, is said once a minute.
const reportAttempts = 60

func (c *ClusterConfig) validate(wrong func(field string, value any, allowed string) error, insecure bool) error {
	switch {
	case c.Name == "" || strings.ContainsAny(c.Name, " \t\r\n"):
		return wrong("Cluster.Name", fmt.Sprintf("%q", c.Name), "a name without spaces")
	case c.Port < -1 || c.Port == 0 || c.Port > 65535:
		return wrong("Cluster.Port", c.Port, "1..65535, or -1 for any")
	case len(c.Routes) == 0:
		return wrong("Cluster.Routes", "empty", "at least one nats://host:port of another member")
	case !insecure && !IsLoopback(c.Host) && c.Password == "" && !c.TLS.Verify:
		return wrong("Cluster.Host", fmt.Sprintf("%q without authentication", c.Host), "a loopback address, or set Password, or TLS with Verify, or Insecure")
	}
	_, err := parseURLs("Cluster.Routes", c.Routes)
	return err
}

func (c *ClusterConfig) apply(o *server.Options) error {
	o.Cluster = server.ClusterOpts{
		Name: c.Name, Host: c.Host, Port: c.Port, Advertise: c.Advertise,
		Username: c.User, Password: string(c.Password),
		PingInterval: routePing, MaxPingsOut: routePingsOut,
		WriteDeadline: 2 * time.Second,
	}
	o.ConnectErrorReports, o.ReconnectErrorReports = reportAttempts, reportAttempts
	var err error
	if o.Routes, err = parseURLs("Cluster.Routes", c.Routes); err != nil {
		return err
	}
	if c.Password != "" {
		for _, u := range o.Routes {
			u.User = url.UserPassword(c.User, string(c.Password))
		}
	}
	if c.TLS.Given() {
		if o.Cluster.TLSConfig, err = c.TLS.Load(); err != nil {
			return err
		}
		o.Cluster.TLSTimeout = tlsTimeout
	}
	return nil
}

// Localize has the clients of this member asked and told here, by the node of
// that name, as long as it serves: a message on atrion.route or atrion.telemetry
// becomes one on the node's own subject. By itself a cluster spreads messages
// over all members at random. Then the telemetry of a call reaches another node
// than the one that let it pass, a held permit is not known where it ends, and a
// member that hangs swallows its share of everybody's messages. Only a member of
// a cluster needs it; for others it does nothing.
func (e *Embedded) Localize(node string) error {
	if e.config.Cluster == nil {
		return nil
	}
	account, own := e.server.GlobalAccount(), wire.NodePrefix(node)
	if err := account.AddMapping(RoutePrefix+".>", own+".route.>"); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	if err := account.AddMapping(TelemetryPrefix+".>", own+".telemetry.>"); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	return nil
}

// Delocalize undoes Localize, before the node stops: the other members take what
// its clients send.
func (e *Embedded) Delocalize() {
	if e.config.Cluster != nil {
		e.server.GlobalAccount().RemoveMapping(RoutePrefix + ".>")
		e.server.GlobalAccount().RemoveMapping(TelemetryPrefix + ".>")
	}
}

// trouble says what keeps this member from writing state. The links are looked
// at first: JetStream itself takes up to half a minute to notice that the
// others are gone.
func (c *ClusterConfig) trouble(s *server.Server) string {
	const goesOn = "state is not written, decisions go on from memory"
	if linked, need := 1+s.NumRemotes(), len(c.Routes)/2+1; linked < need {
		return fmt.Sprintf("cluster %s has no quorum here: %d of %d members are linked, %d are needed: %s", c.Name, linked, len(c.Routes), need, goesOn)
	}
	if h := s.Healthz(&server.HealthzOptions{JSMetaOnly: true}); h.Error != "" {
		return fmt.Sprintf("cluster %s has no quorum here: %s: %s", c.Name, h.Error, goesOn)
	}
	return ""
}

// parseURLs parses URLs that must have a host and must not carry a password:
// one in a URL ends up in logs and in the process table.
func parseURLs(field string, raw []string) ([]*url.URL, error) {
	urls := make([]*url.URL, len(raw))
	for i, s := range raw {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("%w: %s has %q; allowed: scheme://host:port", ErrInvalidConfig, field, redactURL(s))
		}
		if _, has := u.User.Password(); has {
			return nil, fmt.Errorf("%w: %s has a password in %s; allowed: none in a URL, there are settings for it", ErrInvalidConfig, field, u.Redacted())
		}
		urls[i] = u
	}
	return urls, nil
}

// redactURL is s without what stands before an @, for messages about URLs that
// may not even parse.
func redactURL(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s
	}
	scheme, _, ok := strings.Cut(s, "://")
	if !ok {
		return "..." + s[at:]
	}
	return scheme + "://..." + s[at:]
}

package bus

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// LeafConfig makes an embedded server a leaf of an existing NATS system, its
// hub. Messages flow between the two; JetStream of the leaf is its own, in a
// domain of its own.
type LeafConfig struct {
	// Remotes are URLs of the hub's servers, nats-leaf://host:port. At least
	// one; others are tried when one is away.
	Remotes []string
	// Credentials is a credentials file for the hub, or User and Password are
	// known to it.
	Credentials string
	User        string
	Password    Secret
	// TLS of the link to the hub; a URL of scheme tls:// is enough where the
	// hub's certificate is one that this machine trusts.
	TLS TLSFiles
	// Domain is the JetStream domain of this server, unique among the hub and
	// its leaves. Required.
	Domain string
}

// leafReconnect is how soon a lost hub is looked for again.
const leafReconnect = time.Second

func (c *LeafConfig) validate(wrong func(field string, value any, allowed string) error) error {
	switch {
	case len(c.Remotes) == 0:
		return wrong("Leaf.Remotes", "empty", "at least one nats-leaf://host:port of the hub")
	case c.Domain == "" || strings.ContainsAny(c.Domain, " \t\r\n.*>"):
		return wrong("Leaf.Domain", fmt.Sprintf("%q", c.Domain), "a name without spaces, dots, '*' and '>'")
	}
	_, err := parseURLs("Leaf.Remotes", c.Remotes)
	return err
}

func (c *LeafConfig) apply(o *server.Options) error {
	urls, err := parseURLs("Leaf.Remotes", c.Remotes)
	if err != nil {
		return err
	}
	remote := &server.RemoteLeafOpts{URLs: urls, Credentials: c.Credentials}
	if c.Password != "" {
		for _, u := range urls {
			u.User = url.UserPassword(c.User, string(c.Password))
		}
	}
	if c.TLS.Given() {
		if remote.TLSConfig, err = c.TLS.Load(); err != nil {
			return err
		}
		remote.TLS, remote.TLSTimeout = true, tlsTimeout
	}
	o.JetStreamDomain = c.Domain
	o.LeafNode.Remotes = []*server.RemoteLeafOpts{remote}
	o.LeafNode.ReconnectInterval = leafReconnect
	o.ConnectErrorReports, o.ReconnectErrorReports = reportAttempts, reportAttempts
	return nil
}

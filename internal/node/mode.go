package node

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/providers/natskv"
)

// joined is the mode of a node without a server of its own: a plain client of
// an existing NATS. The other modes are those of the embedded server.
const joined bus.Mode = "client"

// clusterConfig is how the embedded server belongs to a cluster.
type clusterConfig struct {
	Name      string
	Listen    string // host:port for the other members
	Advertise string
	Routes    []string
	User      string
	Password  bus.Secret
	TLS       bus.TLSFiles
}

func (c *clusterConfig) given() bool { return c.Name != "" || c.Listen != "" || len(c.Routes) > 0 }

// leafConfig is how the embedded server is a leaf of an existing NATS.
type leafConfig struct {
	Remotes     []string
	Credentials string
	User        string
	Password    bus.Secret
	TLS         bus.TLSFiles
	Domain      string
}

// joinTimeout bounds how long a node's start waits for the cluster it belongs
// to, or for its hub, before it serves alone. A node that comes back to a
// running cluster needs about two seconds; its stored states are there then,
// before the first decision.
const joinTimeout = 5 * time.Second

// mode is how the node runs, as the settings imply.
func (c *Config) mode() bus.Mode {
	switch {
	case c.NATS != "":
		return joined
	case c.Cluster.given():
		return bus.Clustered
	case len(c.Leaf.Remotes) > 0:
		return bus.Leaf
	}
	return bus.Standalone
}

// keeps reports whether the embedded server needs a directory. A member of a
// cluster does in any case: it votes.
func (c *Config) keeps() bool { return c.State == "kv" || c.mode() == bus.Clustered }

// replicas of the bucket: one more than half of them keeps it writable.
func (c *Config) replicas() int {
	switch {
	case c.Replicas > 0:
		return c.Replicas
	case c.mode() == bus.Clustered:
		return 3
	}
	return 1
}

// stateDomain is where the bucket is. Leaves share it through their hub: each
// of them alone would know a part only, and lose it with its machine.
func (c *Config) stateDomain() string {
	if c.Domain == "" && c.mode() == bus.Leaf {
		return "hub"
	}
	return c.Domain
}

// leafDomain names the leaf's own JetStream, which must differ from the hub's
// and from every other leaf's.
func (c *Config) leafDomain() string {
	if c.Leaf.Domain != "" {
		return c.Leaf.Domain
	}
	return "leaf-" + strings.ReplaceAll(natskv.Escape(c.Node), "=", "_")
}

// warned is what is allowed, but worth a word.
func (c *Config) warned() []string {
	all := c.warnings
	for _, l := range []struct {
		setting, addr string
		tls           bool
	}{{"listen", c.Listen, c.TLS.Given()}, {"cluster.listen", c.Cluster.Listen, c.Cluster.TLS.Given()}} {
		if host, _, err := net.SplitHostPort(l.addr); err == nil && c.mode() != joined && !bus.IsLoopback(host) && !l.tls {
			all = append(all, l.setting+" is beyond loopback without TLS: what is sent can be read on the way, passwords too")
		}
	}
	return all
}

func (c *Config) validateMode(wrong func(name string, value any, allowed string)) error {
	var given []string
	for _, m := range []struct {
		name string
		set  bool
	}{{"nats", c.NATS != ""}, {"cluster", c.Cluster.given()}, {"leaf.remotes", len(c.Leaf.Remotes) > 0}} {
		if m.set {
			given = append(given, m.name)
		}
	}
	if len(given) > 1 {
		return fmt.Errorf("%s are set together (allowed: one of them, for one mode)", strings.Join(given, " and "))
	}
	if c.mode() != bus.Clustered {
		return nil
	}
	if c.Cluster.Name == "" {
		wrong("cluster.name", `""`, "a name, with cluster.listen and cluster.routes")
	}
	if _, _, err := splitAddr(c.Cluster.Listen); err != nil {
		wrong("cluster.listen", strconv.Quote(c.Cluster.Listen), "host:port, with a numeric port")
	}
	if len(c.Cluster.Routes) == 0 {
		wrong("cluster.routes", "empty", "cluster.listen of every member, as nats://host:port")
	}
	return nil
}

// splitAddr is the host and the numeric port of addr.
func splitAddr(addr string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(p)
	return host, port, err
}

func (n *Node) startEmbedded(ctx context.Context) (*bus.Embedded, error) {
	c := &n.cfg
	host, port, err := splitAddr(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen is %q (allowed: host:port, with a numeric port)", c.Listen)
	}
	e := bus.EmbeddedConfig{Host: host, Port: port, Insecure: c.Insecure, Affinity: c.Affinity, ServerName: c.Node, Auth: c.auth(), TLS: c.TLS, Logger: n.log, Memory: !c.keeps()}
	if c.keeps() {
		e.StoreDir = c.StoreDir
	}
	switch c.mode() {
	case bus.Clustered:
		host, port, err := splitAddr(c.Cluster.Listen)
		if err != nil {
			return nil, fmt.Errorf("cluster.listen is %q (allowed: host:port, with a numeric port)", c.Cluster.Listen)
		}
		e.Cluster = &bus.ClusterConfig{
			Name: c.Cluster.Name, Host: host, Port: port, Advertise: c.Cluster.Advertise, Routes: c.Cluster.Routes,
			User: c.Cluster.User, Password: c.Cluster.Password, TLS: c.Cluster.TLS,
		}
	case bus.Leaf:
		e.Leaf = &bus.LeafConfig{
			Remotes: c.Leaf.Remotes, Credentials: c.Leaf.Credentials, User: c.Leaf.User, Password: c.Leaf.Password,
			TLS: c.Leaf.TLS, Domain: c.leafDomain(),
		}
	}
	embedded, err := bus.StartEmbedded(e)
	if err != nil {
		return nil, err
	}
	bound, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	if trouble := embedded.Settle(bound); trouble != "" {
		if ctx.Err() != nil {
			return embedded, ctx.Err()
		}
		n.log.Warn("serving alone until it changes", "reason", trouble)
	}
	return embedded, nil
}

// trouble is what is wrong with the cluster or the hub; "" for nothing.
func (n *Node) trouble() string {
	if n.embedded == nil {
		return ""
	}
	why := n.embedded.Trouble()
	if domain := n.cfg.stateDomain(); why == "" && domain != "" && n.provider != nil && !n.provider.Status().Ready {
		why = fmt.Sprintf("the bucket should be in JetStream domain %s: if there is none of that name, set state.domain to the hub's, or to this node's own", domain)
	}
	return why
}

package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/natskv"
	"github.com/atrion-io/atrion/vec"
)

func serveCommand(ctx context.Context, io stdio, args []string) error {
	c, test, err := parseServe(io, args)
	if err != nil || test {
		return err
	}
	n, err := Start(ctx, c, newLogger(c, io.err))
	if err != nil {
		return err
	}
	<-ctx.Done()
	return n.Stop()
}

// parseServe reads flags and file: flags win. test is set if the command line
// only asked for a check, which has then been answered.
func parseServe(io stdio, args []string) (c Config, test bool, err error) {
	c = DefaultConfig()
	var file string
	given := map[string]string{}
	fs := flagSet(io, "serve", "[flags]")
	fs.StringVar(&file, "config", "", "configuration `file`; flags win over it")
	fs.StringVar(&file, "c", "", "the same")
	fs.BoolVar(&test, "t", false, "test the configuration and exit")
	for _, s := range c.settings() {
		if s.secret {
			continue
		}
		usage := fmt.Sprintf("%s (default %q)", s.usage, s.get())
		note := func(v string) error { given[s.name] = v; return nil }
		if s.bool {
			fs.BoolFunc(s.flag(), usage, note)
		} else {
			fs.Func(s.flag(), usage, note)
		}
	}
	if _, err := parseFlags(fs, args, 0); err != nil {
		return c, false, err
	}
	digest := ""
	if file != "" {
		if digest, err = c.load(file); err != nil {
			return c, false, err
		}
	}
	for _, s := range c.settings() {
		if v, ok := given[s.name]; ok {
			if err := s.set(v); err != nil {
				return c, false, usageError{fmt.Errorf("flag -%s %w", s.flag(), err)}
			}
		}
	}
	if c.mode() == joined {
		c.Access.fromEnvironment()
	}
	if err := c.Validate(); err != nil {
		return c, false, err
	}
	if test {
		for _, w := range c.warned() {
			fmt.Fprintln(io.err, "warning:", w)
		}
		fmt.Fprintf(io.out, "configuration is valid %s\n", digest)
	}
	return c, test, nil
}

func newLogger(c Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // validated
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// Node is a running node.
type Node struct {
	cfg      Config
	log      *slog.Logger
	embedded *bus.Embedded // nil: joined an existing NATS
	conns    []*nats.Conn
	provider providers.Provider
	engine   *atrion.Engine
	service  *bus.Service
	monitor  *monitor
	ready    atomic.Bool
}

// loadTimeout bounds how long a node's start waits for its stored states, beside
// the wait for the bucket: a million of them take some seconds. After it the
// node serves while the rest is loaded.
const loadTimeout = 250 * time.Millisecond

// Start starts a node. What was started before an error is stopped again.
func Start(ctx context.Context, c Config, log *slog.Logger) (_ *Node, err error) {
	n := &Node{cfg: c, log: log}
	defer func() {
		if err != nil {
			_ = n.Stop()
		}
	}()
	for _, w := range c.warned() {
		log.Warn(w)
	}
	if err := vec.EnvError(); err != nil {
		log.Warn("ATRION_VEC ignored", "error", err)
	}
	for _, l := range vec.Supported() {
		if l.String() == c.Vec {
			if err := vec.SetLevel(l); err != nil {
				return nil, err
			}
		}
	}
	if c.mode() != joined {
		if n.embedded, err = n.startEmbedded(ctx); err != nil {
			return nil, err
		}
	}
	// One connection for each kind of traffic: a flood of telemetry must not
	// stand in front of decisions, nor either in front of state.
	telemetry, err := n.connect("telemetry", true)
	if err != nil {
		return nil, err
	}
	decisions, err := n.connect("decisions", true)
	if err != nil {
		return nil, err
	}
	if c.State == "kv" {
		state, err := n.connect("state", false)
		if err != nil {
			return nil, err
		}
		kv, err := natskv.Open(ctx, state, natskv.Config{Bucket: c.Bucket, Domain: c.stateDomain(), Replicas: c.replicas(), TTL: c.StateTTL})
		if err != nil {
			return nil, err
		}
		n.provider = kv
	}
	law, err := c.law()
	if err != nil {
		return nil, err
	}
	n.engine, err = atrion.New(atrion.Config{
		Law: law, Provider: n.provider, Node: c.Node, Voltage: c.Voltage, MaxRoutes: c.MaxRoutes,
		MailboxSize: c.Mailbox, IdleAfter: c.IdleAfter, FailClosed: c.FailClosed, Logger: log,
		StartTimeout: loadTimeout, SaveInterval: c.Gossip, SaveBudget: c.Budget, Tiers: c.Tiers, Floors: c.Floors, Quota: c.Quota,
	})
	if err != nil {
		return nil, err
	}
	operators, err := n.controller()
	if err != nil {
		return nil, err
	}
	var nodes *nats.Conn
	if c.Affinity {
		nodes, err = n.connect("nodes", true)
	}
	if err != nil {
		return nil, err
	}
	semver, revision := version()
	n.service, err = bus.Serve(telemetry, decisions, n.engine, bus.Options{
		Control: operators, Node: c.Node, Version: semver, Mode: string(c.mode()), Logger: log, HoldTTL: c.HoldTTL, Trouble: n.trouble,
		TrustHeaders: c.TrustBids, Affinity: nodes,
	})
	if err != nil {
		return nil, err
	}
	if n.embedded != nil && !c.Affinity { // with it, routes have a home already
		if err := n.embedded.Localize(c.Node); err != nil {
			return nil, err
		}
	}
	if c.Monitor != "" {
		if n.monitor, err = startMonitor(c.Monitor, n.service.Health, n.ready.Load); err != nil {
			return nil, err
		}
		log.Info("monitoring", "url", "http://"+n.monitor.addr()+"/healthz")
	}
	n.ready.Store(true)
	log.Info("atrion-node ready", "node", c.Node, "mode", string(c.mode()), "nats", n.URL(), "law", c.Law, "routes", n.engine.Stats().Routes,
		"version", semver, "revision", revision, "vec", vec.Active().String())
	return n, nil
}

// connect opens a connection that reconnects for ever. One that serves clients
// may not touch state, where the embedded server knows its users.
func (n *Node) connect(purpose string, clients bool) (nc *nats.Conn, err error) {
	name := "atrion-node " + n.cfg.Node + " " + purpose
	opts := []nats.Option{
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		// Nothing is buffered while the connection is down: stale answers and
		// events help nobody.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				n.log.Warn("NATS connection lost", "connection", purpose, "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			n.log.Info("NATS connection restored", "connection", purpose, "server", nc.ConnectedUrl())
		}),
		nats.ErrorHandler(bus.LogErrors(n.log, purpose)),
	}
	switch {
	case n.embedded != nil && clients:
		nc, err = n.embedded.ConnectSpeaker(name, opts...)
	case n.embedded != nil:
		nc, err = n.embedded.Connect(name, opts...)
	default:
		nc, err = n.join(append(opts, nats.Name(name)))
	}
	if err != nil {
		return nil, err
	}
	n.conns = append(n.conns, nc)
	return nc, nil
}

// join connects to the existing NATS.
func (n *Node) join(opts []nats.Option) (*nats.Conn, error) {
	access, err := n.cfg.Access.options()
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(n.cfg.NATS, append(opts, access...)...)
	if errors.Is(err, nats.ErrAuthorization) {
		return nil, fmt.Errorf("NATS at %s does not know this node (%w): set nats_user and nats_password, nats_nkey, or creds", n.cfg.NATS, err)
	}
	if err != nil {
		return nil, fmt.Errorf("NATS at %s cannot be reached (%w): start it, or run without --nats for an embedded server", n.cfg.NATS, err)
	}
	return nc, nil
}

// URL is where clients reach this node.
func (n *Node) URL() string {
	if n.embedded != nil {
		return n.embedded.ClientURL()
	}
	return n.cfg.NATS
}

// Stop drains the node: it takes no more messages, answers those in flight,
// works off every mailbox, writes states, and shuts down, all within the
// configured bound. Whatever was started is stopped, also after an error.
func (n *Node) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.Drain)
	defer cancel()
	n.ready.Store(false)
	var errs []error
	note := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	if n.embedded != nil {
		n.embedded.Delocalize()
	}
	if n.service != nil {
		note("drain", n.service.Drain(ctx))
	}
	if n.engine != nil {
		note("engine", n.engine.Close(ctx))
	}
	if n.provider != nil {
		note("state", n.provider.Close(ctx))
	}
	if n.monitor != nil {
		note("monitor", n.monitor.stop(ctx))
	}
	for _, nc := range n.conns {
		nc.Close()
	}
	if n.embedded != nil {
		note("NATS", n.embedded.Shutdown(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopped, but not cleanly: %w", err)
	}
	n.log.Info("stopped")
	return nil
}

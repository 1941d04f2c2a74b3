package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Defaults of EmbeddedConfig.
const (
	DefaultHost           = "127.0.0.1"
	DefaultPort           = 4222
	DefaultMaxMemory      = 256 << 20
	DefaultMaxStore       = 4 << 30
	DefaultMaxConnections = 4096
	DefaultStartTimeout   = 10 * time.Second
)

// ErrInvalidConfig is wrapped by errors of a configuration that cannot work.
var ErrInvalidConfig = errors.New("bus: invalid config")

// EmbeddedConfig configures a NATS server within this process.
type EmbeddedConfig struct {
	// Host is the address to listen on; "": DefaultHost, so that nobody
	// outside this machine gets in by default. Anything that is not loopback
	// needs authentication (Auth, Configure) or Insecure.
	Host string
	// Port to listen on, 1..65535; 0: DefaultPort; -1: one that is free.
	Port int
	// DontListen makes the server reachable by Conn and Connect only. A member
	// of a cluster cannot: its links wait for the client listener.
	DontListen bool
	// Insecure allows an address that is not loopback without authentication.
	Insecure bool

	// ServerName is the server's name, unique in a cluster; "": "atrion".
	ServerName string

	// Cluster makes the server a member of a cluster, Leaf a leaf of an
	// existing NATS system. At most one of them; nil, nil: a server alone.
	Cluster *ClusterConfig
	Leaf    *LeafConfig

	// Auth says who may connect and do what; nil: anybody, anything. This
	// process's own connections are users of their own.
	Auth *AuthConfig
	// TLS of clients' connections; those of this process do without.
	TLS TLSFiles

	// Affinity maps routes to partitions, for nodes that own them; see Mappings.
	Affinity bool

	// StoreDir is where JetStream keeps its files; it is locked while the
	// server runs. Required, unless Memory.
	StoreDir string
	// Memory keeps nothing: what JetStream writes to files goes to a temporary
	// directory, which Shutdown removes. Not for a member of a cluster, which
	// must not forget how it voted.
	Memory bool

	// MaxMemory and MaxStore are the most bytes of JetStream's memory and file
	// streams; 0: DefaultMaxMemory, DefaultMaxStore. Without limits the server
	// would take three quarters of the machine.
	MaxMemory int64
	MaxStore  int64
	// MaxConnections is the most clients at a time, those of this process
	// included; one more is turned away (nats.ErrMaxConnectionsExceeded, or a
	// broken connection if it is slow to read that). 0: DefaultMaxConnections.
	MaxConnections int

	// Logger gets what the server and its connections have to say, notices as
	// debug messages; nil: nobody.
	Logger *slog.Logger
	// StartTimeout bounds StartEmbedded; 0: DefaultStartTimeout.
	StartTimeout time.Duration

	// Configure, if set, changes the server's options last. It must leave
	// address and store alone.
	Configure func(*server.Options)
	// ConnOptions go to every connection of this process: credentials, where
	// Configure asks for any.
	ConnOptions []nats.Option
}

func (c EmbeddedConfig) withDefaults() (EmbeddedConfig, error) {
	if c.Host == "" {
		c.Host = DefaultHost
	}
	if c.Port == 0 {
		c.Port = DefaultPort
	}
	if c.ServerName == "" {
		c.ServerName = "atrion"
	}
	if c.MaxMemory == 0 {
		c.MaxMemory = DefaultMaxMemory
	}
	if c.MaxStore == 0 {
		c.MaxStore = DefaultMaxStore
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = DefaultStartTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	wrong := func(field string, value any, allowed string) error {
		return fmt.Errorf("%w: %s is %v; allowed: %s", ErrInvalidConfig, field, value, allowed)
	}
	switch {
	case c.Port < -1 || c.Port > 65535:
		return c, wrong("Port", c.Port, "1..65535, or -1 for any")
	case c.MaxMemory < 0:
		return c, wrong("MaxMemory", c.MaxMemory, "1 or more bytes")
	case c.MaxStore < 0:
		return c, wrong("MaxStore", c.MaxStore, "1 or more bytes")
	case c.MaxConnections < 1:
		return c, wrong("MaxConnections", c.MaxConnections, "1 or more")
	case c.StartTimeout < 0:
		return c, wrong("StartTimeout", c.StartTimeout, "over 0")
	case c.Memory == (c.StoreDir != ""):
		return c, wrong("StoreDir", strconv.Quote(c.StoreDir), "a directory, or none with Memory")
	case c.Cluster != nil && c.Leaf != nil:
		return c, wrong("Cluster", "set beside Leaf", "one of the two")
	case c.Cluster != nil && c.DontListen:
		return c, wrong("DontListen", true, "false in a cluster")
	case c.Cluster != nil && c.Memory:
		return c, wrong("Memory", true, "false in a cluster")
	case c.Cluster != nil:
		return c, c.Cluster.validate(wrong, c.Insecure)
	case c.Leaf != nil:
		return c, c.Leaf.validate(wrong)
	}
	return c, nil
}

// Mode says how a server of this configuration runs.
func (c *EmbeddedConfig) Mode() Mode {
	switch {
	case c.Cluster != nil:
		return Clustered
	case c.Leaf != nil:
		return Leaf
	}
	return Standalone
}

// Embedded is a running NATS server. It is safe for concurrent use.
type Embedded struct {
	config EmbeddedConfig
	server *server.Server
	log    *serverLog
	store  *storeDir
	conn   *nats.Conn
	engine *engine // nil without Auth

	mu      sync.Mutex
	conns   []*nats.Conn
	stopped chan struct{} // made by the first Shutdown, closed when all is down
}

// StartEmbedded starts a server with JetStream and connects to it. It does not
// wait for other members of a cluster, or for the hub of a leaf: see Settle.
// Its errors are one line that says what is wrong and what to do about it.
func StartEmbedded(config EmbeddedConfig) (*Embedded, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if !c.DontListen && c.Port > 0 {
		if err := portFree(c.Host, c.Port, "--listen"); err != nil {
			return nil, err
		}
	}
	if c.Cluster != nil && c.Cluster.Port > 0 {
		if err := portFree(c.Cluster.Host, c.Cluster.Port, "--cluster-listen"); err != nil {
			return nil, err
		}
	}
	var store *storeDir
	if c.Memory {
		store, err = tempStore()
	} else {
		store, err = openStore(c.StoreDir, c.Mode())
	}
	if err != nil {
		return nil, err
	}
	e, err := start(c, store)
	if err != nil {
		return nil, errors.Join(err, store.close())
	}
	return e, nil
}

func start(c EmbeddedConfig, store *storeDir) (*Embedded, error) {
	opts := &server.Options{
		ServerName:             c.ServerName,
		Host:                   c.Host,
		Port:                   c.Port,
		DontListen:             c.DontListen,
		NoSigs:                 true, // signals belong to the program around
		MaxConn:                c.MaxConnections,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               store.path,
		JetStreamMaxMemory:     c.MaxMemory,
		JetStreamMaxStore:      c.MaxStore,
		// A subscriber that does not read must not slow every publisher down.
		// It is cut off instead, soon, and before it has cost much.
		NoFastProducerStall: true,
		WriteDeadline:       2 * time.Second,
		// JetStream sends a watcher up to 32 MiB ahead when it replays a large
		// bucket; with less than that it would cut our own state connection off.
		MaxPending: 64 << 20,
	}
	self, err := c.apply(opts)
	if err != nil {
		return nil, err
	}
	if c.Configure != nil {
		c.Configure(opts)
	}
	if !c.Insecure && !opts.DontListen && !IsLoopback(opts.Host) && !authenticates(opts) {
		return nil, fmt.Errorf("%w: Host is %q without authentication; allowed: a loopback address, or set authentication, or Insecure", ErrInvalidConfig, opts.Host)
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("bus: embedded server: %w", err)
	}
	e := &Embedded{config: c, server: srv, log: newServerLog(c.Logger), store: store, engine: self}
	srv.SetLoggerV2(e.log, e.log.debug(), e.log.trace(), false)

	if c.Affinity {
		if err := mapPartitions(srv.GlobalAccount()); err != nil {
			return nil, err
		}
	}
	srv.Start() // does not block
	err = e.ready(c.StartTimeout)
	if err == nil {
		if e.conn, err = e.Connect("atrion"); err == nil {
			return e, nil
		}
	}
	srv.Shutdown()
	srv.WaitForShutdown()
	return nil, err
}

// apply sets what the parts of the configuration say, and returns who this
// process is to its server.
func (c *EmbeddedConfig) apply(o *server.Options) (self *engine, err error) {
	if c.TLS.Given() {
		if o.TLSConfig, err = c.TLS.Load(); err != nil {
			return nil, err
		}
		o.TLS, o.TLSVerify, o.TLSTimeout = true, c.TLS.Verify, tlsTimeout
	}
	if c.Auth != nil {
		if self, err = c.Auth.apply(o); err != nil {
			return nil, err
		}
	}
	switch {
	case c.Cluster != nil:
		err = c.Cluster.apply(o)
	case c.Leaf != nil:
		err = c.Leaf.apply(o)
	}
	return self, err
}

// ready waits for the server to say that it is ready, or that it cannot be. That
// it runs and has JetStream means nothing: both are true of a server that has
// failed.
func (e *Embedded) ready(timeout time.Duration) error {
	deadline := time.After(timeout)
	for {
		select {
		case err := <-e.log.fatal:
			return fmt.Errorf("bus: embedded server: %w", err)
		case <-deadline:
			return fmt.Errorf("bus: embedded server: not ready within %v: look at its log, or allow it more time", timeout)
		case <-time.After(time.Millisecond):
		}
		if e.server.ReadyForConnections(time.Millisecond) {
			return nil
		}
	}
}

// Conn is a connection within the process, for whatever needs no connection of
// its own. Shutdown closes it.
func (e *Embedded) Conn() *nats.Conn { return e.conn }

// Connect makes another connection within the process, with a name that shows
// in the server's monitoring. What must not wait for one another (telemetry,
// decisions, state) should have a connection each. Shutdown closes it, if the
// caller has not. With Auth it may do everything.
func (e *Embedded) Connect(name string, opts ...nats.Option) (*nats.Conn, error) {
	if e.engine != nil {
		opts = append(e.engine.keeper.options(), opts...)
	}
	return e.connect(name, opts)
}

// ConnectSpeaker is Connect for what answers clients: with Auth it may not
// touch state, JetStream or other nodes, however a client may ask for it.
func (e *Embedded) ConnectSpeaker(name string, opts ...nats.Option) (*nats.Conn, error) {
	if e.engine != nil {
		opts = append(e.engine.speaker.options(), opts...)
	}
	return e.connect(name, opts)
}

func (e *Embedded) connect(name string, opts []nats.Option) (*nats.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped != nil {
		return nil, errors.New("bus: embedded server is shut down")
	}
	all := []nats.Option{
		nats.InProcessServer(e.server),
		nats.Name(name),
		nats.ErrorHandler(LogErrors(e.config.Logger, name)),
		// There is one server, and it does not move; there is no use in
		// buffering for it.
		nats.ReconnectBufSize(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.MaxReconnects(-1),
		nats.DrainTimeout(10 * time.Second),
	}
	all = append(append(all, e.config.ConnOptions...), opts...)
	nc, err := nats.Connect("", all...)
	if err != nil {
		return nil, fmt.Errorf("bus: connect to the embedded server: %w", err)
	}
	e.conns = append(e.conns, nc)
	return nc, nil
}

// ClientURL is the URL other processes connect to; "" with DontListen.
func (e *Embedded) ClientURL() string {
	if e.config.DontListen {
		return ""
	}
	return e.server.ClientURL()
}

// SlowConsumers is how many clients the server has cut off for not reading.
func (e *Embedded) SlowConsumers() int64 { return e.server.NumSlowConsumers() }

// Shutdown drains the connections of this process, stops the server and
// unlocks the store. If ctx is done first, connections are closed undrained;
// if the server itself does not stop then, its error is returned and the store
// stays locked until it has. Calling it again waits for the same end.
func (e *Embedded) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	if e.stopped == nil {
		e.stopped = make(chan struct{})
		go e.stop(ctx, e.conns)
	}
	stopped := e.stopped
	e.mu.Unlock()
	// A context that is done ends the draining, and what is left takes no time
	// worth mentioning: give it that.
	grace := make(<-chan time.Time)
	done := ctx.Done()
	for {
		select {
		case <-stopped:
			return e.store.closeErr
		case <-done:
			done = nil
			grace = time.After(2 * time.Second)
		case <-grace:
			return fmt.Errorf("bus: embedded server did not stop: %w", ctx.Err())
		}
	}
}

func (e *Embedded) stop(ctx context.Context, conns []*nats.Conn) {
	defer close(e.stopped)
	var wg sync.WaitGroup
	for _, nc := range conns {
		wg.Go(func() { _ = drain(ctx, nc) })
	}
	wg.Wait()
	e.server.Shutdown()
	e.server.WaitForShutdown()
	e.store.close()
}

// drain lets nc finish what it has received and sent, and closes it. The error
// is ctx's, if that ended first. A connection that is down has nothing to drain.
func drain(ctx context.Context, nc *nats.Conn) error {
	defer nc.Close()
	closed := nc.StatusChanged(nats.CLOSED)
	defer nc.RemoveStatusListener(closed)
	if nc.Drain() != nil || nc.IsClosed() {
		return nil
	}
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Trouble says in one line what keeps a member of a cluster, or a leaf, from
// what it is a part of; "" if nothing does. The server itself serves all the
// same. It does no I/O.
func (e *Embedded) Trouble() string {
	switch {
	case e.config.Cluster != nil:
		return e.config.Cluster.trouble(e.server)
	case e.config.Leaf != nil && e.server.NumLeafNodes() == 0:
		return "leaf is cut off from its hub at " + strings.Join(e.config.Leaf.Remotes, ", ") + ": it serves its own clients alone, and looks for the hub"
	}
	return ""
}

// Settle waits until there is no Trouble, at most until ctx is done, and
// returns what there is then.
func (e *Embedded) Settle(ctx context.Context) string {
	for {
		trouble := e.Trouble()
		if trouble == "" {
			return ""
		}
		select {
		case <-ctx.Done():
			return trouble
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// portFree reports, before anything is touched, whether the port can be had;
// setting is where another one is chosen.
func portFree(host string, port int, setting string) error {
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("bus: port %s is taken: stop the server that has it, or choose another with %s", addr, setting)
	}
	if err != nil {
		return fmt.Errorf("bus: cannot listen on %s: choose another address with %s: %w", addr, setting, err)
	}
	return l.Close()
}

// IsLoopback reports whether only this machine can reach the host.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// authenticates reports whether clients have to say who they are.
func authenticates(o *server.Options) bool {
	return o.Username != "" || o.Authorization != "" || len(o.Users) > 0 || len(o.Nkeys) > 0 ||
		len(o.TrustedOperators) > 0 || len(o.TrustedKeys) > 0 || o.AuthCallout != nil ||
		o.CustomClientAuthentication != nil || o.TLSVerify
}

// tempStore is a store that is gone after close.
func tempStore() (*storeDir, error) {
	path, err := os.MkdirTemp("", "atrion-")
	if err != nil {
		return nil, fmt.Errorf("bus: no temporary directory for the embedded server: %w", err)
	}
	return &storeDir{path: path, temp: true}, nil
}

var _ io.Closer = (*Embedded)(nil)

// Close is Shutdown within ten seconds.
func (e *Embedded) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return e.Shutdown(ctx)
}

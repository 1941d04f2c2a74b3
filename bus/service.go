package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/control"
	"github.com/atrion-io/atrion/internal/hold"
	"github.com/atrion-io/atrion/internal/wire"
)

// Options are a service's settings. The zero value works.
type Options struct {
	Node    string       // this node's name in replies and events
	Version string       // SemVer shown by "nats micro"; default "0.0.0"
	Mode    string       // how this node runs, in its health
	Logger  *slog.Logger // default: nothing is logged

	// Trouble, if set, says in one line what is wrong around the service, ""
	// for nothing, which makes its health degraded. It does no I/O.
	Trouble func() string

	// Control puts in force what operators say; the service runs it, and Drain
	// closes it. Default: one that keeps nothing beyond this process.
	Control *control.Controller

	// TrustHeaders makes the headers Atrion-Tier and Atrion-Voltage of a decision
	// request say what it bids, whatever its body says: for a bus on which only
	// gateways of your own may ask. Otherwise they are ignored and counted.
	TrustHeaders bool

	// Affinity is a connection on which nodes tell each other that they live: each
	// route is then decided by one of them, where the NATS servers have Mappings.
	// The service does not close it. Node must be set, and unique. nil: every node
	// decides every route. All nodes of a fleet must agree on it.
	Affinity *nats.Conn

	// HoldTTL is how long a held permit lives without telemetry that ends it.
	// Default 2 s.
	HoldTTL time.Duration
	// MaxHolds bounds the permits held at a time; more requests with hold are
	// answered with error 429. Default 65,536.
	MaxHolds int
	// PendingMessages and PendingBytes bound what waits in a subscription of
	// this service. Default 65,536 and 16 MiB. What does not fit is dropped by
	// the NATS client and counted.
	PendingMessages int
	PendingBytes    int
}

func (o Options) withDefaults() Options {
	if o.Version == "" {
		o.Version = "0.0.0"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Trouble == nil {
		o.Trouble = func() string { return "" }
	}
	if o.HoldTTL <= 0 {
		o.HoldTTL = 2 * time.Second
	}
	if o.MaxHolds <= 0 {
		o.MaxHolds = 65_536
	}
	if o.PendingMessages <= 0 {
		o.PendingMessages = 65_536
	}
	if o.PendingBytes <= 0 {
		o.PendingBytes = 16 << 20
	}
	return o
}

// Service is an engine on the bus. Make one with Serve, end it with Drain.
type Service struct {
	eng  *atrion.Engine
	opts Options

	decisions *nats.Conn
	telemetry *nats.Conn
	subs      []*nats.Subscription // of telemetry
	micro     micro.Service

	affinity *affinity // nil: none
	holds    *hold.Table
	refused  refusals

	counters counters
	events   *atrion.Subscription
	stop     chan struct{}
	once     sync.Once
	drainErr error
	loops    sync.WaitGroup
}

// endpoint is a subject of the micro service.
type endpoint struct {
	name, subject string
	handler       micro.HandlerFunc
}

// Serve answers for eng on the two connections, which may be one and the same.
// They are the service's from here on: Drain closes them. The engine stays the
// caller's, to be closed after Drain.
func Serve(telemetry, decisions *nats.Conn, eng *atrion.Engine, opts Options) (_ *Service, err error) {
	opts = opts.withDefaults()
	s := &Service{eng: eng, opts: opts, decisions: decisions, telemetry: telemetry, stop: make(chan struct{})}
	s.holds = hold.New(opts.MaxHolds, int64(opts.HoldTTL))
	if opts.Control == nil {
		s.opts.Control = control.New(eng, &control.Memory{}, control.Options{Node: opts.Node, Logger: opts.Logger})
	}
	s.opts.Control.Audit(s.audit)
	s.events = eng.Events(1024)
	defer func() {
		if err != nil {
			s.undo()
		}
	}()
	// What operators said before is in force before the first answer, if it can
	// be had at once.
	ctx, cancel := context.WithTimeout(context.Background(), controlTimeout)
	s.opts.Control.Run(ctx)
	cancel()
	// Requests come as soon as there is an endpoint, and may ask for everything
	// there is: the rest of the service must stand before.
	if err := s.listen(); err != nil {
		return nil, fmt.Errorf("bus: subscribe to telemetry: %w", err)
	}
	if err := s.register(); err != nil {
		return nil, fmt.Errorf("bus: register the micro service: %w", err)
	}
	// Whoever is told that the service runs must find its subscriptions.
	if err := errors.Join(telemetry.Flush(), decisions.Flush()); err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	if opts.Affinity != nil {
		if err := s.join(opts.Affinity); err != nil {
			return nil, err
		}
	}
	s.loops.Add(2)
	go s.publishEvents()
	go s.expireHolds()
	return s, nil
}

// listen subscribes to telemetry: to everybody's, and to this node's own.
func (s *Service) listen() error {
	prefixes := []string{TelemetryPrefix}
	if s.opts.Node != "" {
		prefixes = append(prefixes, wire.NodePrefix(s.opts.Node)+".telemetry")
	}
	// One wildcard subscription, not one per route: a subscription is 4 KB and
	// a goroutine.
	for _, prefix := range prefixes {
		sub, err := s.telemetry.QueueSubscribe(prefix+".>", Group, s.observe(prefix))
		if err != nil {
			return err
		}
		s.subs = append(s.subs, sub)
		if err := sub.SetPendingLimits(s.opts.PendingMessages, s.opts.PendingBytes); err != nil {
			return err
		}
	}
	return nil
}

// register makes the endpoints of the micro service.
func (s *Service) register() (err error) {
	s.micro, err = micro.AddService(s.decisions, micro.Config{
		Name:         "atrion",
		Version:      s.opts.Version,
		Description:  "Overload control: may this request pass?",
		QueueGroup:   Group,
		Metadata:     map[string]string{"node": s.opts.Node},
		StatsHandler: func(*micro.Endpoint) any { return s.Stats() },
	})
	if err != nil {
		return err
	}
	endpoints := []endpoint{
		{"route", RoutePrefix + ".>", s.decide(RoutePrefix)},
		{"any", AnyPrefix + ".>", s.decide(AnyPrefix)},
		{"explain", ExplainPrefix + ".>", s.explain(ExplainPrefix)},
		{"health", HealthSubject, s.health},
	}
	if s.opts.Node != "" {
		own := wire.NodePrefix(s.opts.Node)
		endpoints = append(endpoints,
			endpoint{"node-route", own + ".route.>", s.decide(own + ".route")},
			endpoint{"node-explain", own + ".explain.>", s.explain(own + ".explain")},
			endpoint{"node-health", own + ".health", s.health})
	}
	limits := micro.WithEndpointPendingLimits(s.opts.PendingMessages, s.opts.PendingBytes)
	for _, e := range endpoints {
		if err := s.micro.AddEndpoint(e.name, s.answering(e.handler), micro.WithEndpointSubject(e.subject), limits); err != nil {
			return fmt.Errorf("%s: %w", e.subject, err)
		}
	}
	for _, op := range s.operations() {
		if err := s.micro.AddEndpoint(strings.ReplaceAll(op.name, ".", "-"), s.operate(op.run), micro.WithEndpointSubject(AdminPrefix+"."+op.name), limits); err != nil {
			return fmt.Errorf("%s.%s: %w", AdminPrefix, op.name, err)
		}
	}
	return nil
}

// undo takes back what a Serve that failed has begun. The connections stay the
// caller's then.
func (s *Service) undo() {
	if s.micro != nil {
		_ = s.micro.Stop()
	}
	for _, sub := range s.subs {
		_ = sub.Unsubscribe()
	}
	ctx, cancel := context.WithTimeout(context.Background(), controlTimeout)
	defer cancel()
	_ = s.opts.Control.Close(ctx)
	s.events.Close()
}

// controlTimeout is how long Serve waits for what operators said before.
const controlTimeout = 500 * time.Millisecond

// Drain stops taking messages, works off and answers those that have arrived,
// and closes the two connections. When ctx ends first the rest is cut off, and
// the error says so. It may be called again.
func (s *Service) Drain(ctx context.Context) error {
	s.once.Do(func() {
		close(s.stop)
		s.loops.Wait()
		// The service leaves "nats micro ls" first, then the connections drain:
		// that is the one way NATS offers to wait for what has arrived.
		s.drainErr = ignoreClosed(s.micro.Stop())
	})
	conns := s.conns()
	cut := make([]error, len(conns))
	var wg sync.WaitGroup
	for i, nc := range conns {
		wg.Go(func() { cut[i] = drain(ctx, nc) })
	}
	wg.Wait()
	cut = append(cut, s.opts.Control.Close(ctx))
	s.holds.DropAll()
	s.events.Close()
	if err := errors.Join(cut...); err != nil {
		return errors.Join(s.drainErr, fmt.Errorf("bus: drain: %w", err))
	}
	return s.drainErr
}

func (s *Service) conns() []*nats.Conn {
	if s.telemetry == s.decisions {
		return []*nats.Conn{s.decisions}
	}
	return []*nats.Conn{s.decisions, s.telemetry}
}

// ignoreClosed drops the errors of a connection that is down: it has nothing to
// drain.
func ignoreClosed(err error) error {
	for _, down := range []error{nats.ErrConnectionClosed, nats.ErrConnectionReconnecting, nats.ErrDisconnected, nats.ErrConnectionDraining, nats.ErrBadSubscription} {
		if errors.Is(err, down) {
			return nil
		}
	}
	return err
}

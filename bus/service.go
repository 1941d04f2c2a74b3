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
)

// Options are a service's settings. The zero value works.
type Options struct {
	Node    string       // this node's name in replies and events
	Version string       // SemVer shown by "nats micro"; default "0.0.0"
	Logger  *slog.Logger // default: nothing is logged

	// Control puts in force what operators say; the service runs it, and Drain
	// closes it. Default: one that keeps nothing beyond this process.
	Control *control.Controller

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
	sub       *nats.Subscription
	micro     micro.Service

	intake  intake
	holds   *hold.Table
	refused refusals

	counters counters
	events   *atrion.Subscription
	stop     chan struct{}
	once     sync.Once
	drainErr error
	loops    sync.WaitGroup
}

// Serve answers for eng on the two connections, which may be one and the same.
// They are the service's from here on: Drain closes them. The engine stays the
// caller's, to be closed after Drain.
func Serve(telemetry, decisions *nats.Conn, eng *atrion.Engine, opts Options) (*Service, error) {
	opts = opts.withDefaults()
	s := &Service{eng: eng, opts: opts, decisions: decisions, telemetry: telemetry, stop: make(chan struct{})}
	s.holds = hold.New(opts.MaxHolds, int64(opts.HoldTTL))
	if opts.Control == nil {
		s.opts.Control = control.New(eng, &control.Memory{}, control.Options{Node: opts.Node, Logger: opts.Logger})
	}
	s.opts.Control.Audit(s.audit)
	abandon := func() {
		_ = s.micro.Stop()
		_ = s.opts.Control.Close(context.Background())
	}

	var err error
	s.micro, err = micro.AddService(decisions, micro.Config{
		Name:         "atrion",
		Version:      opts.Version,
		Description:  "Overload control: may this request pass?",
		QueueGroup:   Group,
		Metadata:     map[string]string{"node": opts.Node},
		StatsHandler: func(*micro.Endpoint) any { return s.Stats() },
	})
	if err != nil {
		return nil, fmt.Errorf("bus: register the micro service: %w", err)
	}
	// What operators said before is in force before the first answer, if it can
	// be had at once.
	ctx, cancel := context.WithTimeout(context.Background(), controlTimeout)
	s.opts.Control.Run(ctx)
	cancel()
	limits := micro.WithEndpointPendingLimits(opts.PendingMessages, opts.PendingBytes)
	for _, e := range []struct {
		name, subject string
		handler       micro.HandlerFunc
	}{
		{"route", RoutePrefix + ".>", s.decide},
		{"explain", ExplainPrefix + ".>", s.explain},
		{"health", HealthSubject, s.health},
	} {
		if err := s.micro.AddEndpoint(e.name, e.handler, micro.WithEndpointSubject(e.subject), limits); err != nil {
			abandon()
			return nil, fmt.Errorf("bus: endpoint %s: %w", e.subject, err)
		}
	}
	for _, op := range s.operations() {
		if err := s.micro.AddEndpoint(strings.ReplaceAll(op.name, ".", "-"), s.operate(op.run), micro.WithEndpointSubject(AdminPrefix+"."+op.name), limits); err != nil {
			abandon()
			return nil, fmt.Errorf("bus: endpoint %s.%s: %w", AdminPrefix, op.name, err)
		}
	}
	// One wildcard subscription, not one per route: a subscription is 4 KB and
	// a goroutine.
	s.sub, err = telemetry.QueueSubscribe(TelemetryPrefix+".>", Group, s.observe)
	if err == nil {
		err = s.sub.SetPendingLimits(opts.PendingMessages, opts.PendingBytes)
	}
	// Whoever is told that the service runs must find its subscriptions.
	if err == nil {
		err = errors.Join(telemetry.Flush(), decisions.Flush())
	}
	if err != nil {
		abandon()
		return nil, fmt.Errorf("bus: subscribe to %s.>: %w", TelemetryPrefix, err)
	}
	s.events = eng.Events(1024)
	s.loops.Add(2)
	go s.publishEvents()
	go s.expireHolds()
	return s, nil
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

package actors

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/providers"
)

// Config is what a system is made of. Law is required; every other zero field
// takes its default. Ranges are checked by the atrion package, where the same
// settings are public.
type Config struct {
	Law      physics.Law
	Clock    Clock              // default Monotonic
	Provider providers.Provider // default none: state lives and dies with the process
	Node     string             // this node's name in the provider; required with one
	// Rules is asked for the rules of a route when it is made and at a Refresh,
	// under the registry's lock: it must not call the system. Default: none.
	Rules  func(route string) *Rules
	Logger *slog.Logger // default: discard

	Random func() float64 // uniform in [0,1), for laws that draw; default math/rand/v2

	MaxRoutes   int           // routes held; default 1,000,000
	MailboxSize int           // samples waiting per route; default 4096
	Linger      time.Duration // how long a busy actor waits for more; default 1 ms
	IdleAfter   time.Duration // idle routes are passivated after it; default 15 min
	PermitTTL   time.Duration // seats held for longer are taken back; default 1 min

	BackOff     time.Duration // after a first panic; default 10 ms
	MaxBackOff  time.Duration // at most; default 5 s
	MaxFailures int           // panics in a row until a route is faulty; default 5
	FailClosed  bool          // what a faulty route answers; default open

	LoadTimeout  time.Duration // for one route's state at creation; default 100 ms
	SaveInterval time.Duration // between writes to the provider; default 100 ms
	SaveBudget   int           // states written per interval; default 1000
	SaveTimeout  time.Duration // for one interval's writes; default 2 s
}

func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = Monotonic
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.MaxRoutes = cmp.Or(c.MaxRoutes, 1_000_000)
	c.MailboxSize = cmp.Or(c.MailboxSize, 4096)
	c.Linger = cmp.Or(c.Linger, time.Millisecond)
	c.IdleAfter = cmp.Or(c.IdleAfter, 15*time.Minute)
	c.PermitTTL = cmp.Or(c.PermitTTL, time.Minute)
	c.BackOff = cmp.Or(c.BackOff, 10*time.Millisecond)
	c.MaxBackOff = cmp.Or(c.MaxBackOff, 5*time.Second)
	c.MaxFailures = cmp.Or(c.MaxFailures, 5)
	c.LoadTimeout = cmp.Or(c.LoadTimeout, 100*time.Millisecond)
	c.SaveInterval = cmp.Or(c.SaveInterval, 100*time.Millisecond)
	c.SaveBudget = cmp.Or(c.SaveBudget, 1000)
	c.SaveTimeout = cmp.Or(c.SaveTimeout, 2*time.Second)
	return c
}

// System is all the actors of one engine. Its methods are safe for concurrent
// use. Make one with NewSystem.
type System struct {
	cfg      Config
	registry registry
	coarse   *coarse   // what decisions read, unless a clock was injected
	sched    Scheduler // the clock, if it runs the actors too; else nil
	draws    bool
	span     uint64 // ns of a span of seats
	regime   atomic.Pointer[Regime]
	amends   atomic.Bool // there was another regime than the first
	amender  amender
	events   stream
	saver    *saver
	present  presence
	life     atomic.Uint64 // of this system; see envelope
	counters counters

	// Pools are per system, not global: what a synctest bubble made must not
	// be used outside it.
	workers sync.Pool
	batches sync.Pool
	chunks  sync.Pool
	askers  sync.Pool

	closing atomic.Bool
	ctx     context.Context // ends when closing begins
	cancel  context.CancelFunc
	active  atomic.Int64  // actor goroutines
	drained chan struct{} // signalled when active may have become 0
	loops   sync.WaitGroup
}

// NewSystem returns a system without routes, or with those the provider holds
// for this node. Loading them goes on behind it when ctx ends first: a route
// that is asked about before its turn finds its state then. A provider that
// does not answer is not an error of the system; the log says so.
func NewSystem(ctx context.Context, cfg Config) *System {
	cfg = cfg.withDefaults()
	s := &System{
		cfg:     cfg,
		draws:   cfg.Law.Draws(),
		span:    spanLength(cfg.PermitTTL),
		drained: make(chan struct{}, 1),
	}
	s.sched, _ = cfg.Clock.(Scheduler)
	s.regime.Store(s.newRegime(cfg.Law))
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.registry.table = newTable()
	s.workers.New = newWorker
	s.batches.New = func() any { return physics.NewBatch() }
	s.chunks.New = func() any { return new(chunk) }
	s.askers.New = func() any { return make(chan struct{}, 1) }
	if cfg.Clock == Monotonic {
		s.coarse = newCoarse(cfg.Clock)
	}
	s.saver = newSaver(s)
	s.life.Store(uint64(time.Now().UnixMilli()))
	if s.sched != nil {
		s.life.Store(uint64(cfg.Clock.Now()))
	}
	switch {
	case s.saver == nil:
	case s.sched != nil:
		_ = s.saver.loadAll(ctx)
		s.announce(ctx)
		s.saver.follow()
	default:
		s.loops.Add(1)
		loaded := make(chan struct{})
		go s.saver.load(loaded)
		select {
		case <-loaded:
		case <-ctx.Done():
			cfg.Logger.Info("still loading stored states; routes asked about meanwhile find theirs", "loaded", s.counters.routes.Load())
		}
		s.loops.Add(2)
		go s.saver.run()
		go s.saver.follow()
	}
	s.loops.Add(1)
	go s.sweep()
	return s
}

// published is the snapshot of a state that is not to be changed any more.
func (s *System) published(st physics.State, revision uint64, at int64) *Published {
	p := &Published{State: st, Revision: revision, At: at, Seen: at}
	if s.draws {
		p.market = st.(physics.Market)
	}
	return p
}

// random is the draw of one request.
func (s *System) random() float64 {
	if s.cfg.Random != nil {
		return s.cfg.Random()
	}
	return rand.Float64()
}

// readNow is the time for decisions.
func (s *System) readNow() int64 {
	if s.coarse != nil {
		return s.coarse.Now()
	}
	return s.cfg.Clock.Now()
}

// Now reads the system's clock, not the coarse one.
func (s *System) Now() int64 { return s.cfg.Clock.Now() }

// Law returns the law of routes that have none of their own.
func (s *System) Law() physics.Law { return s.regime.Load().law }

// Subscribe returns a subscription to the system's events that buffers that
// many (at least one) before it drops.
func (s *System) Subscribe(buffer int) *Subscription { return s.events.subscribe(buffer) }

// Tell publishes an event of whoever runs the system.
func (s *System) Tell(ev Event) {
	ev.Time = s.cfg.Clock.Now()
	s.events.publish(ev)
}

// Count counts a request that was decided by what stands beside the law.
// Those in shadow are counted where they are decided.
func (s *System) Count(reason physics.Reason) {
	if i := int(reason) - int(physics.Banned); i >= 0 && i < len(s.counters.beside) {
		s.counters.beside[i].Add(1)
	}
}

// left books the end of an actor goroutine.
func (s *System) left() {
	if s.active.Add(-1) == 0 && s.closing.Load() {
		signal(s.drained)
	}
}

// lose books samples that no actor will see.
func (s *System) lose(r *Route, n int, counter *atomic.Uint64, cause string) {
	// An event for the 1st, 2nd, 4th, 8th ... loss: a flood that is being
	// dropped must not become a flood of events.
	if total := counter.Add(uint64(n)); total&(total-1) == 0 {
		s.events.publish(Event{Kind: DeadLetter, Route: r.name, Time: s.cfg.Clock.Now(), Lost: n, Cause: cause})
	}
}

// Close stops the system: no new routes or samples, every mailbox worked off,
// states flushed. When ctx ends first it returns an error that says what was
// left; the rest then happens without anyone waiting. Calling it again waits
// again and returns nil if all is done.
func (s *System) Close(ctx context.Context) error {
	s.registry.mu.Lock()
	first := !s.closing.Swap(true)
	s.registry.mu.Unlock()
	if first {
		s.cancel()
		s.retireAll()
	}
	for s.active.Load() > 0 {
		select {
		case <-s.drained:
		case <-ctx.Done():
			return fmt.Errorf("atrion: close: %d actors still busy: %w", s.active.Load(), ctx.Err())
		}
	}
	if s.coarse != nil {
		s.coarse.close()
	}
	s.loops.Wait()
	if err := s.saver.flush(ctx); err != nil {
		return fmt.Errorf("atrion: close: %d route states not written: %w", s.saver.pending(), err)
	}
	return nil
}

// retireAll closes every mailbox to new samples and hurries lingering actors.
func (s *System) retireAll() {
	for _, r := range s.Routes() {
		r.box.mu.Lock()
		r.box.retired = true
		rouse := r.box.rouse()
		r.box.mu.Unlock()
		s.rouse(rouse)
	}
	if s.sched != nil {
		s.sched.Settle()
	}
}

// Closed reports whether Close was called.
func (s *System) Closed() bool { return s.closing.Load() }

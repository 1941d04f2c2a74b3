package atrion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atrion-io/atrion/actors"
	"github.com/atrion-io/atrion/internal/meter"
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// Engine decides for any number of routes. Make one with New and Close it when
// done. Its methods are safe for concurrent use.
type Engine struct {
	cfg Config
	sys *actors.System

	// What decisions read beside routes, without a lock.
	live     atomic.Pointer[live]
	tiers    atomic.Pointer[tierTable]
	quota    *quota // nil: no guard
	subjects subjects

	applying sync.Mutex // held through Apply
	ops      sync.Mutex // held where bans and overrides change
	book     rulebook
	pruned   int64 // when ops last looked for what has expired, to make room
	pruning  atomic.Bool
	makers   *meter.Meter // of new routes, by subject
	banning  chan struct{}
}

// New returns an engine. Its error is ErrInvalidConfig and names every wrong
// field. With a provider it waits StartTimeout at most for the stored states; a
// provider that is away is logged, not an error.
func New(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.Law == nil {
		constants := ohmic.DefaultConfig()
		constants.Lanes = cfg.FloorLanes()
		law, err := ohmic.New(constants)
		if err != nil {
			return nil, err
		}
		cfg.Law = law
	}
	ctx, cancel := context.WithTimeout(context.Background(), cfg.StartTimeout)
	defer cancel()
	e := &Engine{cfg: cfg, banning: make(chan struct{}, banners), quota: cfg.Quota.start(cfg.Clock)}
	e.setTiers(cfg.Tiers)
	e.subjects.seed, e.book.clock = maphash.MakeSeed(), cfg.Clock
	e.live.Store(&live{voltage: cfg.Voltage})
	e.makers = meter.New(makers)
	e.sys = actors.NewSystem(ctx, actors.Config{
		Rules:        e.book.rules,
		Law:          cfg.Law,
		Clock:        cfg.Clock,
		Provider:     cfg.Provider,
		Node:         cfg.Node,
		Logger:       cfg.Logger,
		MaxRoutes:    cfg.MaxRoutes,
		MailboxSize:  cfg.MailboxSize,
		Linger:       cfg.Linger,
		IdleAfter:    cfg.IdleAfter,
		PermitTTL:    cfg.PermitTTL,
		Random:       cfg.Random,
		FailClosed:   cfg.FailClosed,
		SaveInterval: cfg.SaveInterval,
		SaveBudget:   cfg.SaveBudget,
	})
	return e, nil
}

// Route returns a handle on the route of that name, which is created if the
// engine does not have it. A name is 1 to 256 bytes of UTF-8 without control
// characters, '*' and '>'. Errors: an invalid name, ErrTooManyRoutes,
// ErrClosed. Creating a route may ask the provider for its stored state.
func (e *Engine) Route(name string) (*Route, error) {
	a, err := e.sys.Route(name)
	if err != nil {
		return nil, err
	}
	r := &Route{eng: e, name: a.Name()}
	r.actor.Store(a)
	return r, nil
}

// makers is how many subjects that make routes are told apart at a time.
const makers = 1 << 12

// RouteFor is Route for a request of that subject: Config.NewRoutes bounds how
// many new ones it may make, with ErrTooManyRoutes.
func (e *Engine) RouteFor(subject Subject, name string) (*Route, error) {
	if err := e.mayMake(subject, name); err != nil {
		return nil, err
	}
	return e.Route(name)
}

func (e *Engine) mayMake(subject Subject, name string) error {
	if subject == "" || e.sys.Lookup(name) != nil {
		return nil
	}
	n := e.cfg.NewRoutes
	if e.makers.Take(maphash.String(e.subjects.seed, string(subject)), e.sys.Now(), int64(time.Second)/int64(n), 10*n) {
		return nil
	}
	return fmt.Errorf("%w: subject %q made more than %d new ones a second (limit NewRoutes)", ErrTooManyRoutes, subject, n)
}

// Decide tells the route of that name what was observed, waits until that is
// taken into account, and answers whether a request of t.Voltage (0: the
// default), or of what the options say, may pass. Telemetry that gives no
// measurement is only a question, and is answered at once.
//
// If the telemetry cannot be taken into account within AskTimeout the decision
// is still given, on what is known, with an error that says so. For other
// errors (ErrInvalidTelemetry, an invalid name, ErrTooManyRoutes, ErrClosed)
// the Decision is zero.
func (e *Engine) Decide(name string, t Telemetry, options ...AcquireOption) (Decision, error) {
	if err := t.Validate(); err != nil {
		return Decision{}, err
	}
	ask, err := e.bid(cmp.Or(t.Voltage, e.live.Load().voltage), options)
	if err != nil {
		return Decision{}, err
	}
	if err := e.mayMake(ask.subject, name); err != nil {
		return Decision{}, err
	}
	if !t.measured() {
		return e.decide(name, &ask)
	}
	r, err := e.Route(name)
	if err != nil {
		return Decision{}, err
	}
	late := r.learn(&t)
	d, err := e.decide(name, &ask)
	if err == nil && late != nil {
		err = fmt.Errorf("atrion: decided without this telemetry: %w", late)
	}
	return d, err
}

// Learn tells the route of that name what was observed and waits, AskTimeout at
// most, until that is taken into account, for a caller who then acquires. For
// the errors see Decide.
func (e *Engine) Learn(name string, t Telemetry) error {
	if err := t.Validate(); err != nil {
		return err
	}
	r, err := e.Route(name)
	if err != nil || !t.measured() {
		return err
	}
	return r.learn(&t)
}

// Allow answers whether a request of that voltage may pass on the route of that
// name, and nothing else; see Route.Allow for something faster still.
func (e *Engine) Allow(name string, voltage float64) (bool, error) {
	voltage, _ = e.quota.cap(voltage, "")
	for !e.sys.Closed() {
		a, err := e.sys.Route(name)
		if err != nil {
			return false, err
		}
		if a.Ruled() {
			d, err := e.decide(name, &bid{voltage: voltage})
			return d.Allow, err
		}
		if allow, ok := a.Allow(voltage); ok {
			return allow, nil
		}
	}
	return false, ErrClosed
}

// decide is Decide without telemetry: one lookup and no handle.
func (e *Engine) decide(name string, ask *bid) (Decision, error) {
	for !e.sys.Closed() {
		a, err := e.sys.Route(name)
		if err != nil {
			return Decision{}, err
		}
		var d Decision
		ok := false
		if e.ordered(a, ask) {
			o := e.order(a, ask)
			d, _, ok = e.obeyed(a, &o, ask.voltage, false)
		} else if ruling, terms, p := a.Decide(ask.voltage); p != nil {
			d, ok = decision(a.Name(), ask.voltage, ruling, terms, p), true
		}
		if ok {
			d.Capped = ask.capped
			if !d.Allow {
				e.offended(ask.subject, &d)
			}
			return d, nil
		}
	}
	return Decision{}, ErrClosed
}

// Observe tells the route of that name what was observed, in order. All of it
// is validated before any of it counts. The error says how many of the
// observations were lost if the route's mailbox was full.
func (e *Engine) Observe(name string, ts ...Telemetry) error {
	for i := range ts {
		if err := ts[i].Validate(); err != nil {
			return fmt.Errorf("observation %d: %w", i, err)
		}
	}
	var part [8]physics.Sample
	for at := 0; at < len(ts); {
		n := min(len(part), len(ts)-at)
		for i := range n {
			part[i] = ts[at+i].sample(0)
		}
		if done, err := e.putAll(name, part[:n]); err != nil {
			return lostFrom(at+done, len(ts), err)
		}
		at += n
	}
	return nil
}

// ObserveSamples is Observe in the law's own terms, for intakes that have many
// at a time: what costs least between a socket and a mailbox. Times are ns from
// now: 0, or negative for what was observed earlier. A failed Outcome does not
// imply an ErrorRate here.
func (e *Engine) ObserveSamples(name string, samples []physics.Sample) error {
	for i := range samples {
		if err := checkSample(&samples[i]); err != nil {
			return fmt.Errorf("observation %d: %w", i, err)
		}
	}
	if done, err := e.putAll(name, samples); err != nil {
		return lostFrom(done, len(samples), err)
	}
	return nil
}

func lostFrom(at, of int, err error) error {
	return fmt.Errorf("observations %d to %d of %d lost: %w", at, of-1, of, err)
}

// putAll hands samples, whose times count from now, to the route of that name,
// and returns how many it took.
func (e *Engine) putAll(name string, samples []physics.Sample) (n int, err error) {
	now := e.sys.Now()
	for {
		a, err := e.sys.Route(name)
		if err != nil {
			return n, err
		}
		taken, err := a.PutAll(samples[n:], now)
		n += taken
		if !errors.Is(err, actors.ErrRetired) {
			return n, err
		}
	}
}

// Close stops the engine: it refuses new calls, works off every mailbox,
// writes what the provider has not seen, and returns; ctx bounds it, and its
// error says what was left undone. It may be called again.
func (e *Engine) Close(ctx context.Context) error { return e.sys.Close(ctx) }

package atrion

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/atrion-io/atrion/actors"
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/providers"
)

// Clock tells instants in nanoseconds; only differences matter. It must be
// safe for concurrent use and should be monotonic: an instant before the
// route's last one counts as that one.
type Clock = actors.Clock

// Config is what an engine is made of. The zero value works: the default law,
// no network, state that lives as long as the process. Every zero field takes
// the default that its comment states; New refuses values outside the ranges
// with one error that names them all.
type Config struct {
	// Law decides. Default: the closed-loop law, ohmic.New of
	// ohmic.DefaultConfig(). classic.New has the published one.
	Law physics.Law

	// Provider keeps route states beyond the life of this engine. Default:
	// none. The engine reads from it at start and when a route is created, and
	// writes to it in the background; decisions never wait for it. Whoever
	// made the provider closes it, after the engine.
	Provider providers.Provider

	// Node is this engine's name in the provider: 1 to 64 bytes. Required with
	// a Provider; two engines must not share one.
	Node string

	// Voltage is bid by requests that name none, in volts. Default 100.
	// Range: above 0, at most 1e9. Raising it makes such requests harder to shed.
	Voltage float64

	// Tiers are named voltages of one's own, beside those that every engine has:
	// 1 to 32 visible ASCII characters to volts. Default none, at most 32. A
	// request names one with Lane. Engine.SetTiers changes them later.
	Tiers map[string]float64

	// Floors are the least shares of what a callee serves that the lanes of
	// tiers get while they ask for so much: what bids no more than the tier and
	// more than the next lower one. Default none. Range: above 0, together at
	// most 0.9. They need the default law; one of your own has ohmic.Config.Lanes.
	Floors map[string]float64

	// Quota bounds how often one identity may bid high. Default: no guard.
	Quota Quota

	// MaxRoutes bounds the routes held at a time. Default 1,000,000. Range: 1
	// to 16,777,216. When it is reached, idle healthy routes give way; if none
	// can, new routes are refused with ErrTooManyRoutes. An idle route costs
	// about 470 bytes.
	MaxRoutes int

	// NewRoutes is how many new routes a second the requests of one Subject may
	// make, by Engine.Decide and over NATS; in a burst, ten times as many. More
	// are refused with ErrTooManyRoutes: a route for every identity must not let
	// one of them fill the table. Default 100. Range: 1 to 1,000,000.
	NewRoutes int

	// MaxBans and MaxOverrides bound the bans and the overrides in force at a
	// time; those that have expired give way, else new ones are refused with
	// ErrTooManyBans, ErrTooManyOverrides. Defaults 10,000. Ranges: 1 to
	// 1,000,000. Each costs some 300 bytes.
	MaxBans, MaxOverrides int

	// MailboxSize bounds the samples that wait for a route's actor. Default
	// 4096. Range: 1 to 1,048,576. When it is full the newest sample is
	// dropped and counted; decisions are not affected.
	MailboxSize int

	// Linger is how long a busy route's actor waits for more samples before it
	// gives up its goroutine. Default 1 ms. Range: 10 us to 1 s. Raising it
	// makes batches larger and snapshots older.
	Linger time.Duration

	// IdleAfter is how long a settled route must be unused to be passivated.
	// Default 15 min. Range: 1 s to 24 h.
	IdleAfter time.Duration

	// PermitTTL is how long a permit may live. One that is not ended by then was
	// forgotten, or its holder died: its seat is taken back, and what it reports
	// later does not count. Default 1 min. Range: 1 s to 24 h.
	PermitTTL time.Duration

	// FailClosed makes routes whose law keeps panicking reject instead of
	// admit. Default: fail open.
	FailClosed bool

	// AskTimeout bounds how long Engine.Decide waits for its telemetry to be
	// taken into account. Default 100 ms. Range: 1 ms to 1 min.
	AskTimeout time.Duration

	// StartTimeout bounds how long New waits for the provider's stored states;
	// after it they are loaded in the background, and a route asked about before
	// its turn finds its state then. Default 5 s. Range: 1 ms to 10 min.
	StartTimeout time.Duration

	// SaveInterval is the least time between two rounds of writes to the
	// provider, which is also how often a route that is being learned is told to
	// the other nodes. Default 100 ms. Range: 1 ms to 1 h. Raising it costs a
	// fleet goodput: .005 of it at 250 ms.
	SaveInterval time.Duration

	// SaveBudget bounds the route states written in one round. Default 1000.
	// Range: 1 to 1,000,000.
	SaveBudget int

	// Classify turns what a guarded call returned into an outcome. Default:
	// Classify. It must be safe for concurrent use.
	Classify func(error) Outcome

	// Clock is the engine's time. Default: the machine's monotonic clock, read
	// through a 1 ms cache where a decision can live with it. An injected
	// clock is read at every decision.
	Clock Clock

	// Random is the engine's chance, uniform in [0,1): it orders the requests
	// of one voltage at the price's edge. It must be safe for concurrent use.
	// Default: math/rand/v2.
	Random func() float64

	// Logger receives what an operator should know. Default: nothing is logged.
	Logger *slog.Logger
}

// withDefaults fills in what the engine itself reads; what it hands on to the
// actors has its defaults there.
func (c Config) withDefaults() Config {
	c.Voltage = cmp.Or(c.Voltage, DefaultVoltage)
	c.NewRoutes = cmp.Or(c.NewRoutes, 100)
	c.MaxBans = cmp.Or(c.MaxBans, 10_000)
	c.MaxOverrides = cmp.Or(c.MaxOverrides, 10_000)
	c.AskTimeout = cmp.Or(c.AskTimeout, 100*time.Millisecond)
	c.StartTimeout = cmp.Or(c.StartTimeout, 5*time.Second)
	if c.Classify == nil {
		c.Classify = Classify
	}
	if c.Clock == nil {
		c.Clock = actors.Monotonic
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate returns nil, or one ErrInvalidConfig that names every wrong field with
// its value and range. New does the same.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	add := func(field string, value any, allowed string) {
		errs = append(errs, &FieldError{Field: field, Value: fmt.Sprint(value), Allowed: allowed})
	}
	if !(c.Voltage > 0 && c.Voltage <= MaxVoltage) {
		add("Voltage", c.Voltage, allowedVoltage)
	}
	if err := checkTiers(c.Tiers); err != nil {
		errs = append(errs, err)
	} else if err := c.checkFloors(); err != nil {
		errs = append(errs, err)
	}
	c.Quota.validate(add)
	ranged(add, "MaxRoutes", c.MaxRoutes, 1, 1<<24)
	ranged(add, "NewRoutes", c.NewRoutes, 1, 1_000_000)
	ranged(add, "MaxBans", c.MaxBans, 1, 1_000_000)
	ranged(add, "MaxOverrides", c.MaxOverrides, 1, 1_000_000)
	ranged(add, "MailboxSize", c.MailboxSize, 1, 1<<20)
	ranged(add, "Linger", c.Linger, 10*time.Microsecond, time.Second)
	ranged(add, "IdleAfter", c.IdleAfter, time.Second, 24*time.Hour)
	ranged(add, "PermitTTL", c.PermitTTL, time.Second, 24*time.Hour)
	ranged(add, "AskTimeout", c.AskTimeout, time.Millisecond, time.Minute)
	ranged(add, "StartTimeout", c.StartTimeout, time.Millisecond, 10*time.Minute)
	ranged(add, "SaveInterval", c.SaveInterval, time.Millisecond, time.Hour)
	ranged(add, "SaveBudget", c.SaveBudget, 1, 1_000_000)
	if c.Provider != nil {
		if err := (providers.Key{Route: "x", Node: c.Node}).Validate(); err != nil {
			add("Node", fmt.Sprintf("%q", c.Node), "1 to 64 bytes without control bytes, with a Provider")
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalidConfig, errors.Join(errs...))
}

// ranged adds an error unless value is 0, which stands for the default, or
// within the range.
func ranged[T int | time.Duration](add func(string, any, string), field string, value, low, high T) {
	if value != 0 && (value < low || value > high) {
		add(field, value, fmt.Sprintf("%v to %v", low, high))
	}
}

// Limits and defaults of voltages, in volts.
const (
	DefaultVoltage = 100
	MaxVoltage     = 1e9
)

const allowedVoltage = "above 0, at most 1e+09, in volts"

func validVoltage(v float64) bool { return v > 0 && v <= MaxVoltage && !math.IsNaN(v) }

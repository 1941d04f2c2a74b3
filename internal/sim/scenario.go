package sim

import (
	"errors"
	"fmt"
	"math"
)

// Scenario is what happens to one backend and its clients. The zero value of a
// field means what its comment says.
type Scenario struct {
	Name     string
	Duration float64 // s
	Clients  Clients
	Backend  Backend
	Fault    Interval   // the overload or fault; empty: none
	Healthy  []Interval // where nothing is wrong and nobody should be turned away
}

// Interval is the time from second From up to, not including, second To.
type Interval struct{ From, To float64 }

// Empty tells whether nothing lies in the interval.
func (i Interval) Empty() bool { return i.To <= i.From }

// Length returns the length in seconds.
func (i Interval) Length() float64 { return i.To - i.From }

// Holds tells whether second t lies in the interval.
func (i Interval) Holds(t float64) bool { return i.From <= t && t < i.To }

// Clients is who wants something.
type Clients struct {
	Load     Curve            // logical requests, as share of the backend's nominal capacity
	Burst    float64          // the rate is load*(1+Burst) and load*(1-Burst) in turn, each for an exponential time
	Mix      [Classes]float64 // shares of the classes; zero: .2 VIP, .5 normal, .3 background
	Attempts int              // tries of one request; 0: 3
	Backoff  float64          // ms before the second try, doubled for each one more, times a number from [.5, 1.5); 0: 100
	Timeout  float64          // ms after which a client gives a try up; the backend is not told. 0: 1000
}

// dwell is the mean time in seconds that bursty traffic stays at one of its
// two rates.
const dwell = .5

// Backend is what serves.
type Backend struct {
	Servers  int     // at full health, of all replicas together
	Replicas int     // behind a round-robin balancer; 0: 1
	Service  Service // work of an attempt
	Sharing  bool    // all attempts share the servers equally, instead of waiting in a queue
	Bound    int     // attempts that may wait at a replica, the next one is refused at once; 0: no bound
	Slow     float64 // congestion: service takes 1+Slow*min(1, waiting/(4 servers)) as long; of a shared backend, those servers that are alive

	Errors    Curve      // share of attempts that fail; unset: none
	ErrorCost float64    // share of its work that a failing attempt does; 0: it fails after 2 ms and needs no server
	Hang      []Interval // attempts that arrive vanish; only the client's timeout ends them

	Alive    Curve // share of the servers; unset: 1
	Elastic  Curve // factor on the number of servers; unset: 1
	Slowness Curve // factor on service times; unset: 1
	Gray     Curve // factor on service times of the first replica only; unset: 1
}

// fast is how long a refusal takes that needs no server, in ns.
const fast = 2e6

var errScenario = errors.New("sim: invalid scenario")

// ready returns the scenario with every default filled in, or what is wrong
// with it.
func (s *Scenario) ready() (Scenario, error) {
	r := *s
	c, b := &r.Clients, &r.Backend
	if c.Mix == ([Classes]float64{}) {
		c.Mix = [Classes]float64{.2, .5, .3}
	}
	orInt(&c.Attempts, 3)
	orFloat(&c.Backoff, 100)
	orFloat(&c.Timeout, 1000)
	orInt(&b.Replicas, 1)
	for _, curve := range []*Curve{&b.Alive, &b.Elastic, &b.Slowness, &b.Gray} {
		curve.or(1)
	}
	return r, r.check()
}

func orInt(p *int, v int) {
	if *p == 0 {
		*p = v
	}
}

func orFloat(p *float64, v float64) {
	if *p == 0 {
		*p = v
	}
}

func (s *Scenario) check() error {
	c, b := &s.Clients, &s.Backend
	sum := 0.0
	for _, share := range c.Mix {
		if !(share >= 0) {
			return fmt.Errorf("%w %s: a class has the share %v", errScenario, s.Name, share)
		}
		sum += share
	}
	// Negations, so that NaN fails too.
	for _, rule := range []struct {
		broken bool
		what   string
	}{
		{!(s.Duration >= 1 && s.Duration <= 1e6), "Duration must be in 1..1e6 s"},
		{!(math.Abs(sum-1) < 1e-9), "the shares of Mix must add up to 1"},
		{!(c.Burst >= 0 && c.Burst <= 1), "Burst must be in [0, 1]"},
		{c.Attempts < 1 || c.Attempts > 100, "Attempts must be in 1..100"},
		{!(c.Backoff > 0 && c.Backoff <= 1e6), "Backoff must be in (0, 1e6] ms"},
		{!(c.Timeout > 0 && c.Timeout <= 1e6), "Timeout must be in (0, 1e6] ms"},
		{b.Replicas < 1, "Replicas must be positive"},
		{b.Servers < b.Replicas || b.Servers%max(b.Replicas, 1) != 0, "Servers must be a positive multiple of Replicas"},
		{b.Service == nil, "Service is missing"},
		{b.Service != nil && !(b.Service.Mean() > 0), "Service must have a positive mean"},
		{b.Bound < 0 || b.Sharing && b.Bound > 0, "Bound must not be negative, and a shared server has no queue to bound"},
		{!(b.Slow >= 0), "Slow must not be negative"},
		{!(b.ErrorCost >= 0 && b.ErrorCost <= 1), "ErrorCost must be in [0, 1]"},
		{c.Load.shape == unset, "Load is missing"},
		{!b.Alive.stepped() || !b.Elastic.stepped(), "Alive and Elastic must be unset, constant or steps: servers come and go at instants"},
	} {
		if rule.broken {
			return fmt.Errorf("%w %s: %s", errScenario, s.Name, rule.what)
		}
	}
	for _, in := range append([]Interval{s.Fault}, s.Healthy...) {
		if !(in.From >= 0 && in.To <= s.Duration) {
			return fmt.Errorf("%w %s: interval %v outside the run", errScenario, s.Name, in)
		}
	}
	for _, curve := range []struct {
		c       Curve
		highest float64
	}{{c.Load, 1e3}, {b.Errors, 1}, {b.Alive, 1}, {b.Elastic, 1e3}, {b.Slowness, 1e3}, {b.Gray, 1e3}} {
		if err := curve.c.check(curve.highest); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

// Capacity returns the requests per second that the backend serves in full
// health: what a load of 1 means.
func (b *Backend) Capacity() float64 { return float64(b.Servers) * 1000 / b.Service.Mean() }

// share returns the servers that one replica has at second t.
func (b *Backend) share(t float64) int {
	each := float64(b.Servers/b.Replicas) * b.Alive.At(t) * b.Elastic.At(t)
	return int(math.Round(each))
}

// slowness returns the factor on service times at a replica at second t.
func (b *Backend) slowness(replica int, t float64) float64 {
	f := b.Slowness.At(t)
	if replica == 0 {
		f *= b.Gray.At(t)
	}
	return f
}

func (b *Backend) hangs(t float64) bool {
	for _, in := range b.Hang {
		if in.Holds(t) {
			return true
		}
	}
	return false
}

package requirements

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/internal/vtime"
)

// stream is an open flow of requests to one route whose callee has no limit of
// its own: what becomes of a request does not depend on how many others pass.
// It costs less than the simulator, and engines with many routes can be under
// it.
type stream struct {
	loop  *vtime.Loop
	route *atrion.Route
	rng   *rand.Rand

	rate    float64                      // requests a second, Poisson
	latency func(now float64) float64    // mean of an exponential, ms
	fails   func(now float64) float64    // share of the calls that fail
	volts   func() float64               // nil: 100 always
	until   float64                      // s
	each    func(now float64, pass bool) // after each decision; may be nil

	asked, passed int
	next          int64
}

// newLoop returns a loop that is closed after the test.
func newLoop(t testing.TB) *vtime.Loop {
	loop := vtime.New()
	t.Cleanup(loop.Close)
	return loop
}

// newEngine returns an engine on that loop.
func newEngine(loop *vtime.Loop, seed uint64) *atrion.Engine {
	return must(atrion.New(atrion.Config{Clock: loop, Random: newRandom(seed)}))
}

func newRandom(seed uint64) func() float64 { return rand.New(rand.NewPCG(seed, 1)).Float64 }

func newStream(loop *vtime.Loop, route *atrion.Route, seed uint64) *stream {
	return &stream{
		loop: loop, route: route, rng: rand.New(rand.NewPCG(seed, 2)),
		latency: func(float64) float64 { return 50 },
		fails:   func(float64) float64 { return 0 },
	}
}

// start sends the first request.
func (s *stream) start() {
	s.next = s.loop.Now()
	s.advance()
}

func (s *stream) advance() {
	s.next += int64(s.rng.ExpFloat64() / s.rate * 1e9)
	if elapsed(s.next) < s.until {
		s.loop.Post(s.next, s, 0)
	}
}

// Fire is the arrival of a request.
func (s *stream) Fire(uint64) {
	now, volts := elapsed(s.loop.Now()), 100.0
	if s.volts != nil {
		volts = s.volts()
	}
	span := time.Duration(s.rng.ExpFloat64() * s.latency(now) * 1e6)
	failed := s.rng.Float64() < s.fails(now)
	permit, err := s.route.Acquire(context.Background(), atrion.Voltage(volts))
	s.asked++
	if err == nil {
		s.passed++
		held := &permit
		s.loop.After(span, func() {
			if failed {
				held.Done(sim.ErrFailed)
			} else {
				held.Done(nil)
			}
		})
	}
	if s.each != nil {
		s.each(now, err == nil)
	}
	s.advance()
}

// elapsed is an instant in seconds since the start of its loop.
func elapsed(t int64) float64 { return float64(t-vtime.Start) / 1e9 }

// instant is the inverse of elapsed.
func instant(seconds float64) int64 { return vtime.Start + int64(seconds*1e9) }

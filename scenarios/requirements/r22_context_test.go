package requirements

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// R22: contexts and permits are kept track of. A permit is given back exactly
// once, however its call ends: success, error, panic, runtime.Goexit, a caller
// who cancels, two that end it at a time, or nobody who ends it before it is
// taken back. A caller who cancels is no failure of the dependency, unless the
// user says so. What is in the context of the caller reaches the call.

// standing is a clock that only moves when it is told to.
type standing struct{ now atomic.Int64 }

func (c *standing) Now() int64 { return c.now.Load() }

// wide is an engine that rejects nothing: its limit is not reached, and failures
// count for nothing.
func wide(t testing.TB, clock atrion.Clock) (*atrion.Engine, *atrion.Route) {
	c := ohmic.DefaultConfig()
	c.StartLimit, c.LeastLimit, c.Evidence, c.Tolerance = 1e6, 1e6, 1000, 100
	e := must(atrion.New(atrion.Config{Law: must(ohmic.New(c)), Clock: clock, MailboxSize: 1 << 20}))
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return e, must(e.Route("r"))
}

// guard makes a call under a permit: atrion.Do, or a control arm.
type guard func(ctx context.Context, r *atrion.Route, call func(context.Context) (int, error)) error

func do(ctx context.Context, r *atrion.Route, call func(context.Context) (int, error)) error {
	_, err := atrion.Do(ctx, r, call)
	return err
}

// ending is a way to end a call. It returns how many samples the route must have
// got of it.
type ending func(ctx context.Context, r *atrion.Route, g guard, rng *rand.Rand) (samples int)

var endings = map[string]ending{
	"success": func(ctx context.Context, r *atrion.Route, g guard, _ *rand.Rand) int {
		_ = g(ctx, r, func(context.Context) (int, error) { return 1, nil })
		return 1
	},
	"error": func(ctx context.Context, r *atrion.Route, g guard, _ *rand.Rand) int {
		_ = g(ctx, r, func(context.Context) (int, error) { return 0, sim.ErrFailed })
		return 1
	},
	"panic": func(ctx context.Context, r *atrion.Route, g guard, _ *rand.Rand) int {
		func() {
			defer func() { _ = recover() }()
			_ = g(ctx, r, func(context.Context) (int, error) { panic("call") })
		}()
		return 1
	},
	"goexit": func(ctx context.Context, r *atrion.Route, g guard, _ *rand.Rand) int {
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = g(ctx, r, func(context.Context) (int, error) {
				runtime.Goexit()
				return 0, nil
			})
		})
		wg.Wait()
		return 1
	},
	"cancel": func(ctx context.Context, r *atrion.Route, g guard, _ *rand.Rand) int {
		ctx, cancel := context.WithCancel(ctx)
		_ = g(ctx, r, func(ctx context.Context) (int, error) {
			cancel()
			return 0, ctx.Err()
		})
		return 1
	},
	"cancelled before": func(ctx context.Context, r *atrion.Route, g guard, _ *rand.Rand) int {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		called := false
		if err := g(ctx, r, func(context.Context) (int, error) { called = true; return 0, nil }); called || !errors.Is(err, context.Canceled) {
			panic("a call of a context that has ended")
		}
		return 0
	},
	// Somebody who forgets who ends the permit: several do, at a time.
	"at once": func(ctx context.Context, r *atrion.Route, _ guard, rng *rand.Rand) int {
		p, err := r.Acquire(ctx)
		if err != nil {
			panic(err)
		}
		var wg sync.WaitGroup
		for range 2 + rng.IntN(3) {
			wg.Go(func() { p.Done(nil) })
		}
		wg.Wait()
		return 1
	},
	"drop, then done": func(ctx context.Context, r *atrion.Route, _ guard, _ *rand.Rand) int {
		p, err := r.Acquire(ctx)
		if err != nil {
			panic(err)
		}
		p.Drop()
		p.Done(sim.ErrFailed)
		p.Report(atrion.Telemetry{Outcome: atrion.Error})
		return 0
	},
	"report, then drop": func(ctx context.Context, r *atrion.Route, _ guard, rng *rand.Rand) int {
		p, err := r.Acquire(ctx)
		if err != nil {
			panic(err)
		}
		t, samples := atrion.Telemetry{Latency: time.Millisecond}, 1
		if rng.IntN(2) == 0 {
			t.ErrorRate, samples = 7, 0 // not valid: the seat is given back all the same
		}
		p.Report(t)
		p.Drop()
		return samples
	},
}

// ways are the names of the endings, in a fixed order.
var ways = []string{"success", "error", "panic", "goexit", "cancel", "cancelled before", "at once", "drop, then done", "report, then drop"}

// balance makes calls that end in random ways, several at a time, and returns
// how many seats are taken and how many samples are missing afterwards.
func balance(t testing.TB, g guard, seed uint64, workers, calls int) (seats int64, samples int) {
	e, r := wide(t, new(standing))
	var want atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			for range calls {
				want.Add(int64(endings[ways[rng.IntN(len(ways))]](context.Background(), r, g, rng)))
				if n := r.Inflight(); n < 0 || n > int64(workers) {
					t.Errorf("%d seats taken by %d callers", n, workers)
				}
			}
		})
	}
	wg.Wait()
	seats = r.Inflight()
	_ = e.Close(context.Background())
	return seats, int(want.Load()) - int(e.Stats().Samples)
}

func TestR22ReleasedExactlyOnce(t *testing.T) {
	if len(ways) != len(endings) {
		t.Fatal("an ending is never chosen")
	}
	seeds := uint64(20)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		if seats, samples := balance(t, do, seed, 32, 100); seats != 0 || samples != 0 {
			t.Errorf("seed %d: %d seats leak, %d samples missing", seed, seats, samples)
		}
	}
}

// The control arm ends the permit behind the call and not in a deferred one: a
// panic and Goexit leak a seat each.
func TestR22ControlLeaks(t *testing.T) {
	careless := func(ctx context.Context, r *atrion.Route, call func(context.Context) (int, error)) error {
		p, err := r.Acquire(ctx)
		if err != nil {
			return err
		}
		_, err = call(ctx)
		p.Done(err)
		return err
	}
	// Seats may be as many as leaked: only the balance counts.
	e, r := wide(t, new(standing))
	rng := rand.New(rand.NewPCG(1, 1))
	samples := 0
	for _, way := range ways {
		samples += endings[way](context.Background(), r, careless, rng)
	}
	seats := r.Inflight()
	_ = e.Close(context.Background())
	if missing := samples - int(e.Stats().Samples); seats != 2 || missing != 2 {
		t.Errorf("%d seats leak, %d samples missing, want 2 and 2: the test shows nothing", seats, missing)
	}
}

// A permit that nobody ends is taken back between one and two times PermitTTL,
// once: who ends it later changes nothing.
func TestR22ForgottenPermits(t *testing.T) {
	loop := newLoop(t)
	e := newEngine(loop, 1)
	r := must(e.Route("r"))
	var held []*atrion.Permit
	for {
		p, err := r.Acquire(context.Background())
		if err != nil {
			break
		}
		held = append(held, &p)
	}
	loop.Run(loop.Now() + int64(59*time.Second))
	if _, err := r.Acquire(context.Background()); err == nil {
		t.Error("a seat was taken back before its time")
	}
	loop.Run(loop.Now() + int64(61*time.Second))
	p, err := r.Acquire(context.Background())
	if err != nil || r.Inflight() != 1 {
		t.Fatalf("%v, %d in flight: seats of forgotten permits are not taken back", err, r.Inflight())
	}
	for _, p := range held {
		p.Done(nil)
		p.Drop()
	}
	if n := r.Inflight(); n != 1 {
		t.Errorf("%d in flight: forgotten permits are given back twice", n)
	}
	p.Done(nil)
	loop.Run(loop.Now() + int64(time.Second))
	if n := r.Inflight(); n != 0 || e.Stats().Samples != 1 {
		t.Errorf("%d in flight, %d samples", n, e.Stats().Samples)
	}
}

type key struct{}

// cancelled makes calls that end because their callers cancel, and returns the
// resistance after them.
func cancelled(t testing.TB, classify func(error) atrion.Outcome) float64 {
	loop := newLoop(t)
	e := must(atrion.New(atrion.Config{Clock: loop, Random: newRandom(1), Classify: classify}))
	r := must(e.Route("r"))
	for range 500 {
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
		_, _ = atrion.Do(ctx, r, func(ctx context.Context) (int, error) {
			if ctx.Value(key{}) != "value" {
				t.Error("the value of the context does not reach the call")
			}
			cancel()
			return 0, ctx.Err()
		})
		loop.Run(loop.Now() + int64(time.Millisecond))
	}
	return must(e.Explain("r", 100)).Decision.Resistance
}

func TestR22CancelIsNoFailure(t *testing.T) {
	if r := cancelled(t, nil); r != 0 {
		t.Errorf("R is %v after 500 cancelled calls", r)
	}
	strict := func(err error) atrion.Outcome {
		if err != nil {
			return atrion.Error
		}
		return atrion.OK
	}
	if r := cancelled(t, strict); r == 0 {
		t.Error("control: R is 0 where cancelled calls count as errors: the test shows nothing")
	}
}

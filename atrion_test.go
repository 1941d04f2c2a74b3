package atrion_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/lawtest"
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/providers/memory"
)

// published is the classic law: what these tests say of numbers is true of it.
func published() physics.Law {
	law, err := classic.New(classic.DefaultConfig())
	if err != nil {
		panic(err)
	}
	return law
}

func newEngine(t testing.TB, cfg atrion.Config) *atrion.Engine {
	t.Helper()
	if cfg.Law == nil {
		cfg.Law = published()
	}
	e, err := atrion.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return e
}

func newRoute(t testing.TB, e *atrion.Engine, name string) *atrion.Route {
	t.Helper()
	r, err := e.Route(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var (
	healthy = atrion.Telemetry{Latency: 50 * time.Millisecond, ErrorRate: 0.005, Saturation: 0.3}
	failing = atrion.Telemetry{Latency: 900 * time.Millisecond, ErrorRate: 0.6, Saturation: 0.95}
)

// feed tells the route the same thing n times, a second apart.
func feed(t testing.TB, e *atrion.Engine, name string, what atrion.Telemetry, n int) (d atrion.Decision) {
	t.Helper()
	for range n {
		time.Sleep(time.Second)
		var err error
		if d, err = e.Decide(name, what); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestZeroConfigWorks(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	p, err := newRoute(t, e, "r").Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p.Done(nil)
}

func TestTripAndRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, atrion.Config{})
		r := newRoute(t, e, "r")
		if d := feed(t, e, "r", healthy, 60); !d.Allow || d.Mode != atrion.Operational || d.Resistance != 10 {
			t.Fatalf("after 60 healthy observations: %v", d)
		}
		d := feed(t, e, "r", failing, 30)
		if d.Allow || d.Reason != atrion.Tripped || d.Mode != atrion.CircuitBreaker {
			t.Fatalf("after 30 failing observations: %v", d)
		}
		_, err := r.Acquire(context.Background(), atrion.Critical)
		var rej *atrion.RejectedError
		if !errors.As(err, &rej) || !errors.Is(err, atrion.ErrRejected) || !errors.Is(err, atrion.ErrTripped) || errors.Is(err, atrion.ErrInsufficientVoltage) {
			t.Fatalf("Acquire on a tripped route: %v", err)
		}
		if rej.Decision.Route != "r" || rej.Decision.Voltage != 400 || rej.Decision.Break <= 0 {
			t.Errorf("the error carries %+v", rej.Decision)
		}
		if d := feed(t, e, "r", healthy, 60); !d.Allow || d.Mode != atrion.Operational {
			t.Errorf("a minute after the fault: %v", d)
		}
	})
}

// Between trip and health, what may pass depends on its voltage, and the scar
// decays while nobody reports.
func TestVoltageAgainstResistance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, atrion.Config{})
		r := newRoute(t, e, "r")
		feed(t, e, "r", healthy, 20)
		d := feed(t, e, "r", failing, 3)
		if d.Mode != atrion.Operational || d.Resistance < 20 || d.Resistance > 40 {
			t.Fatalf("three failures: %v, want operational between 20 and 40 ohms", d)
		}
		low, high := r.Decide(d.Resistance), r.Decide(math.Nextafter(d.Resistance, 1e9))
		if low.Allow || low.Reason != atrion.InsufficientVoltage {
			t.Errorf("V = R: %v, want rejected", low)
		}
		if !high.Allow {
			t.Errorf("V just above R: %v, want allowed", high)
		}
		if _, err := r.Acquire(context.Background(), atrion.Voltage(11)); !errors.Is(err, atrion.ErrInsufficientVoltage) {
			t.Errorf("Acquire with 11 volts: %v", err)
		}
		scar := d.Terms.Scar
		time.Sleep(10 * time.Second)
		after := r.Decide(100)
		if got, want := after.Terms.Scar, scar*math.Exp(-1); math.Abs(got-want) > 1e-3*want {
			t.Errorf("scar after 10 s at 0.1/s: %v, want %v", got, want)
		}
		if after.Revision != d.Revision {
			t.Error("time alone made a new snapshot")
		}
	})
}

// The terms of every decision add up to its resistance.
func TestTermsSumToResistance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, atrion.Config{})
		r := newRoute(t, e, "r")
		for i := range 500 {
			what := atrion.Telemetry{
				Latency:    time.Duration(1+i*37%700) * time.Millisecond,
				ErrorRate:  float64(i*13%100) / 300,
				Saturation: float64(i*7%100) / 100,
			}
			time.Sleep(time.Duration(i*91%1500) * time.Millisecond)
			if _, err := e.Decide("r", what); err != nil {
				t.Fatal(err)
			}
			d := r.Decide(100)
			if sum := d.Terms.Sum(); math.Abs(sum-d.Resistance) > 1e-9 {
				t.Fatalf("%d: terms sum to %v, R is %v", i, sum, d.Resistance)
			}
			for _, term := range []float64{d.Terms.Base, d.Terms.Pressure, d.Terms.Momentum, d.Terms.Scar} {
				if !(term >= 0) {
					t.Fatalf("%d: a term is %v: %+v", i, term, d.Terms)
				}
			}
			if d.Allow != (d.Mode != atrion.CircuitBreaker && 100 > d.Resistance) {
				t.Fatalf("%d: %v", i, d)
			}
		}
	})
}

func TestBadConfigNamesEveryField(t *testing.T) {
	_, err := atrion.New(atrion.Config{
		Voltage: math.NaN(), MaxRoutes: -1, MailboxSize: 1 << 21, Linger: time.Hour, IdleAfter: time.Millisecond,
		AskTimeout: -1, StartTimeout: time.Hour, SaveInterval: time.Nanosecond, SaveBudget: -5,
		Provider: mustMemory(t),
	})
	if !errors.Is(err, atrion.ErrInvalidConfig) {
		t.Fatalf("New: %v, want ErrInvalidConfig", err)
	}
	for _, want := range []string{
		"Voltage is NaN (allowed: above 0, at most 1e+09", "MaxRoutes is -1 (allowed: 1 to 16777216)", "MailboxSize is 2097152",
		"Linger is 1h0m0s (allowed: 10µs to 1s)", "IdleAfter is 1ms", "AskTimeout", "StartTimeout", "SaveInterval", "SaveBudget is -5", `Node is ""`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

func mustMemory(t testing.TB) *memory.Provider {
	p, err := memory.New(memory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

// Refused telemetry names the field and leaves the state as it was, to the bit.
func TestBadTelemetryChangesNothing(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	r := newRoute(t, e, "r")
	for range 30 {
		if _, err := e.Decide("r", healthy); err != nil {
			t.Fatal(err)
		}
	}
	before := r.Decide(100)
	good := atrion.Telemetry{Latency: time.Millisecond}
	for field, bad := range map[string]atrion.Telemetry{
		"Latency":    {Latency: -1},
		"Latency ":   {Latency: 25 * time.Hour},
		"ErrorRate":  {ErrorRate: math.NaN()},
		"ErrorRate ": {ErrorRate: 1.0000001},
		"Saturation": {Saturation: math.Inf(1)},
		"Outcome":    {Outcome: 9},
		"Voltage":    {Voltage: math.Inf(1)},
		"Voltage ":   {Voltage: -3},
		"Age":        {Age: 2 * time.Hour},
	} {
		for how, err := range map[string]error{
			"Route.Observe":  r.Observe(bad),
			"Engine.Observe": e.Observe("r", good, bad, good),
			"Engine.Decide":  second(e.Decide("r", bad)),
		} {
			var fe *atrion.FieldError
			if !errors.Is(err, atrion.ErrInvalidTelemetry) || !errors.As(err, &fe) || fe.Field != strings.TrimSpace(field) || fe.Allowed == "" {
				t.Errorf("%s of %+v: %v, want ErrInvalidTelemetry of %s", how, bad, err, field)
			}
		}
	}
	for field, bad := range map[string]physics.Sample{
		"Latency": {Latency: -1}, "Latency ": {Latency: 86400001}, "ErrorRate": {ErrorRate: math.NaN()}, "Saturation": {Saturation: 1.1},
		"Outcome": {Outcome: 9}, "Voltage": {Voltage: math.Inf(1)}, "Inflight": {Inflight: math.NaN()}, "Time": {Time: 1}, "Time ": {Time: -int64(2 * time.Hour)},
	} {
		err := e.ObserveSamples("r", []physics.Sample{{Latency: 1}, bad})
		var fe *atrion.FieldError
		if !errors.Is(err, atrion.ErrInvalidTelemetry) || !errors.As(err, &fe) || fe.Field != strings.TrimSpace(field) {
			t.Errorf("ObserveSamples of %+v: %v, want ErrInvalidTelemetry of %s", bad, err, field)
		}
	}
	if _, err := r.Acquire(context.Background(), atrion.Voltage(math.NaN())); !errors.Is(err, atrion.ErrInvalidTelemetry) {
		t.Errorf("Acquire with NaN volts: %v", err)
	}
	if after := r.Decide(100); after != before {
		t.Errorf("state changed from %+v to %+v", before, after)
	}
}

func second[A, B any](_ A, b B) B { return b }

func TestBadRouteNames(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	for _, name := range []string{"", strings.Repeat("x", 257), "a.*", "a>", "a\nb", "\xff"} {
		for how, err := range map[string]error{
			"Route": second(e.Route(name)), "Observe": e.Observe(name, healthy), "Decide": second(e.Decide(name, atrion.Telemetry{})),
		} {
			if err == nil || !strings.Contains(err.Error(), "route name") {
				t.Errorf("%s(%.10q): %v, want an error about the route name", how, name, err)
			}
		}
	}
	if n := e.Stats().Routes; n != 0 {
		t.Errorf("%d routes were created", n)
	}
}

// A seat is returned exactly once, however the call ends.
func TestPermitEndsExactlyOnce(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	r := newRoute(t, e, "r")
	ctx := context.Background()
	for name, end := range map[string]func(p *atrion.Permit){
		"done":    func(p *atrion.Permit) { p.Done(nil); p.Done(errors.New("again")) },
		"drop":    func(p *atrion.Permit) { p.Drop(); p.Done(nil); p.Drop() },
		"report":  func(p *atrion.Permit) { p.Report(healthy); p.Done(nil) },
		"invalid": func(p *atrion.Permit) { p.Report(atrion.Telemetry{ErrorRate: 2}) },
		"racing": func(p *atrion.Permit) {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { p.Done(nil) })
			}
			wg.Wait()
		},
	} {
		p, err := r.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n := r.Inflight(); n != 1 {
			t.Fatalf("%s: %d in flight after Acquire, want 1", name, n)
		}
		end(&p)
		if n := r.Inflight(); n != 0 {
			t.Errorf("%s: %d in flight at the end, want 0", name, n)
		}
	}
	var zero atrion.Permit
	zero.Done(nil)

	settle := func(want uint64) uint64 {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); samples(e) < want && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		return samples(e)
	}
	// done, report and racing taught one sample each; drop and invalid none.
	if n := settle(3); n != 3 {
		t.Errorf("%d samples were taught, want 3", n)
	}
	ends := map[string]func(context.Context) (int, error){
		"success": func(context.Context) (int, error) { return 1, nil },
		"error":   func(context.Context) (int, error) { return 0, errors.New("x") },
		"panic":   func(context.Context) (int, error) { panic("x") },
		"goexit":  func(context.Context) (int, error) { runtime.Goexit(); return 0, nil },
	}
	for name, fn := range ends {
		before := samples(e)
		done := make(chan any)
		go func() {
			defer close(done)
			defer func() { _ = recover() }()
			_, _ = atrion.Do(ctx, r, fn)
		}()
		<-done
		if n := r.Inflight(); n != 0 {
			t.Errorf("Do with %s: %d in flight at the end", name, n)
		}
		if got := settle(before+1) - before; got != 1 {
			t.Errorf("Do with %s taught %d samples, want 1", name, got)
		}
	}
}

func samples(e *atrion.Engine) uint64 { return e.Stats().Samples }

// What a guarded call returned decides whether the route takes it as failed.
func TestOutcomesOfCalls(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want atrion.Outcome
	}{
		"nil":      {nil, atrion.OK},
		"error":    {errors.New("x"), atrion.Error},
		"deadline": {fmt.Errorf("call: %w", context.DeadlineExceeded), atrion.Timeout},
		"canceled": {fmt.Errorf("call: %w", context.Canceled), atrion.Ignored},
	} {
		if got := atrion.Classify(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, atrion.Config{})
		for name, c := range map[string]struct {
			err  error
			scar bool
		}{"ok": {nil, false}, "failed": {errors.New("x"), true}, "gone": {context.Canceled, false}} {
			r := newRoute(t, e, name)
			for range 20 {
				p, err := r.Acquire(context.Background(), atrion.Voltage(1e6))
				if err != nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
				p.Done(c.err)
				synctest.Wait()
			}
			if d := r.Decide(100); (d.Terms.Scar > 0) != c.scar {
				t.Errorf("%s: scar %v, want scarred: %v", name, d.Terms.Scar, c.scar)
			}
			if name == "gone" && r.Decide(1).Mode != atrion.Bootstrap {
				t.Error("calls their callers gave up taught the route something")
			}
		}
	})
}

type key struct{}

// What is observed reaches the law as it was told.
func TestSamplesReachTheLaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		law := &lawtest.Recorder{}
		e := newEngine(t, atrion.Config{Law: law})
		r := newRoute(t, e, "r")
		ctx := context.Background()
		if err := e.ObserveSamples("r", []physics.Sample{{Time: -int64(4 * time.Second), Latency: 2, Inflight: 3}}); err != nil {
			t.Fatal(err)
		}
		if err := e.Observe("r",
			atrion.Telemetry{Latency: 1500 * time.Microsecond, ErrorRate: 0.25, Saturation: 0.5, Voltage: 7, Age: 3 * time.Second},
			atrion.Telemetry{Outcome: atrion.Dropped, Age: time.Second},
			atrion.Telemetry{Outcome: atrion.Error, ErrorRate: 0.5},
		); err != nil {
			t.Fatal(err)
		}
		p, err := r.Acquire(ctx, atrion.Low)
		if err != nil {
			t.Fatal(err)
		}
		q, err := r.Acquire(ctx, atrion.Bulk)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		p.Done(nil)
		q.Report(atrion.Telemetry{Outcome: atrion.Timeout, Latency: 5 * time.Millisecond})
		func() {
			defer func() { _ = recover() }()
			_, _ = atrion.Do(ctx, r, func(context.Context) (int, error) { panic("x") })
		}()
		synctest.Wait()
		got := law.Samples()
		now := got[3].Time
		for i := range got {
			got[i].Time -= now
			if math.IsNaN(got[i].Latency) {
				got[i].Latency = -1
			}
		}
		ms := int64(time.Millisecond)
		want := []physics.Sample{
			{Time: -4000 * ms, Latency: 2, Inflight: 3},
			{Time: -3000 * ms, Latency: 1.5, ErrorRate: 0.25, Saturation: 0.5, Voltage: 7},
			{Time: -1000 * ms, Latency: -1, ErrorRate: 1, Outcome: atrion.Dropped},
			{Time: 0, Latency: -1, ErrorRate: 0.5, Outcome: atrion.Error},
			{Time: 20 * ms, Latency: 20, Voltage: 50, Inflight: 1},
			{Time: 20 * ms, Latency: 5, ErrorRate: 1, Voltage: 25, Inflight: 2, Outcome: atrion.Timeout},
			{Time: 20 * ms, Latency: 0, ErrorRate: 1, Voltage: 100, Inflight: 1, Outcome: atrion.Error},
		}
		if !slices.Equal(got, want) {
			t.Errorf("the law saw\n%+v\nwant\n%+v", got, want)
		}
	})
}

func TestContextOfAcquireAndDo(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	r := newRoute(t, e, "r")
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "v"))
	if _, err := atrion.Do(ctx, r, func(ctx context.Context) (int, error) {
		if ctx.Value(key{}) != "v" {
			t.Error("the context's values did not reach the call")
		}
		return 0, nil
	}); err != nil {
		t.Fatal(err)
	}
	cancel()
	called := false
	_, err := atrion.Do(ctx, r, func(context.Context) (int, error) { called = true; return 0, nil })
	if !errors.Is(err, context.Canceled) || called {
		t.Errorf("Do with an ended context: %v, called %v", err, called)
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
		e, err := atrion.New(atrion.Config{})
		if err != nil {
			t.Fatal(err)
		}
		r := newRoute(t, e, "r")
		p, err := r.Acquire(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		p.Done(nil) // late, harmless, counted
		if _, err := r.Acquire(context.Background()); !errors.Is(err, atrion.ErrClosed) {
			t.Errorf("Acquire after Close: %v", err)
		}
		if err := r.Observe(healthy); !errors.Is(err, atrion.ErrClosed) {
			t.Errorf("Observe after Close: %v", err)
		}
		if _, err := e.Decide("r", atrion.Telemetry{}); !errors.Is(err, atrion.ErrClosed) {
			t.Errorf("Decide after Close: %v", err)
		}
		if _, err := e.Route("s"); !errors.Is(err, atrion.ErrClosed) {
			t.Errorf("Route after Close: %v", err)
		}
		if r.Inflight() != 0 || e.Stats().AfterClose != 2 || !e.Health().Closed {
			t.Errorf("in flight %d, stats %+v, health %+v", r.Inflight(), e.Stats(), e.Health())
		}
	})
}

// A handle stays good when its route was passivated.
func TestHandleSurvivesPassivation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, atrion.Config{IdleAfter: time.Minute})
		r := newRoute(t, e, "r")
		gone := func() {
			t.Helper()
			time.Sleep(5 * time.Minute)
			if n := e.Stats().Routes; n != 0 {
				t.Fatalf("%d routes after 5 idle minutes", n)
			}
		}
		gone()
		if d := r.Decide(100); !d.Allow {
			t.Errorf("Decide: %v", d)
		}
		gone()
		p, err := r.Acquire(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p.Done(nil)
		gone()
		if err := r.Observe(healthy); err != nil {
			t.Error(err)
		}
		gone()
		if _, err := e.Decide("r", healthy); err != nil {
			t.Error(err)
		}
	})
}

// A handle whose route finds no room to come back follows the policy.
func TestNoRoomToComeBack(t *testing.T) {
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			e := newEngine(t, atrion.Config{MaxRoutes: 1, IdleAfter: time.Minute, FailClosed: closed})
			r := newRoute(t, e, "r")
			time.Sleep(5 * time.Minute)
			other := newRoute(t, e, "other")
			p, err := other.Acquire(context.Background()) // a busy route is not evicted
			if err != nil {
				t.Fatal(err)
			}
			defer p.Done(nil)
			if d := r.Decide(50); d.Allow == closed || d.Reason != atrion.Faulty || d.Revision != 0 {
				t.Errorf("closed %v: Decide says %+v", closed, d)
			}
			q, err := r.Acquire(context.Background())
			if errors.Is(err, atrion.ErrRejected) != closed || (err == nil) == closed {
				t.Errorf("closed %v: Acquire says %v", closed, err)
			}
			q.Done(nil)
			if err := r.Observe(healthy); !errors.Is(err, atrion.ErrTooManyRoutes) {
				t.Errorf("Observe says %v", err)
			}
		})
	}
}

// A tripped route is tripped again after a restart, before its first decision.
func TestRestartComesBackTripped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := mustMemory(t)
		e, err := atrion.New(atrion.Config{Law: published(), Provider: store, Node: "n"})
		if err != nil {
			t.Fatal(err)
		}
		feed(t, e, "r", healthy, 60)
		d := feed(t, e, "r", failing, 20)
		if d.Mode != atrion.CircuitBreaker {
			t.Errorf("not tripped: %v", d)
		}
		if err := e.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		e = newEngine(t, atrion.Config{Provider: store, Node: "n"})
		got := newRoute(t, e, "r").Decide(400)
		if got.Allow || got.Reason != atrion.Tripped {
			t.Fatalf("first decision after the restart: %v", got)
		}
		want := d.Terms.Scar * math.Exp(-0.3)
		if math.Abs(got.Terms.Scar-want) > 0.05*want {
			t.Errorf("scar %v after 3 s away, want %v within 5 %%", got.Terms.Scar, want)
		}
	})
}

// An injected clock is the only time there is.
func TestInjectedClock(t *testing.T) {
	var now atomic.Int64
	clock := clockFunc(now.Load)
	e := newEngine(t, atrion.Config{Clock: clock})
	r := newRoute(t, e, "r")
	step := func(what atrion.Telemetry) {
		now.Add(int64(time.Second))
		if _, err := e.Decide("r", what); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		step(healthy)
	}
	step(failing)
	before := r.Decide(100).Terms.Scar
	now.Add(int64(10 * time.Second))
	if got, want := r.Decide(100).Terms.Scar, before*math.Exp(-1); math.Abs(got-want) > 1e-12 {
		t.Errorf("scar %v ten injected seconds later, want %v", got, want)
	}
}

type clockFunc func() int64

func (f clockFunc) Now() int64 { return f() }

func TestExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, atrion.Config{})
		if _, err := e.Explain("r", 0); !errors.Is(err, atrion.ErrUnknownRoute) {
			t.Errorf("Explain of an unknown route: %v", err)
		}
		if e.Stats().Routes != 0 {
			t.Error("Explain created a route")
		}
		feed(t, e, "r", healthy, 20)
		d := feed(t, e, "r", failing, 2)
		shed := newRoute(t, e, "r").Shed()
		time.Sleep(1500 * time.Millisecond)
		x, err := e.Explain("r", 12)
		if err != nil {
			t.Fatal(err)
		}
		if x.Decision.Allow || x.Decision.Resistance >= d.Resistance || x.Law != classic.Name || x.LastSeen != 1500*time.Millisecond || x.Shed != shed {
			t.Errorf("%+v", x)
		}
		for _, want := range []string{`12 volts on route "r" is shed`, "not above the resistance", "scar", "Last observation 1.5s ago", "law classic"} {
			if !strings.Contains(x.String(), want) {
				t.Errorf("the explanation lacks %q:\n%s", want, x)
			}
		}
	})
}

func TestTiers(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	r := newRoute(t, e, "r")
	last := math.Inf(1)
	for _, name := range []string{"critical", "high", "normal", "low", "bulk"} {
		tier, ok := atrion.ParseTier(name)
		if !ok || tier.String() != name || tier.Voltage() >= last {
			t.Errorf("tier %s: %v %v %v", name, tier, ok, tier.Voltage())
		}
		last = tier.Voltage()
		p, err := r.Acquire(context.Background(), tier)
		if err != nil {
			t.Errorf("a %s request on a healthy route: %v", name, err)
		}
		p.Done(nil)
	}
	for _, bad := range []string{"", "unknown", "CRITICAL"} {
		if _, ok := atrion.ParseTier(bad); ok {
			t.Errorf("ParseTier(%q) is ok", bad)
		}
	}
	if _, err := r.Acquire(context.Background(), atrion.Tier(77)); err == nil {
		t.Error("a tier that does not exist was accepted")
	}
}

// The decision path allocates nothing.
func TestHotPathsDoNotAllocate(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	r := newRoute(t, e, "r")
	ctx := context.Background()
	for name, fn := range map[string]func(){
		"Route.Decide":  func() { r.Decide(50) },
		"Engine.Decide": func() { _, _ = e.Decide("r", atrion.Telemetry{Voltage: 50}) },
		"Acquire and Drop": func() {
			p, err := r.Acquire(ctx, atrion.High)
			if err != nil {
				t.Fatal(err)
			}
			p.Drop()
		},
	} {
		if n := testing.AllocsPerRun(1000, fn); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

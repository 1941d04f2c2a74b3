package peers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/physics/classic"
)

// classicRoute returns a healthy route under the classic law, or one with a scar
// that must be decayed at every decision.
func classicRoute(b *testing.B, scarred bool) (*atrion.Engine, *atrion.Route) {
	b.Helper()
	law, err := classic.New(classic.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	eng, err := atrion.New(atrion.Config{Law: law})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = eng.Close(context.Background()) })
	route, err := eng.Route("r")
	if err != nil {
		b.Fatal(err)
	}
	last := atrion.Telemetry{Latency: 50 * time.Millisecond, ErrorRate: 0.005, Saturation: 0.4}
	for i := range 20 {
		if scarred && i == 19 {
			last.ErrorRate = 0.5
		}
		if _, err := eng.Decide("r", last); err != nil {
			b.Fatal(err)
		}
	}
	if got := route.Decide(50); (got.Terms.Scar > 0) != scarred || got.Mode != atrion.Operational {
		b.Fatalf("not the route that was wanted: %v", got)
	}
	return eng, route
}

// parallel runs fn on GOMAXPROCS goroutines; ns/op is wall time over calls, so
// on two processors perfect scaling halves it.
func parallel(b *testing.B, fn func()) {
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			fn()
		}
	})
}

var sink atomic.Int64

// ohmicRoute is a route of the default law: healthy, or so loaded that a request
// of 50 volts is turned away for as long as the benchmark runs.
func ohmicRoute(b *testing.B, shedding bool) (*atrion.Engine, *atrion.Route) {
	b.Helper()
	eng, err := atrion.New(atrion.Config{PermitTTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = eng.Close(context.Background()) })
	route, err := eng.Route("r")
	if err != nil {
		b.Fatal(err)
	}
	for range 100 {
		if p, err := route.Acquire(context.Background(), atrion.High); err == nil {
			time.Sleep(100 * time.Microsecond)
			p.Done(nil)
		}
	}
	for shedding { // until nobody gets in
		if _, err := route.Acquire(context.Background(), atrion.High); err != nil {
			break
		}
	}
	return eng, route
}

// BenchmarkFloor is what the harness, and the clock reads no guard can avoid
// that times its calls itself, cost.
func BenchmarkFloor(b *testing.B) {
	b.Run("empty", func(b *testing.B) { parallel(b, func() {}) })
	b.Run("clock-twice", func(b *testing.B) {
		epoch := time.Now()
		parallel(b, func() {
			a := time.Since(epoch)
			if time.Since(epoch) < a {
				sink.Add(1)
			}
		})
	})
}

// BenchmarkDecision asks whether a request may pass, on a handle.
func BenchmarkDecision(b *testing.B) {
	for _, r := range []struct {
		name string
		make func(*testing.B, bool) (*atrion.Engine, *atrion.Route)
		ill  bool
	}{
		{"classic-healthy", classicRoute, false}, {"classic-scarred", classicRoute, true},
		{"ohmic-healthy", ohmicRoute, false}, {"ohmic-shedding", ohmicRoute, true},
	} {
		b.Run("atrion-allow/"+r.name, func(b *testing.B) {
			_, route := r.make(b, r.ill)
			parallel(b, func() {
				if !route.Allow(50) {
					sink.Add(1)
				}
			})
		})
		b.Run("atrion-decide/"+r.name, func(b *testing.B) {
			_, route := r.make(b, r.ill)
			parallel(b, func() {
				if !route.Decide(50).Allow {
					sink.Add(1)
				}
			})
		})
	}
	b.Run("gobreaker-execute", func(b *testing.B) {
		cb := gobreaker.NewCircuitBreaker[int](gobreaker.Settings{})
		parallel(b, func() { _, _ = cb.Execute(func() (int, error) { return 0, nil }) })
	})
	b.Run("failsafe-breaker", func(b *testing.B) {
		cb := circuitbreaker.NewWithDefaults[int]()
		parallel(b, func() {
			if cb.TryAcquirePermit() {
				cb.RecordSuccess()
			}
		})
	})
	b.Run("x-time-rate", func(b *testing.B) {
		l := rate.NewLimiter(rate.Inf, 1)
		parallel(b, func() { l.Allow() })
	})
}

// BenchmarkProtectedCall guards a call that does nothing. Peers that read no
// clock say nothing about latency.
func BenchmarkProtectedCall(b *testing.B) {
	ctx := context.Background()
	for law, make := range map[string]func(*testing.B, bool) (*atrion.Engine, *atrion.Route){"classic": classicRoute, "ohmic": ohmicRoute} {
		b.Run("atrion-acquire-done/"+law, func(b *testing.B) {
			eng, route := make(b, false)
			parallel(b, func() {
				if p, err := route.Acquire(ctx, atrion.High); err == nil {
					p.Done(nil)
				}
			})
			st := eng.Stats()
			b.ReportMetric(100*float64(st.MailboxFull)/float64(st.MailboxFull+st.Samples), "%dropped")
		})
		b.Run("atrion-do/"+law, func(b *testing.B) {
			_, route := make(b, false)
			parallel(b, func() {
				_, _ = atrion.Do(ctx, route, func(context.Context) (int, error) { return 0, nil })
			})
		})
	}
	b.Run("gobreaker-execute", func(b *testing.B) {
		cb := gobreaker.NewCircuitBreaker[int](gobreaker.Settings{})
		parallel(b, func() { _, _ = cb.Execute(func() (int, error) { return 0, nil }) })
	})
	b.Run("gobreaker-twostep", func(b *testing.B) {
		cb := gobreaker.NewTwoStepCircuitBreaker[int](gobreaker.Settings{})
		parallel(b, func() {
			if done, err := cb.Allow(); err == nil {
				done(nil)
			}
		})
	})
	b.Run("failsafe-breaker-count", func(b *testing.B) {
		cb := circuitbreaker.NewWithDefaults[int]()
		parallel(b, func() {
			if cb.TryAcquirePermit() {
				cb.RecordSuccess()
			}
		})
	})
	b.Run("failsafe-breaker-time", func(b *testing.B) {
		cb := circuitbreaker.NewBuilder[int]().WithFailureRateThreshold(0.5, 20, 10*time.Second).Build()
		parallel(b, func() {
			if cb.TryAcquirePermit() {
				cb.RecordSuccess()
			}
		})
	})
	b.Run("failsafe-adaptive-limiter", func(b *testing.B) {
		l := adaptivelimiter.NewWithDefaults[int]()
		parallel(b, func() {
			if p, ok := l.TryAcquirePermit(); ok {
				p.Record()
			}
		})
	})
}

// BenchmarkByName decides by route name, beside a bare read of a map of the
// same names.
func BenchmarkByName(b *testing.B) {
	for _, n := range []int{1, 100, 10_000, 100_000, 1_000_000} {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("service-%d/endpoint-%d", i%97, i)
		}
		order := rand.New(rand.NewPCG(1, 2)).Perm(n)
		b.Run(fmt.Sprintf("atrion/n=%d", n), func(b *testing.B) {
			eng, err := atrion.New(atrion.Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer eng.Close(context.Background())
			for _, name := range names {
				if _, err := eng.Route(name); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if ok, err := eng.Allow(names[order[i]], 50); !ok || err != nil {
					b.Fatal(err)
				}
				if i++; i == n {
					i = 0
				}
			}
		})
		b.Run(fmt.Sprintf("map/n=%d", n), func(b *testing.B) {
			m := make(map[string]*int, n)
			for _, name := range names {
				m[name] = new(int)
			}
			i := 0
			for b.Loop() {
				if m[names[order[i]]] == nil {
					b.Fatal("missing")
				}
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

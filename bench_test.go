package atrion_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// What a decision costs on a healthy route of the default law. Beside rivals:
// scenarios/peers.
//
//	go test . -run '^$' -bench 'Acquire|Allow|Decide'

func benchRoute(b *testing.B, bans int) *atrion.Route {
	b.Helper()
	law, err := ohmic.New(ohmic.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	e := newEngine(b, atrion.Config{Law: law})
	r := newRoute(b, e, "r")
	for i := range bans {
		ban(b, e, atrion.Ban{Subject: fmt.Sprint("s", i)})
	}
	for range 100 {
		if p, err := r.Acquire(context.Background()); err == nil {
			time.Sleep(100 * time.Microsecond)
			p.Done(nil)
		}
	}
	b.ReportAllocs()
	return r
}

var rejected atomic.Int64

func BenchmarkAllow(b *testing.B) {
	r := benchRoute(b, 0)
	for b.Loop() {
		if !r.Allow(50) {
			rejected.Add(1)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	r := benchRoute(b, 0)
	for b.Loop() {
		if !r.Decide(50).Allow {
			rejected.Add(1)
		}
	}
}

func BenchmarkAcquireDone(b *testing.B) {
	ctx := context.Background()
	for _, c := range []struct {
		name    string
		bans    int
		options []atrion.AcquireOption
	}{{"plain", 0, nil}, {"subject", 0, []atrion.AcquireOption{atrion.Subject("alice")}}, {"subject-bans=10000", 10_000, []atrion.AcquireOption{atrion.Subject("alice")}}} {
		b.Run(c.name, func(b *testing.B) {
			r := benchRoute(b, c.bans)
			for b.Loop() {
				p, err := r.Acquire(ctx, c.options...)
				if err != nil {
					rejected.Add(1)
				}
				p.Done(nil)
			}
		})
	}
}

// BenchmarkForcedDecide is a decision on a route that is forced closed.
func BenchmarkForcedDecide(b *testing.B) {
	e := newEngine(b, atrion.Config{Law: ohmicLaw(b, nil)})
	r := newRoute(b, e, "r")
	force(b, e, "r", atrion.ForceClosed, time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if !r.Decide(50).Allow {
			rejected.Add(1)
		}
	}
}

// BenchmarkApply puts routes that have learned something under another law, until
// the last of them is, while nobody asks.
func BenchmarkApply(b *testing.B) {
	for _, routes := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint("routes=", routes), func(b *testing.B) {
			e := newEngine(b, atrion.Config{Law: ohmicLaw(b, nil), MaxRoutes: 2_000_000})
			for i := range routes {
				if err := e.Observe(fmt.Sprint("r", i), atrion.Telemetry{Latency: time.Millisecond}); err != nil {
					b.Fatal(err)
				}
			}
			for i := 0; b.Loop(); i++ {
				floor := float64(i%2 + 1)
				if err := e.Apply(atrion.Settings{Law: ohmicLaw(b, func(c *ohmic.Config) { c.Floor = floor })}); err != nil {
					b.Fatal(err)
				}
				for r := 0; r < routes; { // they are worked off in no order that is known here
					x, err := e.Explain(fmt.Sprint("r", r), 0)
					if err != nil {
						b.Fatal(err)
					}
					if x.Decision.Terms.Base == floor {
						r += routes / 1000
					} else {
						time.Sleep(10 * time.Millisecond)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(routes), "ns/route")
		})
	}
}

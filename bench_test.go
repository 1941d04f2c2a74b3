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

func benchRoute(b *testing.B) *atrion.Route {
	b.Helper()
	law, err := ohmic.New(ohmic.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	r := newRoute(b, newEngine(b, atrion.Config{Law: law}), "r")
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
	r := benchRoute(b)
	for b.Loop() {
		if !r.Allow(50) {
			rejected.Add(1)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	r := benchRoute(b)
	for b.Loop() {
		if !r.Decide(50).Allow {
			rejected.Add(1)
		}
	}
}

func BenchmarkAcquireDone(b *testing.B) {
	r := benchRoute(b)
	ctx := context.Background()
	for name, options := range map[string][]atrion.AcquireOption{"plain": nil, "subject": {atrion.Subject("alice")}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, err := r.Acquire(ctx, options...)
				if err != nil {
					rejected.Add(1)
				}
				p.Done(nil)
			}
		})
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

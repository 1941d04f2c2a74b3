package atrion_test

import (
	"context"
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

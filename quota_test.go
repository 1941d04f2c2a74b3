package atrion_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
)

// moment is a clock that stands until it is set.
type moment struct{ ns atomic.Int64 }

func (m *moment) Now() int64 { return m.ns.Load() }

// Whoever bids above the quota's voltage more often than the quota allows is
// judged at that voltage from then on, and others are not.
func TestQuota(t *testing.T) {
	now := new(moment)
	now.ns.Store(int64(time.Hour))
	e := newEngine(t, atrion.Config{Clock: now, Quota: atrion.Quota{Above: 150, Rate: 10, Burst: 3}})
	r := newRoute(t, e, "r")
	bid := func(options ...atrion.AcquireOption) atrion.Decision {
		t.Helper()
		p, d, err := r.AcquireDecision(context.Background(), options...)
		if err != nil {
			t.Fatal(err)
		}
		p.Drop()
		return d
	}
	expect := func(d atrion.Decision, volts float64, capped bool) {
		t.Helper()
		if d.Voltage != volts || d.Capped != capped || strings.Contains(d.String(), "capped") != capped || strings.Contains(d.Explain(), "quota") != capped {
			t.Errorf("%v V, capped %v, want %v, %v: %v", d.Voltage, d.Capped, volts, capped, d)
		}
	}
	greedy := atrion.Subject("greedy")
	for range 3 {
		expect(bid(atrion.Critical, greedy), 400, false)
	}
	expect(bid(atrion.Critical, greedy), 150, true)
	expect(bid(atrion.Critical, greedy, atrion.Retry(1)), 150, true)
	expect(bid(atrion.Voltage(150), greedy), 150, false)
	expect(bid(atrion.Voltage(180), atrion.Retry(1), greedy), 144, false) // no more than the quota's voltage
	expect(bid(atrion.Critical, atrion.Subject("modest")), 400, false)
	// Nobody in particular is one identity, whatever asks.
	for range 2 {
		expect(bid(atrion.Critical), 400, false)
	}
	expect(r.Decide(400), 400, false)
	expect(r.Decide(400), 150, true)
	d, err := e.Decide("r", atrion.Telemetry{Voltage: 400})
	if err != nil {
		t.Fatal(err)
	}
	expect(d, 150, true)
	// With the next tenth of a second comes one more bid, in whatever way it asks.
	now.ns.Add(int64(time.Second / 10))
	d, err = e.Decide("r", atrion.Telemetry{Voltage: 400, Latency: time.Millisecond}, greedy)
	if err != nil {
		t.Fatal(err)
	}
	expect(d, 400, false)
	expect(bid(atrion.Critical, greedy), 150, true)
	if got := e.Capped(); got != 5 {
		t.Errorf("%d bids capped, want 5", got)
	}
	// Explanations spend nothing.
	x, err := e.Explain("r", 400)
	if err != nil || x.Decision.Voltage != 400 || x.Decision.Capped {
		t.Errorf("%+v, %v", x.Decision, err)
	}
}

// A route that resists by price lets pass who is within the quota, and not who is
// capped: a RejectedError says so.
func TestQuotaDecides(t *testing.T) {
	e := newEngine(t, atrion.Config{Quota: atrion.Quota{Above: 5, Rate: 1, Burst: 1}})
	r := newRoute(t, e, "r")
	for range 20 { // the published law: a base of 10 ohms
		if err := r.Observe(atrion.Telemetry{Latency: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	if allow, err := e.Allow("r", 100); !allow || err != nil {
		t.Fatalf("the first bid: %v, %v", allow, err)
	}
	if r.Allow(100) {
		t.Error("Route.Allow is a way around the quota")
	}
	if allow, _ := e.Allow("r", 100); allow {
		t.Error("Engine.Allow is a way around the quota")
	}
	_, err := r.Acquire(context.Background(), atrion.Critical)
	var rejected *atrion.RejectedError
	if !errors.As(err, &rejected) || !rejected.Decision.Capped || rejected.Decision.Voltage != 5 {
		t.Errorf("%v", err)
	}
}

// A million identities cost the table's memory and nothing more, and one that
// keeps bidding high among them stays capped.
func TestQuotaIsBounded(t *testing.T) {
	now := new(moment)
	now.ns.Store(int64(time.Hour))
	e := newEngine(t, atrion.Config{Clock: now, Quota: atrion.Quota{Above: 150, Rate: 1, Burst: 10, Identities: 256}})
	r := newRoute(t, e, "r")
	capped, bids := 0, 0
	for i := range 20_000 {
		now.ns.Add(int64(time.Millisecond))
		p, d, err := r.AcquireDecision(context.Background(), atrion.Critical, atrion.Subject(fmt.Sprint("s", i)))
		if err != nil || d.Capped {
			t.Fatalf("a first bid: %v, %v", d, err)
		}
		p.Drop()
		if i%10 == 0 {
			p, d, _ := r.AcquireDecision(context.Background(), atrion.Critical, atrion.Subject("greedy"))
			bids++
			if d.Capped {
				capped++
			}
			p.Drop()
		}
	}
	if share := float64(capped) / float64(bids); share < .9 { // 100 a second, at 1 a second
		t.Errorf("%d of %d greedy bids capped", capped, bids)
	}
}

func TestQuotaConcurrent(t *testing.T) {
	now := new(moment)
	now.ns.Store(int64(time.Hour))
	e := newEngine(t, atrion.Config{Clock: now, Quota: atrion.Quota{Above: 150, Rate: 1, Burst: 100}})
	r := newRoute(t, e, "r")
	var high atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				p, d, err := r.AcquireDecision(context.Background(), atrion.Critical, atrion.Subject("one"))
				if err != nil {
					t.Error(err)
				}
				if d.Voltage == 400 {
					high.Add(1)
				}
				p.Drop()
			}
		})
	}
	wg.Wait()
	// Those who meet in the table first may find a slot each.
	if n := high.Load(); n < 100 || n > 400 {
		t.Errorf("%d of 1600 bids above the quota's voltage, want 100 and little more", n)
	}
}

// The guard allocates nothing, and neither does a tier's name.
func TestQuotaDoesNotAllocate(t *testing.T) {
	e := newEngine(t, atrion.Config{Quota: atrion.Quota{Above: 150, Rate: 1, Burst: 1}, Tiers: map[string]float64{"gold": 300}})
	r := newRoute(t, e, "r")
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() {
		p, err := r.Acquire(ctx, atrion.Lane("gold"), atrion.Subject("one"))
		if err != nil {
			t.Fatal(err)
		}
		p.Drop()
		r.Allow(400)
		r.Decide(400)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if e.Capped() == 0 {
		t.Error("no bid was capped: the test shows nothing")
	}
}

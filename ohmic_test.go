package atrion_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/vtime"
)

// world is an engine under the default law in virtual time, with one route.
type world struct {
	loop  *vtime.Loop
	eng   *atrion.Engine
	route *atrion.Route
}

func newWorld(t *testing.T, cfg atrion.Config) *world {
	t.Helper()
	w := &world{loop: vtime.New()}
	cfg.Clock, cfg.Random = w.loop, rand.New(rand.NewPCG(1, 1)).Float64
	var err error
	if w.eng, err = atrion.New(cfg); err != nil {
		t.Fatal(err)
	}
	if w.route, err = w.eng.Route("r"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.eng.Close(context.Background()); err != nil {
			t.Error(err)
		}
		w.loop.Close()
	})
	return w
}

// calls makes calls of that latency, one every pace, for so long.
func (w *world) calls(latency, pace, long time.Duration) (admitted, shed int) {
	end := w.loop.Now() + int64(long)
	var next func()
	next = func() {
		if p, err := w.route.Acquire(context.Background()); err != nil {
			shed++
		} else {
			admitted++
			w.loop.After(latency, func() { p.Done(nil) })
		}
		if w.loop.Now()+int64(pace) < end {
			w.loop.After(pace, next)
		}
	}
	w.loop.After(0, next)
	w.loop.Run(end)
	return admitted, shed
}

// An explanation tells of a latency that is not what it was, and of nothing while
// it is.
func TestExplainTellsOfUnusualLatency(t *testing.T) {
	w := newWorld(t, atrion.Config{})
	w.calls(20*time.Millisecond, 10*time.Millisecond, 11*time.Minute)
	x, err := w.eng.Explain("r", 0)
	if err != nil || x.Unusual != "" {
		t.Fatalf("while all is as usual: %q, %v", x.Unusual, err)
	}
	if x.Limit < 4 || !strings.Contains(x.String(), " of 8 in flight") {
		t.Errorf("limit %v, %s", x.Limit, x)
	}
	w.calls(60*time.Millisecond, 10*time.Millisecond, 20*time.Second)
	if x, _ = w.eng.Explain("r", 0); !strings.HasPrefix(x.Unusual, "Latency is 60 ms, usually 20:") {
		t.Errorf("three times slower: %q", x.Unusual)
	}
}

// A permit that is never ended comes back after PermitTTL, and what it reports
// later counts for nothing.
func TestForgottenPermitComesBack(t *testing.T) {
	w := newWorld(t, atrion.Config{PermitTTL: 10 * time.Second})
	w.calls(time.Millisecond, 10*time.Millisecond, time.Second)
	forgotten, err := w.route.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	w.calls(time.Millisecond, 10*time.Millisecond, 9*time.Second)
	if n := w.route.Inflight(); n != 1 {
		t.Fatalf("%d in flight before its time is up, want 1", n)
	}
	w.calls(time.Millisecond, 10*time.Millisecond, 4*time.Second)
	before := w.eng.Stats()
	if n := w.route.Inflight(); n != 0 || before.Reclaimed != 1 {
		t.Errorf("%d in flight after it, %d taken back; want 0 and 1", n, before.Reclaimed)
	}
	forgotten.Done(nil)
	w.loop.Run(w.loop.Now() + int64(time.Second))
	if after := w.eng.Stats(); after.Samples != before.Samples || after.Late != 1 || w.route.Inflight() != 0 {
		t.Errorf("samples %d, were %d; late %d; in flight %d: a late end counted", after.Samples, before.Samples, after.Late, w.route.Inflight())
	}
}

// The decision that a permit was given on is the one that is shown.
func TestAcquireDecision(t *testing.T) {
	w := newWorld(t, atrion.Config{})
	for range 20 {
		p, d, err := w.route.AcquireDecision(context.Background(), atrion.High, atrion.Retry(1))
		if d.Allow != (err == nil) || d.Voltage != 160 || d.Allow != (d.Voltage > d.Resistance) || d.Terms.Sum() != d.Resistance {
			t.Fatalf("%+v, %v", d, err)
		}
		_ = &p // never ended: the route fills up
	}
	if _, d, err := w.route.AcquireDecision(context.Background()); err == nil || d.Reason != atrion.InsufficientVoltage || d.RetryAfter <= 0 {
		t.Errorf("a full route: %+v, %v", d, err)
	}
	if n := w.route.Inflight(); n != 10 { // 1.2 times the 8 it starts with, rounded up
		t.Errorf("%d in flight, the cap is 10", n)
	}
}

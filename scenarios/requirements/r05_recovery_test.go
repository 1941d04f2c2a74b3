package requirements

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// R5: recovery is fast. When a dependency that was down for a minute is well
// again, at least 95 % are admitted from 5 s later on, at 20 and at 1000
// requests a second. What the route itself rejected is demand, and never counts
// as a failure of the dependency.
const (
	downFrom, downTo = 30, 90
	recoverBy        = 5
	recoverShare     = .95
)

func down(rate float64, kind string) sim.Scenario {
	b := sim.Backend{Servers: int(max(4, rate/8)), Service: sim.Exponential(50)}
	if kind == "hangs" {
		b.Hang = []sim.Interval{{From: downFrom, To: downTo}}
	} else {
		b.Errors = sim.Steps(at(0, 0), at(downFrom, 1), at(downTo, 0))
	}
	return sim.Scenario{
		Name: "down", Duration: downTo + recoverBy + 15,
		Clients: sim.Clients{Load: sim.Const(rate / b.Capacity()), Attempts: 1},
		Backend: b,
	}
}

// recovered returns the share admitted from the bound on, over the whole rest
// and in its worst five seconds.
func recovered(l *ledger) (all, worst float64) {
	from := downTo + recoverBy
	all, worst = l.between(from, from+15).share(), 1
	for i := from; i < from+15; i += 5 {
		worst = min(worst, l.between(i, i+5).share())
	}
	return all, worst
}

func TestR05Recovery(t *testing.T) {
	for _, rate := range []float64{20, 1000} {
		for _, kind := range []string{"fails", "hangs"} {
			t.Run(fmt.Sprintf("%s at %v rps", kind, rate), func(t *testing.T) {
				t.Parallel()
				for seed := uint64(1); seed <= 3; seed++ {
					_, l := play(t, down(rate, kind), product(setup{}), seed)
					all, worst := recovered(l)
					fault := l.between(downFrom+5, downTo).share()
					t.Logf("seed %d: %.2f admitted in the fault, %.3f from %d s after it (worst 5 s: %.3f)", seed, fault, all, recoverBy, worst)
					if worst < recoverShare {
						t.Errorf("seed %d: %.3f admitted in some 5 s, want %v", seed, worst, recoverShare)
					}
					if fault > .75 {
						t.Errorf("seed %d: %.2f admitted in the fault: there is nothing to recover from", seed, fault)
					}
				}
			})
		}
	}
}

// The control arms: a law that remembers every failure for a minute, and a
// limit that takes failures for congestion and climbs out of it call by call.
func TestR05ControlsDoNotRecover(t *testing.T) {
	for name, f := range map[string]sim.Factory{
		"long memory": product(setup{law: func(c *ohmic.Config) { c.FailureMemory, c.FailureCalls = time.Minute, 1e6 }}),
		"vegas":       rival(t, "vegas"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, l := play(t, down(1000, "fails"), f, 1)
			all, worst := recovered(l)
			t.Logf("%.3f admitted (worst 5 s: %.3f)", all, worst)
			if worst >= recoverShare {
				t.Error("the control arm recovers: the test shows nothing")
			}
		})
	}
}

// Rejections leave the memory of failure as it is: a route whose demand is
// rejected forgets as fast as one that nobody asks.
func TestR05RejectionsAreNoFailures(t *testing.T) {
	scar := func(asks int, blame bool) float64 {
		loop := newLoop(t)
		e := newEngine(loop, 1)
		r := must(e.Route("r"))
		for range 200 { // bids of all heights, and nothing succeeds
			for _, volts := range []float64{25, 50, 100, 200, 400} {
				if p, err := r.Acquire(context.Background(), atrion.Voltage(volts)); err == nil {
					p.Done(sim.ErrFailed)
				}
			}
			loop.Run(loop.Now() + int64(5*time.Millisecond))
		}
		rejected := 0
		for range 20 {
			for range asks {
				p, err := r.Acquire(context.Background(), atrion.Bulk)
				if err != nil {
					rejected++
				}
				if err != nil && blame {
					_ = r.Observe(atrion.Telemetry{Outcome: atrion.Error})
				}
				p.Drop() // nothing is learned of the dependency
			}
			loop.Run(loop.Now() + int64(5*time.Millisecond))
		}
		if asks > 0 && rejected < 10*asks {
			t.Errorf("only %d of %d rejected", rejected, 20*asks)
		}
		// What the memory of failure leaves of the demand is in the time that
		// a rejected caller is told to wait for half of it to pass.
		d := must(e.Explain("r", .001)).Decision
		return d.RetryAfter.Seconds()
	}
	quiet, busy, blamed := scar(0, false), scar(100, false), scar(100, true)
	t.Logf("half of the demand passes in %.3f s, after 2000 more requests in %.3f s, if they were failures in %.3f s", quiet, busy, blamed)
	if quiet < .1 || busy > quiet+.051 {
		t.Errorf("rejections count as failures: %.3f s instead of %.3f", busy, quiet)
	}
	if blamed <= quiet+.051 {
		t.Error("failures do not count as failures: the test shows nothing")
	}
}

package requirements

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// R23: a hard limit is hard. Ten thousand goroutines that ask at once never have
// more calls in flight than the limit lets in, (1+Headroom) times itself, and
// the race detector has nothing to say (go test -race).
//
// A limit stays what it is as long as nothing succeeds: calls here end with
// nothing said, or fail and are tolerated, so that the limit is known and its
// law is at work all the same.
const (
	limit = 32
	crowd = 10_000
	tries = 20
)

// seat is a place that was got; free gives it back. nil: there was none.
type limiter func(n int) (free func())

// rush lets a crowd ask for seats, all at once and until each has had one or has
// asked often, and returns the most that were held at a time and how often one was got.
func rush(ask limiter) (most, got int64) {
	var held, peak, count atomic.Int64
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for n := range crowd {
		wg.Go(func() {
			<-begin
			for i := range tries {
				free := ask(n + i)
				if free == nil {
					runtime.Gosched()
					continue
				}
				now := held.Add(1)
				for p := peak.Load(); now > p && !peak.CompareAndSwap(p, now); p = peak.Load() {
				}
				count.Add(1)
				runtime.Gosched()
				held.Add(-1)
				free()
				return
			}
		})
	}
	close(begin)
	wg.Wait()
	return peak.Load(), count.Load()
}

func TestR23HardLimit(t *testing.T) {
	c := ohmic.DefaultConfig()
	c.StartLimit, c.LeastLimit = limit, limit
	c.Evidence = 1000
	hard := int64(math.Ceil((1 + c.Headroom) * limit))
	for name, end := range map[string]func(p *atrion.Permit, n int){
		"nothing said": func(p *atrion.Permit, _ int) { p.Drop() },
		"some fail": func(p *atrion.Permit, n int) {
			if n%3 == 0 {
				p.Done(sim.ErrFailed)
			} else {
				p.Done(context.Canceled)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			// The engine draws between looking at the calls in flight and
			// taking a seat: there the others get their turn.
			draw := func() float64 {
				runtime.Gosched()
				return rand.Float64()
			}
			e := must(atrion.New(atrion.Config{Law: must(ohmic.New(c)), Clock: new(standing), Random: draw}))
			defer e.Close(context.Background())
			r := must(e.Route("r"))
			over := atomic.Int64{}
			most, got := rush(func(n int) func() {
				p, err := r.Acquire(context.Background(), atrion.Voltage(1+n%400))
				if err != nil {
					return nil
				}
				if r.Inflight() > hard {
					over.Add(1)
				}
				return func() { end(&p, n) }
			})
			t.Logf("at most %d of %d in flight, %d of %d got a seat", most, hard, got, crowd)
			if most > hard || over.Load() > 0 {
				t.Errorf("%d in flight, the limit is %d; %d saw too many", most, hard, over.Load())
			}
			if most < hard {
				t.Errorf("at most %d in flight: the limit of %d was never met, and the test shows nothing", most, hard)
			}
			if got < crowd/20 {
				t.Errorf("only %d of %d ever got a seat", got, crowd)
			}
			if n := r.Inflight(); n != 0 {
				t.Errorf("%d in flight in the end", n)
			}
		})
	}
}

// The control arm looks first and takes a seat afterwards.
func TestR23ControlOverflows(t *testing.T) {
	var taken atomic.Int64
	most, _ := rush(func(int) func() {
		if taken.Load() >= limit {
			return nil
		}
		runtime.Gosched() // somebody else looks
		taken.Add(1)
		return func() { taken.Add(-1) }
	})
	t.Logf("at most %d of %d in flight", most, limit)
	if most <= limit {
		t.Error("a limiter that looks before it takes keeps its limit: the test shows nothing")
	}
}

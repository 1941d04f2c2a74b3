package actors

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// A panic loses the batch that met it and nothing else.
func TestPanicLosesOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bomb atomic.Bool
		s := system(t, Config{Law: &ledger{onAdvance: func(_ *entry, b *physics.Batch) {
			if bomb.Swap(false) {
				b.N = b.N / 2 // a law that dies half way through
				panic("boom")
			}
		}}})
		events := s.Subscribe(10)
		r := must(s.Route("r"))
		for seq := 1; seq <= 3; seq++ {
			_ = r.Ask(context.Background(), sample(0, seq))
		}
		<-events.C() // bootstrap to operational
		before := r.Snapshot()
		bomb.Store(true)
		if err := r.Ask(context.Background(), sample(0, 4)); err != nil {
			t.Fatalf("Ask across a panic: %v", err)
		}
		if r.Snapshot() != before {
			t.Error("a panic changed the published state")
		}
		if ev := <-events.C(); ev.Kind != Restart || !strings.Contains(ev.Cause, "boom") {
			t.Errorf("event %+v, want restart after boom", ev)
		}
		time.Sleep(2 * s.cfg.BackOff)
		if err := r.Ask(context.Background(), sample(0, 5)); err != nil {
			t.Fatal(err)
		}
		if e := stateOf(r); e.n != 4 || e.wrong != "" {
			t.Errorf("after the restart n=%d %s, want 4", e.n, e.wrong)
		}
		if st := s.Stats(); st.Panics != 1 || st.Samples != 4 {
			t.Errorf("stats %+v, want 1 panic, 4 samples", st)
		}
	})
}

// The back-off doubles from BackOff to MaxBackOff, in virtual time, and a route
// that fails MaxFailures times in a row is faulty until a batch succeeds.
func TestBackOffAndFaulty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		failing.Store(true)
		var mu sync.Mutex
		var at []time.Time
		s := system(t, Config{
			BackOff: 10 * time.Millisecond, MaxBackOff: 50 * time.Millisecond, MaxFailures: 3,
			Law: &ledger{onAdvance: func(*entry, *physics.Batch) {
				mu.Lock()
				defer mu.Unlock()
				at = append(at, time.Now())
				if failing.Load() {
					panic("boom")
				}
			}},
		})
		r := must(s.Route("r"))
		go func() {
			for seq := 1; seq <= 400; seq++ {
				_ = r.Put(sample(0, seq))
				time.Sleep(time.Millisecond)
			}
		}()
		time.Sleep(200 * time.Millisecond)
		mu.Lock()
		var gaps []time.Duration
		for i := 1; i < len(at) && i < 6; i++ {
			gaps = append(gaps, at[i].Sub(at[i-1]))
		}
		mu.Unlock()
		want := []time.Duration{10, 20, 40, 50, 50}
		for i, g := range gaps {
			if w := want[i] * time.Millisecond; g < w || g > w+2*time.Millisecond {
				t.Errorf("gap %d is %v, want %v", i, g, w)
			}
		}
		v, _, _ := r.Decide(1)
		if !r.Snapshot().Faulty || !v.Allow || v.Reason != physics.Faulty {
			t.Errorf("%+v, want faulty and failing open", v)
		}
		seat, ok := r.Enter(1, new(Answer))
		allow, _ := r.Allow(1)
		if v, _ := r.Peek(1); seat.Calls != 1 || !ok || !allow || !v.Allow {
			t.Errorf("Enter %d %v, Allow %v, Peek %+v: not all failing open", seat.Calls, ok, allow, v)
		}
		r.Leave(seat)
		failing.Store(false)
		time.Sleep(100 * time.Millisecond)
		if v, _, _ := r.Decide(1); r.Snapshot().Faulty || v.Reason == physics.Faulty {
			t.Errorf("after a good batch: %+v, want healthy", v)
		}
		time.Sleep(time.Second)
	})
}

// Nobody waits for an actor that backs off; the sample counts all the same.
func TestAskDoesNotWaitForABackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		failing.Store(true)
		s := system(t, Config{BackOff: time.Minute, MaxBackOff: time.Minute, Law: &ledger{onAdvance: func(*entry, *physics.Batch) {
			if failing.Load() {
				panic("boom")
			}
		}}})
		r := must(s.Route("r"))
		_ = r.Put(sample(0, 1))
		synctest.Wait()
		start := time.Now()
		if err := r.Ask(context.Background(), sample(0, 2)); !errors.Is(err, ErrFailing) {
			t.Errorf("Ask of an actor that backs off: %v, want ErrFailing", err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
		failing.Store(false)
		time.Sleep(2 * time.Minute)
		if n := stateOf(r).n; n != 1 {
			t.Errorf("%d samples seen after the back-off, want the second one", n)
		}
	})
}

// Failures that are not in a row never make a route faulty, and each backs off
// as the first.
func TestSuccessForgivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		s := system(t, Config{MaxFailures: 3, BackOff: 10 * time.Millisecond, Law: &ledger{onAdvance: func(*entry, *physics.Batch) {
			if n.Add(1)%2 == 1 {
				panic("boom")
			}
		}}})
		r := must(s.Route("r"))
		for seq := 1; seq <= 20; seq += 2 {
			_ = r.Ask(context.Background(), sample(0, seq))
			start := time.Now()
			_ = r.Put(sample(0, seq+1))
			for r.Snapshot().Revision < uint64(seq+1)/2 {
				time.Sleep(time.Millisecond)
			}
			if d := time.Since(start); d > 12*time.Millisecond {
				t.Errorf("after failure %d the actor was away for %v, want 10 ms", seq/2+1, d)
			}
			if r.Snapshot().Faulty {
				t.Fatalf("faulty after failure %d, none in a row", seq/2+1)
			}
		}
	})
}

func TestFailClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Config{MaxFailures: 1, FailClosed: true, Law: &ledger{onAdvance: func(*entry, *physics.Batch) { panic("boom") }}})
		r := must(s.Route("r"))
		_ = r.Ask(context.Background(), sample(0, 1))
		if v, _, _ := r.Decide(1); v.Allow || v.Reason != physics.Faulty {
			t.Errorf("%+v, want rejected as faulty", v)
		}
		seat, ok := r.Enter(1, new(Answer))
		allow, _ := r.Allow(1)
		if v, _ := r.Peek(1); seat.Calls != 0 || !ok || allow || v.Allow {
			t.Errorf("Enter %d %v, Allow %v, Peek %+v: not all failing closed", seat.Calls, ok, allow, v)
		}
	})
}

// Even a law that ends its goroutine does not leave the mailbox unattended.
func TestGoexitInLaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var exit atomic.Bool
		exit.Store(true)
		s := system(t, Config{Law: &ledger{onAdvance: func(*entry, *physics.Batch) {
			if exit.Swap(false) {
				runtime.Goexit()
			}
		}}})
		r := must(s.Route("r"))
		if err := r.Ask(context.Background(), sample(0, 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * s.cfg.BackOff)
		if err := r.Ask(context.Background(), sample(0, 2)); err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); stateOf(r).n != 1 || st.Panics != 1 || st.LostInPanic != 1 {
			t.Errorf("n=%d %+v, want the second sample seen and the first counted as lost", stateOf(r).n, st)
		}
	})
}

// Close works off what was taken and leaves no goroutine: a synctest bubble
// fails if one is left.
func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(context.Background(), Config{Law: &ledger{}, Linger: time.Hour})
		taken := 0
		var routes []*Route
		for _, name := range []string{"a", "b", "c"} {
			r := must(s.Route(name))
			routes = append(routes, r)
			for seq := 1; seq <= 1000; seq++ {
				if r.Put(sample(0, seq)) == nil {
					taken++
				}
			}
			r.Decide(1)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, r := range routes {
			seen += stateOf(r).n
			if err := r.Put(sample(0, 2000)); !errors.Is(err, ErrClosed) {
				t.Errorf("Put after Close: %v, want ErrClosed", err)
			}
		}
		if seen != taken {
			t.Errorf("%d samples seen of %d taken", seen, taken)
		}
		if _, err := s.Route("d"); !errors.Is(err, ErrClosed) {
			t.Errorf("Route after Close: %v, want ErrClosed", err)
		}
		if st := s.Stats(); st.Active != 0 || st.AfterClose != 3 {
			t.Errorf("after Close %+v, want no actor and 3 samples refused", st)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func TestCloseIsBounded(t *testing.T) {
	g := newGate()
	s := NewSystem(context.Background(), Config{Law: &ledger{onAdvance: func(*entry, *physics.Batch) { g.pass() }}})
	r := must(s.Route("r"))
	_ = r.Put(sample(0, 1))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 actors still busy") {
		t.Fatalf("Close with a stuck actor: %v, want a deadline error that says so", err)
	}
	g.release()
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// Close while samples arrive from everywhere: what Put took is seen, what it
// refused is counted, and nothing hangs.
func TestCloseUnderFire(t *testing.T) {
	for range 20 {
		s := NewSystem(context.Background(), Config{Law: &ledger{}, MailboxSize: 64})
		r := must(s.Route("r"))
		done := make(chan int)
		for who := range 4 {
			go func() {
				taken := 0
				for seq := 1; ; seq++ {
					switch err := r.Put(sample(who, seq)); {
					case err == nil:
						taken++
					case errors.Is(err, ErrClosed):
						done <- taken
						return
					}
				}
			}()
		}
		time.Sleep(time.Millisecond)
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		taken := 0
		for range 4 {
			taken += <-done
		}
		if n := stateOf(r).n; n != taken {
			t.Fatalf("%d samples seen of %d taken", n, taken)
		}
	}
}

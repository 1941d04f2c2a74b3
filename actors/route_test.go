package actors

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// Every sample that Put took is seen exactly once, in the order of its sender,
// with times that never run backwards, however producers and actor interleave.
func TestSamplesSeenOnceInOrder(t *testing.T) {
	const senders, each = 8, 20_000
	s := system(t, Config{MailboxSize: 512})
	r := must(s.Route("r"))
	var wg sync.WaitGroup
	var taken atomic.Int64
	for who := range senders {
		wg.Go(func() {
			for seq := 1; seq <= each; {
				n, took, err := 1, 0, error(nil)
				if who%2 == 1 {
					many := make([]physics.Sample, min(100, each-seq+1))
					for i := range many {
						many[i] = *sample(who, seq+i)
					}
					n = len(many)
					took, err = r.PutAll(many, 0)
				} else if err = r.Put(sample(who, seq)); err == nil {
					took = 1
				}
				if err != nil && !errors.Is(err, ErrMailboxFull) || err == nil && took != n {
					t.Errorf("%d of %d taken: %v", took, n, err)
				}
				taken.Add(int64(took))
				seq += n
			}
		})
	}
	wg.Wait()
	eventually(t, "all taken samples seen", func() bool { return int64(stateOf(r).n) == taken.Load() })
	if w := stateOf(r).wrong; w != "" {
		t.Error(w)
	}
	st := s.Stats()
	if int64(st.Samples) != taken.Load() || st.MailboxFull != uint64(senders*each)-uint64(taken.Load()) {
		t.Errorf("stats %+v, want %d samples and the rest counted as dropped", st, taken.Load())
	}
	if st.Batches >= st.Samples {
		t.Errorf("%d batches for %d samples: nothing was batched", st.Batches, st.Samples)
	}
}

// A reader never sees a snapshot older than one it saw before.
func TestSnapshotsOnlyMoveForward(t *testing.T) {
	s := system(t, Config{})
	r := must(s.Route("r"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			var rev uint64
			n := 0
			for !closed(stop) {
				p := r.Snapshot()
				if e := p.State.(*entry); p.Revision < rev || e.n < n {
					t.Errorf("revision %d n %d after revision %d n %d", p.Revision, e.n, rev, n)
					return
				} else {
					rev, n = p.Revision, e.n
				}
			}
		})
	}
	for seq := 1; seq <= 50_000; seq++ {
		_ = r.Put(sample(0, seq))
	}
	close(stop)
	wg.Wait()
}

func TestMailboxIsBounded(t *testing.T) {
	g := newGate()
	s := system(t, Config{MailboxSize: 10, Law: &ledger{onAdvance: func(*entry, *physics.Batch) { g.pass() }}})
	defer g.release()
	events := s.Subscribe(100)
	r := must(s.Route("r"))
	if err := r.Put(sample(0, 1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "actor at work", func() bool { return g.arrived.Load() == 1 })
	for seq := 2; seq <= 11; seq++ {
		if err := r.Put(sample(0, seq)); err != nil {
			t.Fatalf("sample %d: %v", seq, err)
		}
	}
	for seq := 12; seq <= 15; seq++ {
		if err := r.Put(sample(0, seq)); !errors.Is(err, ErrMailboxFull) {
			t.Fatalf("sample %d in a full mailbox: %v, want ErrMailboxFull", seq, err)
		}
	}
	many := make([]physics.Sample, 3)
	if n, err := r.PutAll(many, 0); n != 0 || !errors.Is(err, ErrMailboxFull) {
		t.Errorf("PutAll in a full mailbox took %d: %v", n, err)
	}
	if got := s.Stats().MailboxFull; got != 7 {
		t.Errorf("MailboxFull = %d, want 7", got)
	}
	if ev := <-events.C(); ev.Kind != DeadLetter || ev.Route != "r" || ev.Cause != "mailbox full" {
		t.Errorf("event %+v, want a dead letter", ev)
	}
	g.release()
	eventually(t, "the 11 taken samples seen", func() bool { return stateOf(r).n == 11 })
}

// A goroutine exists only while there is work and a moment after.
func TestIdleRouteHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Config{})
		r := must(s.Route("r"))
		for seq := 1; seq <= 100; seq++ {
			if err := r.Put(sample(0, seq)); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Stats().Active; got != 1 {
			t.Errorf("after Put: %d actors, want 1", got)
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if st := s.Stats(); st.Active != 0 || st.Samples != 100 {
			t.Errorf("10 ms later: %+v, want 100 samples and no actor", st)
		}
		if r.box.head != nil || r.box.running {
			t.Error("an idle mailbox holds a chunk or is marked running")
		}
	})
}

// A busy route's actor lingers: the samples of its linger are one batch.
func TestLingerCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		s := system(t, Config{Linger: time.Millisecond, Law: &ledger{onAdvance: func(*entry, *physics.Batch) { g.pass() }}})
		r := must(s.Route("r"))
		put := func(from, to int) {
			for seq := from; seq <= to; seq++ {
				if err := r.Put(sample(0, seq)); err != nil {
					t.Fatal(err)
				}
			}
		}
		put(1, 1)
		synctest.Wait() // the law holds the first sample
		put(2, 10)      // so these are one batch, of a busy route
		g.release()
		synctest.Wait() // the actor lingers now
		before := s.Stats().Batches
		for i := range 9 {
			put(11+i, 11+i)
			time.Sleep(100 * time.Microsecond)
		}
		if got := s.Stats().Batches - before; got != 0 {
			t.Errorf("%d batches within the linger, want 0", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := s.Stats().Batches - before; got != 1 {
			t.Errorf("%d batches for the samples of one linger, want 1", got)
		}
	})
}

func TestAskSeesItsSample(t *testing.T) {
	s := system(t, Config{})
	r := must(s.Route("r"))
	var wg sync.WaitGroup
	for who := range 4 {
		wg.Go(func() {
			for seq := 1; seq <= 500; seq++ {
				if err := r.Ask(context.Background(), sample(who, seq)); err != nil {
					t.Error(err)
					return
				}
				if got := stateOf(r).seen[float64(who)]; got < seq {
					t.Errorf("after Ask %d of sender %d the snapshot knows %d", seq, who, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestAskIsBoundedByItsContext(t *testing.T) {
	g := newGate()
	s := system(t, Config{Law: &ledger{onAdvance: func(*entry, *physics.Batch) { g.pass() }}})
	defer g.release()
	r := must(s.Route("r"))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := r.Ask(ctx, sample(0, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Ask of a stuck actor: %v, want deadline exceeded", err)
	}
	g.release()
	eventually(t, "the sample of the abandoned Ask seen", func() bool { return stateOf(r).n == 1 })
}

// Asking a lingering actor does not wait for the linger to end.
func TestAskRousesALingeringActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Config{Linger: time.Second})
		r := must(s.Route("r"))
		for seq := 1; seq <= 10; seq++ {
			_ = r.Put(sample(0, seq))
		}
		synctest.Wait()
		start := time.Now()
		if err := r.Ask(context.Background(), sample(0, 11)); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("Ask took %v of virtual time, want 0", d)
		}
	})
}

func TestTransitionIsAnEvent(t *testing.T) {
	s := system(t, Config{Law: &ledger{tripAt: 2}})
	events := s.Subscribe(10)
	r := must(s.Route("r"))
	for seq := 1; seq <= 2; seq++ {
		if err := r.Ask(context.Background(), sample(0, seq)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct{ from, to physics.Mode }{{physics.Bootstrap, physics.Operational}, {physics.Operational, physics.CircuitBreaker}} {
		ev := <-events.C()
		if ev.Kind != Transition || ev.Route != "r" || ev.From != want.from || ev.To != want.to {
			t.Errorf("event %+v, want transition %v to %v", ev, want.from, want.to)
		}
	}
	if v, _, _ := r.Decide(1); v.Allow || v.Reason != physics.Tripped || r.Shed() != 1 {
		t.Errorf("decision %+v, shed %d; want tripped and counted", v, r.Shed())
	}
	if r.Peek(1); r.Shed() != 1 {
		t.Error("Peek was counted as shed")
	}
	if allow, _ := r.Allow(1); allow || r.Shed() != 2 {
		t.Errorf("Allow %v, shed %d; want no, and counted", allow, r.Shed())
	}
}

// A law that asks for ticks gets them, and the actor leaves when it stops.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		law := &ledger{wake: 50 * time.Millisecond}
		s := system(t, Config{Law: law})
		r := must(s.Route("r"))
		_ = r.Put(sample(0, 1))
		time.Sleep(1025 * time.Millisecond)
		synctest.Wait()
		e := stateOf(r)
		if e.ticks < 20 || e.ticks > 24 {
			t.Errorf("%d ticks in 1025 ms of one every 50 ms", e.ticks)
		}
		if e.n != 1 {
			t.Errorf("ticks changed the sample count to %d", e.n)
		}
	})
}

// A sample does not wait for the tick that the law asked for.
func TestTickDoesNotDelaySamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, Config{Law: &ledger{wake: time.Hour}})
		r := must(s.Route("r"))
		_ = r.Put(sample(0, 1))
		time.Sleep(time.Second)
		_ = r.Put(sample(0, 2))
		synctest.Wait()
		if n := stateOf(r).n; n != 2 {
			t.Errorf("%d samples seen, want 2", n)
		}
	})
}

func TestSlowSubscriberMissesEvents(t *testing.T) {
	var st stream
	slow, fast := st.subscribe(1), st.subscribe(100)
	for range 50 {
		st.publish(Event{Kind: Evicted})
	}
	if slow.Dropped() != 49 || fast.Dropped() != 0 || len(fast.C()) != 50 {
		t.Errorf("slow dropped %d, fast dropped %d and holds %d; want 49, 0, 50", slow.Dropped(), fast.Dropped(), len(fast.C()))
	}
	slow.Close()
	slow.Close()
	st.publish(Event{})
	if slow.Dropped() != 49 {
		t.Error("a closed subscription still gets events")
	}
}

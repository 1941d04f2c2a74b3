package actors

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/vtime"
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// fixed is the closed-loop law with that limit, which it keeps as long as it
// hears of no completion, and the most calls it ever lets in.
func fixed(limit float64) (physics.Law, int64) {
	c := ohmic.DefaultConfig()
	c.StartLimit, c.LeastLimit = limit, min(limit, c.LeastLimit)
	return must(ohmic.New(c)), int64(math.Ceil((1 + c.Headroom) * limit))
}

// virtual returns a system on a virtual clock, and the clock.
func virtual(t testing.TB, cfg Config) (*System, *vtime.Loop) {
	t.Helper()
	loop := vtime.New()
	cfg.Clock = loop
	if cfg.Random == nil {
		cfg.Random = rand.New(rand.NewPCG(1, 2)).Float64
	}
	return system(t, cfg), loop
}

// enter takes a seat if it may.
func enter(t testing.TB, r *Route) (s Seat, in bool) {
	t.Helper()
	var why Answer
	s, ok := r.Enter(100, &why)
	if !ok {
		t.Fatal("the route is gone")
	}
	if s.Calls == 0 {
		ruling, terms, p := r.Explain(&why)
		if ruling.Allow || ruling.Reason == physics.Allowed || terms.Sum() < 100 || p == nil {
			t.Fatalf("refused, and explained with %+v %+v", ruling, terms)
		}
	}
	return s, s.Calls > 0
}

// booked is how many seats the ring knows of.
func (s *seats) booked() (n int64) {
	for i := range s.ring {
		n += int64(s.ring[i].Load() & countMask)
	}
	return n
}

// A forgotten permit is taken back by whoever is refused, after PermitTTL and
// within a span of that, and not before; ending it then returns nothing and teaches
// nothing.
func TestForgottenPermits(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		ttl := time.Second + time.Duration(rng.Int64N(int64(time.Hour)))
		law, most := fixed(float64(1 + rng.IntN(20)))
		s, loop := virtual(t, Config{Law: law, PermitTTL: ttl})
		events := s.Subscribe(100)
		r := must(s.Route("r"))
		loop.Run(loop.Now() + rng.Int64N(int64(2*ttl)))
		var held []Seat
		for range most {
			seat, in := enter(t, r)
			if !in {
				t.Fatalf("%d of %d seats", len(held), most)
			}
			held = append(held, seat)
		}
		began, step := loop.Now(), int64(ttl)/1000
		for r.Inflight() == most {
			if seat, in := enter(t, r); in {
				held = append(held, seat)
				break
			}
			loop.Run(loop.Now() + step)
		}
		// A span of an eighth of a nanosecond more or less is lost in rounding.
		if age := time.Duration(loop.Now() - began); age < ttl-spans || age > ttl*spans/(spans-1)+time.Duration(2*step) {
			t.Errorf("taken back after %v, permits live %v", age, ttl)
		}
		if got := r.Inflight(); got != 1 || s.Stats().Reclaimed != uint64(most) {
			t.Errorf("%d in flight, %d taken back, want 1 and %d", got, s.Stats().Reclaimed, most)
		}
		if e := <-events.C(); e.Kind != Reclaimed || e.Lost != int(most) || e.Route != "r" {
			t.Errorf("event %+v", e)
		}
		for _, seat := range held[:most] {
			if r.Leave(seat) || r.Inflight() != 1 {
				t.Fatalf("a seat that was taken back is returned, %d in flight", r.Inflight())
			}
		}
		if !r.Leave(held[most]) || r.Inflight() != 0 || r.seats.booked() != 0 || s.Stats().Late != uint64(most) {
			t.Errorf("%d in flight, %d in the ring, %d late", r.Inflight(), r.seats.booked(), s.Stats().Late)
		}
	}
}

// One that was forgotten is taken back alone: whoever came later keeps theirs.
func TestOneForgottenPermit(t *testing.T) {
	law, most := fixed(8)
	ttl := 7 * time.Second
	s, loop := virtual(t, Config{Law: law, PermitTTL: ttl})
	r := must(s.Route("r"))
	enter(t, r)
	loop.Run(loop.Now() + int64(ttl)/2)
	var held []Seat
	for range most - 1 {
		seat, _ := enter(t, r)
		held = append(held, seat)
	}
	if _, in := enter(t, r); in {
		t.Fatal("one too many")
	}
	loop.Run(loop.Now() + int64(ttl)*3/4)
	seat, in := enter(t, r)
	if !in || r.Inflight() != most || s.Stats().Reclaimed != 1 {
		t.Errorf("%+v, %d in flight, %d taken back", seat, r.Inflight(), s.Stats().Reclaimed)
	}
	for _, seat := range append(held, seat) {
		if !r.Leave(seat) {
			t.Error("a seat in its time cannot be returned")
		}
	}
	if r.Inflight() != 0 || s.Stats().Late != 0 {
		t.Errorf("%d in flight, %d late", r.Inflight(), s.Stats().Late)
	}
}

// Where nobody is refused, those who come take back what was forgotten.
func TestForgottenPermitsAmongOthers(t *testing.T) {
	law, _ := fixed(100)
	ttl := 10 * time.Second
	for _, n := range []int64{1, 5} {
		s, loop := virtual(t, Config{Law: law, PermitTTL: ttl})
		r := must(s.Route("r"))
		for range n {
			enter(t, r)
		}
		began := loop.Now()
		for r.Inflight() == n {
			if seat, in := enter(t, r); !in || !r.Leave(seat) {
				t.Fatal("no seat")
			}
			loop.Run(loop.Now() + int64(time.Second))
		}
		if age := time.Duration(loop.Now() - began); age < ttl || age > 2*ttl || s.Stats().Reclaimed != uint64(n) {
			t.Errorf("%d taken back after %v, permits live %v", s.Stats().Reclaimed, age, ttl)
		}
	}
}

// Seats are as a list of who sits where would have it, whatever happens in
// whatever order.
func TestSeatsAreAList(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		var s seats
		span := rng.Uint32() // it may wrap
		var list []uint32    // who sits, by the span they came in
		var gone []uint32    // who was taken back
		back := func(keep func(uint32) bool) (lost int64) {
			list = slices.DeleteFunc(list, func(x uint32) bool {
				if keep(x) {
					return false
				}
				lost++
				gone = append(gone, x)
				return true
			})
			return lost
		}
		for step := range 400 {
			switch x := rng.IntN(10); {
			case x < 4:
				s.taken.Add(1)
				// A span that comes round again ends those of its former laps.
				want := back(func(x uint32) bool { return x == span || x%spans != span%spans })
				if got := s.enter(span); got != want {
					t.Fatalf("step %d: %d taken back on entering, want %d", step, got, want)
				}
				list = append(list, span)
			case x < 7 && len(list) > 0:
				i := rng.IntN(len(list))
				if !s.leave(list[i]) {
					t.Fatalf("step %d: a seat of span %d cannot be returned in %d", step, list[i], span)
				}
				list = slices.Delete(list, i, i+1)
			case x == 7 && len(gone) > 0:
				// Unless somebody sits where this one sat: they cannot be told apart.
				if late := gone[rng.IntN(len(gone))]; !slices.Contains(list, late) && s.leave(late) {
					t.Fatalf("step %d: a seat of span %d was taken back and is returned in %d", step, late, span)
				}
			case x == 8:
				want := back(func(x uint32) bool { return span-x < spans })
				if got := s.reclaim(span); got != want {
					t.Fatalf("step %d: %d taken back, want %d", step, got, want)
				}
			default:
				span += uint32(rng.IntN(4))
				if rng.IntN(20) == 0 {
					span += uint32(rng.IntN(40))
				}
			}
			if got := s.taken.Load(); got != int64(len(list)) || s.booked() != got {
				t.Fatalf("step %d: %d taken, %d in the ring, %d on the list", step, got, s.booked(), len(list))
			}
		}
	}
}

// Whoever read the clock a moment ago, before the span changed, must not take
// back what was taken since.
func TestReclaimOfAMomentAgo(t *testing.T) {
	for _, span := range []uint32{1, 7, 8, 100, math.MaxUint32} {
		var s seats
		for range 3 {
			s.taken.Add(1)
			s.enter(span)
		}
		if lost := s.reclaim(span - 1); lost != 0 || s.taken.Load() != 3 || !s.leave(span) {
			t.Errorf("span %d: %d seats just taken are taken back", span, lost)
		}
	}
}

// With ten thousand callers at once there are never more in flight than the law
// allows, nor less than none, and all seats come home.
func TestCapUnderFire(t *testing.T) {
	for _, limit := range []float64{1, 8, 100} {
		law, most := fixed(limit)
		s := system(t, Config{Law: law})
		r := must(s.Route("r"))
		var holding, refused, entered atomic.Int64
		check := func(n int64) {
			if n < 0 || n > most {
				t.Errorf("%d in flight, at most %d may be", n, most)
			}
		}
		var wg sync.WaitGroup
		for who := range 10_000 {
			wg.Go(func() {
				for range 5 {
					seat, in := enter(t, r)
					if !in {
						refused.Add(1)
						runtime.Gosched()
						continue
					}
					entered.Add(1)
					check(holding.Add(1))
					check(seat.Calls)
					check(r.Inflight())
					if who%3 > 0 {
						runtime.Gosched()
					}
					holding.Add(-1)
					if !r.Leave(seat) {
						t.Error("a seat cannot be returned")
					}
				}
			})
		}
		wg.Wait()
		if r.Inflight() != 0 || r.seats.booked() != 0 || holding.Load() != 0 {
			t.Errorf("%d in flight, %d in the ring after all have left", r.Inflight(), r.seats.booked())
		}
		if int64(r.Shed()) != refused.Load() || refused.Load() == 0 || entered.Load() == 0 {
			t.Errorf("%d entered, %d refused, %d counted as shed", entered.Load(), refused.Load(), r.Shed())
		}
	}
}

// jumps is a clock that others move.
type jumps struct{ now atomic.Int64 }

func (j *jumps) Now() int64 { return j.now.Load() }

// The same where permits are forgotten, time flies and results come late: who
// lives by the rules is never taken back, and in the end nothing is left over.
func TestForgettersUnderFire(t *testing.T) {
	const ttl = 700 * time.Second // spans of 100 s
	law, most := fixed(50)
	clock := &jumps{}
	clock.now.Store(int64(time.Hour))
	s := system(t, Config{Law: law, Clock: clock, PermitTTL: ttl})
	r := must(s.Route("r"))
	var fair, forgotten atomic.Int64 // seats held by those who live by the rules
	var wg sync.WaitGroup
	for who := range 1000 {
		wg.Go(func() {
			for i := range 100 {
				if who == 0 {
					clock.now.Add(int64(20 * time.Second))
				}
				seat, in := enter(t, r)
				if n := r.Inflight(); n < 0 || n > most {
					t.Errorf("%d in flight, at most %d may be", n, most)
				}
				if !in {
					runtime.Gosched()
					continue
				}
				if (who+i)%50 == 0 {
					forgotten.Add(1)
					continue
				}
				if n := fair.Add(1); n > most {
					t.Errorf("%d hold seats by the rules, at most %d may", n, most)
				}
				began := clock.Now()
				runtime.Gosched()
				fair.Add(-1)
				if !r.Leave(seat) && time.Duration(clock.Now()-began) < ttl/2 {
					t.Error("a permit in its time was taken back")
				}
			}
		})
	}
	wg.Wait()
	for range 3 * spans {
		clock.now.Add(int64(ttl) / (spans - 1))
		if seat, in := enter(t, r); in {
			r.Leave(seat)
		}
	}
	if r.Inflight() != 0 || r.seats.booked() != 0 || forgotten.Load() == 0 {
		t.Errorf("%d in flight, %d in the ring; %d were forgotten, %d taken back", r.Inflight(), r.seats.booked(), forgotten.Load(), s.Stats().Reclaimed)
	}
}

// Who takes a seat uses the route; who only peeks does not, nor is counted.
func TestSeatsAreUse(t *testing.T) {
	law, most := fixed(1)
	s, _ := virtual(t, Config{Law: law})
	r := must(s.Route("r"))
	r.used.Store(false)
	for range 5 {
		if v, p := r.Peek(100); !v.Allow || p != r.Snapshot() || r.used.Load() || r.Inflight() != 0 {
			t.Fatalf("%+v, used %v, %d in flight", v, r.used.Load(), r.Inflight())
		}
	}
	for range most {
		enter(t, r)
	}
	if v, _ := r.Peek(100); v.Allow || r.Shed() != 0 || !r.used.Load() {
		t.Errorf("%+v, %d shed, used %v", v, r.Shed(), r.used.Load())
	}
}

// Calls with a seat and calls of those who only ask share one cap, and none is
// counted twice.
func TestSeatsAndQuestions(t *testing.T) {
	law, most := fixed(16)
	for _, asks := range []int64{0, 5, most} {
		s, loop := virtual(t, Config{Law: law})
		r := must(s.Route("r"))
		// Somebody asks, and reports: from then on those who ask are counted.
		for range 3 {
			r.Decide(100)
			loop.Run(loop.Now() + 1e7)
			if err := r.Put(&physics.Sample{Time: loop.Now(), Latency: 10}); err != nil {
				t.Fatal(err)
			}
			loop.Run(loop.Now() + 1e8)
		}
		in := int64(0)
		for range asks {
			if ruling, _, _ := r.Decide(100); ruling.Allow {
				in++
			}
		}
		for seat, ok := enter(t, r); ok; seat, ok = enter(t, r) {
			if in++; seat.Calls != r.Inflight() {
				t.Errorf("%+v, %d in flight", seat, r.Inflight())
			}
		}
		if allow, _ := r.Allow(100); allow || in < most-1 || in > most+1 {
			t.Errorf("%d asked first: %d got in, one more %v, want %d", asks, in, allow, most)
		}
	}
}

// A route whose law keeps failing gives seats by policy, and says so.
func TestSeatsOfAFaultyRoute(t *testing.T) {
	law, most := fixed(1)
	for _, closed := range []bool{false, true} {
		s, _ := virtual(t, Config{Law: law, FailClosed: closed})
		r := must(s.Route("r"))
		faulty := *r.Snapshot()
		faulty.Faulty = true
		r.pub.Store(&faulty)
		if v, _ := r.Peek(100); v.Allow == closed || v.Reason != physics.Faulty {
			t.Errorf("fail closed %v: %+v", closed, v)
		}
		for i := range 2 * most {
			why := Answer{Want: true}
			seat, ok := r.Enter(100, &why)
			ruling, _, p := r.Explain(&why)
			if !ok || seat.Calls > 0 == closed || ruling.Allow == closed || ruling.Reason != physics.Faulty || p != &faulty {
				t.Errorf("call %d, fail closed %v: %+v, explained %+v", i, closed, seat, ruling)
			}
		}
	}
}

// A seat carries the epoch of the state that gave it.
func TestSeatsCarryTheEpoch(t *testing.T) {
	law, _ := fixed(8)
	s, loop := virtual(t, Config{Law: law})
	r := must(s.Route("r"))
	seen := map[uint32]bool{}
	for range 100 {
		want := r.Snapshot().State.(physics.Market).Epoch()
		seat, in := enter(t, r)
		if !in || seat.Epoch != want || seat.Calls != 1 {
			t.Fatalf("%+v, want epoch %d", seat, want)
		}
		seen[want] = true
		loop.Run(loop.Now() + 5e6)
		r.Leave(seat)
		if err := r.Put(&physics.Sample{Time: loop.Now(), Latency: 5, Inflight: 1, Voltage: 100, Epoch: seat.Epoch}); err != nil {
			t.Fatal(err)
		}
		loop.Run(loop.Now() + 5e6)
	}
	if len(seen) < 5 {
		t.Errorf("%d epochs in a hundred calls", len(seen))
	}
}

// played is what came of a service under load.
type played struct {
	admitted, vip, asked int
	learned              float64
	trace                []bool
}

// play offers a callee of forty servers twice what it can do, and a tenth of it at
// a high voltage, for that long; actors linger as long as given.
func play(t testing.TB, linger, long time.Duration, seed uint64) (out played) {
	rng := rand.New(rand.NewPCG(seed, 7))
	s, loop := virtual(t, Config{Law: must(ohmic.New(ohmic.DefaultConfig())), Linger: linger, Random: rand.New(rand.NewPCG(seed, 8)).Float64})
	r := must(s.Route("r"))
	busy := 0
	var queue []func()
	var done []physics.Sample
	begin := func(f func()) {
		if busy < 40 {
			busy++
			f()
		} else {
			queue = append(queue, f)
		}
	}
	var arrive func()
	end := loop.Now() + int64(long)
	settled := loop.Now() + int64(long)/2
	arrive = func() {
		if loop.Now() >= end {
			return
		}
		// The dice are thrown whatever is decided, so that all plays have the
		// same arrivals.
		gap, work, vip := time.Duration(rng.ExpFloat64()*2e6/80), time.Duration(rng.ExpFloat64()*2e6), rng.IntN(10) == 0
		loop.After(gap, arrive)
		voltage := 100.0
		if vip {
			voltage = 400
		}
		var why Answer
		seat, _ := r.Enter(voltage, &why)
		out.trace = append(out.trace, seat.Calls > 0)
		if loop.Now() >= settled {
			out.asked++
			if seat.Calls > 0 {
				out.admitted++
			}
			if vip && seat.Calls == 0 {
				out.vip++
			}
		}
		if seat.Calls == 0 {
			return
		}
		start := loop.Now()
		begin(func() {
			loop.After(work, func() {
				if busy--; len(queue) > 0 {
					next := queue[0]
					queue = queue[1:]
					busy++
					next()
				}
				if !r.Leave(seat) {
					t.Error("a seat cannot be returned")
				}
				done = append(done, physics.Sample{Time: loop.Now(), Latency: float64(loop.Now()-start) / 1e6, Inflight: float64(seat.Calls), Voltage: voltage, Epoch: seat.Epoch})
			})
		})
	}
	// Results are handed over by the millisecond: from single ones an actor
	// never learns that it is busy, and does not linger.
	var report func()
	report = func() {
		if _, err := r.PutAll(done, 0); err != nil {
			t.Error(err)
		}
		if done = done[:0]; loop.Now() < end+int64(time.Second) {
			loop.After(time.Millisecond, report)
		}
	}
	loop.After(0, report)
	loop.After(0, arrive)
	loop.Run(end + int64(time.Minute))
	out.learned, _ = r.Snapshot().State.(physics.Limited).Limit()
	if r.Inflight() != 0 || r.seats.booked() != 0 {
		t.Errorf("%d in flight in the end", r.Inflight())
	}
	return out
}

// When the actor gets round to its mailbox changes single decisions, and not
// what comes of them; the same timing gives the same history.
func TestLingerDoesNotMatter(t *testing.T) {
	const long = 4 * time.Second
	capacity := 40 / 0.002 * (long / 2).Seconds()
	for seed := range uint64(2) {
		for _, linger := range []time.Duration{10 * time.Microsecond, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
			got := play(t, linger, long, seed)
			t.Logf("%v %v %v %v %v", linger, got.admitted, got.vip, got.asked, got.learned)
			if share := float64(got.admitted) / capacity; share < 0.85 || share > 1.1 {
				t.Errorf("linger %v: %.3g of what the callee can do is admitted, limit %.3g", linger, share, got.learned)
			}
			if share := float64(got.vip) / float64(got.asked) * 10; share > 0.03 {
				t.Errorf("linger %v: %.3g of those with the high bid are turned away", linger, share)
			}
		}
	}
	a, b := play(t, time.Millisecond, time.Second, 9), play(t, time.Millisecond, time.Second, 9)
	if !slices.Equal(a.trace, b.trace) || len(a.trace) < 1000 {
		t.Error("two plays of the same dice differ")
	}
}

package actors

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/memory"
)

// Every benchmark runs, in the same process and with the same samples, what the
// actors are to be judged by: a plain map, a goroutine with a channel, the law
// without an actor around it. The figures to compare are the reported metrics;
// ns/op is that of a burst, a collection or a start, as each says.
//
// -short leaves out what holds a million routes.

func classicLaw(b *testing.B) physics.Law {
	b.Helper()
	law, err := classic.New(classic.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	return law
}

// endpoint is a route's name of the length that services have.
func endpoint(i int) string { return fmt.Sprintf("service-%02d/endpoint-%06d", i%100, i) }

// telemetry is the i-th of a stream of ordinary observations, 1 ms apart.
func telemetry(i int) physics.Sample {
	return physics.Sample{
		Time:       int64(i) * int64(time.Millisecond),
		Latency:    40 + 30*math.Sin(float64(i)),
		ErrorRate:  0.005,
		Saturation: 0.4,
		Voltage:    100,
	}
}

// sizes are the points of a curve over routes.
func sizes(limit int) []int {
	all := []int{1_000, 10_000, 100_000, 1_000_000}
	if testing.Short() {
		limit = min(limit, 100_000)
	}
	for all[len(all)-1] > limit {
		all = all[:len(all)-1]
	}
	return all
}

// footprint is the memory in use: heap and stacks as the runtime counts them,
// and what the operating system says, 0 where it does not.
type footprint struct{ used, resident float64 }

func measure() footprint {
	// Pools give up what they hold in the second collection.
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{float64(m.HeapAlloc + m.StackInuse), resident()}
}

func resident() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if f := strings.Fields(rest); len(f) > 0 {
		kb, _ := strconv.ParseFloat(f[0], 64)
		return kb * 1024
	}
	return 0
}

// per is what each of n routes added to the memory since f.
func (f footprint) per(n int) footprint {
	now := measure()
	return footprint{(now.used - f.used) / float64(n), (now.resident - f.resident) / float64(n)}
}

// gcCPU is the CPU time that collections have used so far, in seconds.
func gcCPU() float64 {
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64()
}

// collect makes the iteration a forced collection, what idle routes cost every
// time the garbage collector comes by, and reports that beside the memory that
// a route takes.
func collect(b *testing.B, route footprint) {
	b.Helper()
	runtime.GC() // the first one after the set-up also sweeps what that left
	before := gcCPU()
	for b.Loop() {
		runtime.GC()
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N), "gc-ms")
	b.ReportMetric((gcCPU()-before)*1e3/float64(b.N), "gc-cpu-ms")
	b.ReportMetric(route.used, "B/route")
	if route.resident != 0 {
		b.ReportMetric(route.resident, "RSS-B/route")
	}
}

// cpu is the CPU time of this process in seconds; 0 where it cannot be told. On
// a machine that others share it is a better witness than the clock on the wall.
// Its resolution is 10 ms.
func cpu() float64 {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the program's name may hold spaces
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}

// quiet waits until the system has no actor goroutine.
func quiet(b *testing.B, s *System) {
	b.Helper()
	for end := time.Now().Add(time.Minute); s.Stats().Active > 0; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			b.Fatalf("actors still busy: %+v", s.Stats())
		}
	}
}

// seen is how many samples each route gets before it is measured: enough to
// leave bootstrap, so that each has a state of its own.
const seen = 12

// BenchmarkIdle holds routes that have seen traffic and have none. An iteration
// is a forced garbage collection.
func BenchmarkIdle(b *testing.B) {
	law := classicLaw(b)
	for _, n := range sizes(1_000_000) {
		b.Run(fmt.Sprintf("routes=%d/by=actors", n), func(b *testing.B) {
			before := measure()
			s := system(b, Config{Law: law})
			for i := range n {
				r := must(s.Route(endpoint(i)))
				for k := range seen {
					t := telemetry(k)
					if err := r.Put(&t); err != nil {
						b.Fatal(err)
					}
				}
			}
			quiet(b, s)
			if st := s.Stats(); st.Samples != uint64(n*seen) || st.Routes != int64(n) {
				b.Fatalf("%+v, want %d routes with %d samples each", st, n, seen)
			}
			collect(b, before.per(n))
			runtime.KeepAlive(s)
		})
		// The least that the same knowledge can cost in Go: no actor, no
		// mailbox, no snapshot for readers.
		b.Run(fmt.Sprintf("routes=%d/by=map", n), func(b *testing.B) {
			before := measure()
			m := map[string]physics.State{}
			batch := physics.NewBatch()
			for k := range seen {
				t := telemetry(k)
				batch.Add(&t)
			}
			for i := range n {
				st := law.NewState()
				st.Advance(law.NewState(), batch)
				m[endpoint(i)] = st
			}
			collect(b, before.per(n))
			runtime.KeepAlive(m)
		})
	}
	// What an actor is where nobody minds the memory. A million would be 3 GB.
	for _, n := range sizes(100_000) {
		b.Run(fmt.Sprintf("routes=%d/by=goroutine", n), func(b *testing.B) {
			before := measure()
			m := map[string]*parked{}
			for i := range n {
				p := newParked(law, 16)
				for k := range seen {
					p.box <- telemetry(k)
				}
				m[endpoint(i)] = p
			}
			for _, p := range m {
				for p.seen.Load() < seen {
					runtime.Gosched()
				}
			}
			collect(b, before.per(n))
			for _, p := range m {
				close(p.box)
			}
		})
	}
}

// parked is the straightforward actor: a goroutine that waits at a channel and
// takes all that waits there as one batch.
type parked struct {
	box  chan physics.Sample
	seen atomic.Uint64
	pub  atomic.Pointer[physics.State]
}

func newParked(law physics.Law, size int) *parked {
	p := &parked{box: make(chan physics.Sample, size)}
	first := law.NewState()
	p.pub.Store(&first)
	// A batch of its own would be 56 KiB for each: take one when there is work.
	batches := &parkedBatches
	go func() {
		for s := range p.box {
			batch := batches.Get().(*physics.Batch)
			batch.Add(&s)
		more:
			for batch.N < physics.MaxBatch {
				select {
				case s, ok := <-p.box:
					if !ok {
						break more
					}
					batch.Add(&s)
				default:
					break more
				}
			}
			monotone(batch, math.MinInt64)
			next := law.NewState()
			next.Advance(*p.pub.Load(), batch)
			p.pub.Store(&next)
			p.seen.Add(uint64(batch.N))
			batch.Reset()
			batches.Put(batch)
		}
	}()
	return p
}

var parkedBatches = sync.Pool{New: func() any { return physics.NewBatch() }}

// awake is a law whose routes always want another tick, so that their actors
// stay.
type awake struct{ physics.Law }

type awakeState struct{ physics.State }

func (l awake) NewState() physics.State { return &awakeState{l.Law.NewState()} }

func (s *awakeState) Advance(prev physics.State, b *physics.Batch) time.Duration {
	s.State.Advance(prev.(*awakeState).State, b)
	return time.Hour
}

// BenchmarkActive holds routes whose actors linger. burst is how many samples
// each had at a time: long batches need more stack. An iteration is a forced
// garbage collection.
func BenchmarkActive(b *testing.B) {
	const n = 10_000
	for _, burst := range []int{1, seen, 300} {
		b.Run(fmt.Sprintf("routes=%d/burst=%d", n, burst), func(b *testing.B) {
			before := measure()
			s := system(b, Config{Law: awake{classicLaw(b)}})
			for i := range n {
				r := must(s.Route(endpoint(i)))
				for k := range burst - 1 {
					t := telemetry(k)
					if err := r.Put(&t); err != nil {
						b.Fatal(err)
					}
				}
				// Asking makes the actor take what waits at once, as one batch
				// where it has not run yet.
				t := telemetry(burst - 1)
				if err := r.Ask(context.Background(), &t); err != nil {
					b.Fatal(err)
				}
			}
			if st := s.Stats(); st.Active != n || st.Samples != uint64(n*burst) {
				b.Fatalf("%+v, want %d actors that saw %d samples each", st, n, burst)
			}
			collect(b, before.per(n))
		})
	}
}

// burstSize is how many samples an iteration of BenchmarkPut sends.
const burstSize = 1 << 16

// burst sends burstSize samples from that many senders, waits until each was
// seen or dropped, and returns how many were dropped. put returns false for a
// dropped sample.
func burst(senders int, put func(i int, s *physics.Sample) bool, done func() bool) (dropped int64) {
	var lost atomic.Int64
	var wg sync.WaitGroup
	each := burstSize / senders
	for who := range senders {
		wg.Go(func() {
			own := int64(0)
			s := telemetry(who)
			for i := range each {
				s.Time += 1000
				if !put(who*each+i, &s) {
					own++
				}
			}
			lost.Add(own)
		})
	}
	wg.Wait()
	for !done() {
		time.Sleep(20 * time.Microsecond)
	}
	return lost.Load()
}

// reportBurst states an iteration of BenchmarkPut in samples.
func reportBurst(b *testing.B, dropped int64, cpuTime float64) {
	b.Helper()
	sent := float64(b.N) * burstSize
	if cpuTime > 0 {
		b.ReportMetric(cpuTime*1e9/(sent-float64(dropped)), "cpu-ns/sample")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/(sent-float64(dropped)), "ns/sample")
	b.ReportMetric(100*float64(dropped)/sent, "%dropped")
}

// BenchmarkPut is Put under load, the actors' work included: an iteration sends
// 65,536 samples and ends when the law has seen those that were not dropped.
// The senders do not slow down for a full mailbox, as a load generator would
// not.
func BenchmarkPut(b *testing.B) {
	law := classicLaw(b)
	run := func(b *testing.B, senders, n int) {
		s := system(b, Config{Law: law})
		routes := make([]*Route, n)
		for i := range routes {
			routes[i] = must(s.Route(endpoint(i)))
		}
		at, dropped, batches, began := 0, int64(0), s.Stats().Batches, cpu()
		for b.Loop() {
			// Round robin goes on where the last burst ended, so that a large
			// system is visited whole.
			from := at
			at = (at + burstSize) % n
			dropped += burst(senders, func(i int, t *physics.Sample) bool {
				return routes[(from+i)%n].Put(t) == nil
			}, func() bool {
				st := s.Stats()
				return (st.Samples+st.MailboxFull)%burstSize == 0
			})
		}
		reportBurst(b, dropped, cpu()-began)
		if st := s.Stats(); st.Batches > batches {
			b.ReportMetric(float64(st.Samples)/float64(st.Batches-batches), "samples/batch")
			if st.Samples+st.MailboxFull != uint64(b.N*burstSize) || st.MailboxFull != uint64(dropped) {
				b.Fatalf("%d sent, %d dropped: %+v", b.N*burstSize, dropped, st)
			}
		}
	}
	for _, senders := range []int{1, 2, 4, 64} {
		b.Run(fmt.Sprintf("senders=%d/routes=1/by=actors", senders), func(b *testing.B) { run(b, senders, 1) })
		b.Run(fmt.Sprintf("senders=%d/routes=1/by=goroutine", senders), func(b *testing.B) {
			p := newParked(law, 4096)
			defer close(p.box)
			dropped, total, began := int64(0), uint64(0), cpu()
			for b.Loop() {
				var lost atomic.Int64
				total += burstSize
				dropped += burst(senders, func(_ int, t *physics.Sample) bool {
					select {
					case p.box <- *t:
						return true
					default:
						lost.Add(1)
						return false
					}
				}, func() bool { return p.seen.Load()+uint64(dropped+lost.Load()) == total })
			}
			reportBurst(b, dropped, cpu()-began)
		})
	}
	for _, n := range sizes(1_000_000) {
		if n != 10_000 {
			b.Run(fmt.Sprintf("senders=2/routes=%d/by=actors", n), func(b *testing.B) { run(b, 2, n) })
		}
	}
}

// BenchmarkPublish is one turn of an actor, its batch at hand: the law's
// advance, the snapshot, the counters. Turns and bare advances alternate, so
// that noise meets both. publish-ns is what the actor adds to a batch.
func BenchmarkPublish(b *testing.B) {
	const repeat = 256
	law := classicLaw(b)
	for _, n := range []int{1, 16, 64, 256, 1024} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			s := system(b, Config{Law: law})
			r := must(s.Route(endpoint(1)))
			w := s.workers.New().(*worker)
			// Both use one batch: where its columns lie in memory matters more
			// than what is measured.
			batch := physics.NewBatch()
			w.batch = batch
			for i := range n {
				t := telemetry(i)
				batch.Add(&t)
			}
			step := func() {
				batch.N = n
				for i := range batch.Time[:n] {
					batch.Time[i] += int64(n) * int64(time.Millisecond)
				}
			}
			states := [2]physics.State{law.NewState(), law.NewState()}
			turn := func() {
				step()
				r.turn(w)
			}
			// The older state is reused: no allocation, no publication, nothing
			// to recover from.
			advance := func() {
				step()
				states[1].Advance(states[0], batch)
				states[0], states[1] = states[1], states[0]
			}
			for range seen { // out of bootstrap
				turn()
				advance()
			}
			var turns, advances []float64
			for b.Loop() {
				start := time.Now()
				for range repeat {
					turn()
				}
				middle := time.Now()
				for range repeat {
					advance()
				}
				turns = append(turns, float64(middle.Sub(start))/repeat)
				advances = append(advances, float64(time.Since(middle))/repeat)
			}
			t, a := median(turns), median(advances)
			b.ReportMetric(t, "turn-ns")
			b.ReportMetric(a, "advance-ns")
			b.ReportMetric(t-a, "publish-ns")
			b.ReportMetric((t-a)/float64(n), "publish-ns/sample")
			b.ReportMetric(t/a, "ratio")
		})
	}
}

func median(x []float64) float64 { return quantile(x, 0.5) }

func quantile(x []float64, q float64) float64 {
	slices.Sort(x)
	return x[min(int(q*float64(len(x))), len(x)-1)]
}

// flip is a law that changes its mode with every batch.
type flip struct{ physics.Law }

type flipState struct {
	physics.State
	odd bool
}

func (l flip) NewState() physics.State { return &flipState{State: l.Law.NewState()} }

func (s *flipState) Advance(prev physics.State, b *physics.Batch) time.Duration {
	p := prev.(*flipState)
	s.odd = !p.odd
	return s.State.Advance(p.State, b)
}

func (s *flipState) Mode() physics.Mode {
	if s.odd {
		return physics.CircuitBreaker
	}
	return physics.Operational
}

// BenchmarkAsk is how long a sample takes to count: until Ask returns, until
// the snapshot that knows it can be read, and until a subscriber hears of the
// mode that it changed. All of it meets an idle route, whose actor must be
// started. The limit is a goroutine that answers over a channel.
func BenchmarkAsk(b *testing.B) {
	each := func(b *testing.B, trip func()) {
		var ns []float64
		for b.Loop() {
			start := time.Now()
			trip()
			ns = append(ns, float64(time.Since(start)))
		}
		b.ReportMetric(quantile(ns, 0.5), "p50-ns")
		b.ReportMetric(quantile(ns, 0.99), "p99-ns")
	}
	ctx := context.Background()
	law := classicLaw(b)
	b.Run("until=answer", func(b *testing.B) {
		r := must(system(b, Config{Law: law}).Route("r"))
		t := telemetry(1)
		each(b, func() {
			t.Time += int64(time.Millisecond)
			if err := r.Ask(ctx, &t); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("until=snapshot", func(b *testing.B) {
		r := must(system(b, Config{Law: law}).Route("r"))
		t := telemetry(1)
		each(b, func() {
			t.Time += int64(time.Millisecond)
			before := r.Snapshot()
			if err := r.Put(&t); err != nil {
				b.Fatal(err)
			}
			for r.Snapshot() == before {
				runtime.Gosched()
			}
		})
	})
	b.Run("until=event", func(b *testing.B) {
		s := system(b, Config{Law: flip{law}})
		sub := s.Subscribe(1)
		defer sub.Close()
		r := must(s.Route("r"))
		t := telemetry(1)
		each(b, func() {
			t.Time += int64(time.Millisecond)
			if err := r.Put(&t); err != nil {
				b.Fatal(err)
			}
			<-sub.C()
		})
	})
	b.Run("limit=channels", func(b *testing.B) {
		ask, answer := make(chan physics.Sample), make(chan struct{})
		go func() {
			for range ask {
				answer <- struct{}{}
			}
		}()
		defer close(ask)
		t := telemetry(1)
		each(b, func() {
			ask <- t
			<-answer
		})
	})
}

// BenchmarkRestart is the start of a system over a provider that holds a state
// for every route, until it serves. The limit reads and parses the same entries
// into a map.
func BenchmarkRestart(b *testing.B) {
	ctx := context.Background()
	law := classicLaw(b)
	counts := []int{1_000, 100_000, 200_000, 1_000_000}
	if testing.Short() {
		counts = counts[:3]
	}
	for _, n := range counts {
		store, err := memory.New(memory.Config{})
		if err != nil {
			b.Fatal(err)
		}
		batch := physics.NewBatch()
		for k := range seen {
			t := telemetry(k)
			batch.Add(&t)
		}
		last := law.NewState()
		last.Advance(law.NewState(), batch)
		value := last.AppendState(nil, batch.Time[seen-1])
		for i := range n {
			if _, err := store.Put(ctx, providers.Key{Route: endpoint(i), Node: "n1"}, value); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("routes=%d/by=actors", n), func(b *testing.B) {
			for b.Loop() {
				s := NewSystem(ctx, Config{Law: law, Provider: store, Node: "n1"})
				r := s.Lookup(endpoint(n / 2))
				if st := s.Stats(); st.Routes != int64(n) || st.LoadErrors != 0 || r == nil || r.Snapshot().State.Mode() != physics.Operational {
					b.Fatalf("%+v, want %d routes restored", st, n)
				}
				b.StopTimer()
				if err := s.Close(ctx); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/route")
		})
		b.Run(fmt.Sprintf("routes=%d/by=map", n), func(b *testing.B) {
			for b.Loop() {
				m := map[string]physics.State{}
				for e, err := range store.List(ctx, providers.Filter{Node: "n1"}) {
					if err != nil {
						b.Fatal(err)
					}
					st := law.NewState()
					if err := st.ParseState(e.Value, 0); err != nil {
						b.Fatal(err)
					}
					m[e.Key.Route] = st
				}
				if len(m) != n {
					b.Fatalf("%d routes, want %d", len(m), n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/route")
		})
	}
}

package ohmic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/vec"
)

// route is a state with what an actor does for it: its batches are cut as cut
// says.
type route struct {
	name  string
	state *State
	level vec.Level
	cut   func(n int) int // how many of the n that wait make the next batch
	batch *physics.Batch
}

// newRoute is the route of a state nothing is known about, whose batches are as
// long as can be.
func newRoute(c Config) *route { return routeOf(must(New(c)).NewState().(*State)) }

func routeOf(s *State) *route {
	return &route{state: s, cut: func(n int) int { return n }, batch: physics.NewBatch()}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// advance hands over samples; seats are the calls in flight after all of them.
// Those that are not handed over yet still hold theirs.
func (r *route) advance(samples []physics.Sample, now, seats int64) (wake time.Duration) {
	for first := true; first || len(samples) > 0; first = false {
		b := r.batch
		b.Reset()
		n := 0
		if len(samples) > 0 {
			n = min(max(r.cut(len(samples)), 1), len(samples), physics.MaxBatch)
		}
		for i := range n {
			b.Add(&samples[i])
		}
		samples = samples[n:]
		b.Time[n%physics.MaxBatch] = math.MinInt64 // beyond the batch is nothing
		if n == 0 {
			b.Time[0] = now
		}
		b.Seats = seats + int64(len(samples))
		next := r.state.law.NewState().(*State)
		wake = next.Advance(r.state, b)
		r.state = next
	}
	return wake
}

// difference says in what two states differ, in nothing if they do not.
func difference(a, b *State) string {
	x, y := *a, *b
	x.demand, y.demand, x.price, y.price, x.law, y.law = nil, nil, nil, nil, nil, nil
	if !reflect.DeepEqual(x, y) {
		return fmt.Sprintf("\n%+v\n%+v", x, y)
	}
	if a.price.listed != b.price.listed || a.price.below != b.price.below ||
		!slices.Equal(a.price.entry, b.price.entry) {
		return fmt.Sprintf("\n%+v\n%+v", a.price, b.price)
	}
	if c, d := counts(a.demand), counts(b.demand); c != d {
		return fmt.Sprintf("\n%+v\n%+v", c, d)
	}
	return ""
}

// counted is what a demand holds.
type counted struct {
	bids     [bands]uint32
	shed     uint32
	lent     uint32
	admitted [2]uint32
	ledger   ledger
}

func counts(d *demand) (c counted) {
	if d == nil {
		return c
	}
	for b := range bands {
		if page := d.octave[b/perOctave].Load(); page != nil {
			c.bids[b] = page[b%perOctave].Load()
		}
	}
	c.shed, c.lent = d.shed.Load(), d.lent.Load()
	if d.ledger != nil {
		c.ledger = *d.ledger
	}
	for i := range c.admitted {
		c.admitted[i] = d.admitted[i].Load()
	}
	return c
}

// witness lives through a history with several routes, and the reference, and
// tells the first thing in which they differ.
type witness struct {
	routes []*route
	ref    *reference
	wrong  string

	requests, allowed, batches, ticks int
	seen                              map[string]int // what the history led through
}

func (w *witness) epoch() uint32 { return w.routes[0].state.Epoch() }

func (w *witness) request(q physics.Query, seated bool) bool {
	want := w.ref.decide(q)
	for i, r := range w.routes {
		// Their states are alike: it is enough that one explains.
		if i != w.requests%len(w.routes) {
			if allow := r.state.Allow(q); allow != want.allow && w.wrong == "" {
				w.wrong = fmt.Sprintf("%s, request %d, %+v: Allow %v; reference %+v", r.name, w.requests, q, allow, want)
			}
			r.state.Note(q, want.allow, seated)
			continue
		}
		ruling, terms := r.state.Decide(q)
		allow := r.state.Allow(q)
		if w.wrong == "" && (ruling.Allow != want.allow || allow != want.allow || bitsOf(terms) != bitsOf(want.terms)) {
			w.wrong = fmt.Sprintf("%s, request %d, %+v: Decide %+v %+v, Allow %v; reference %+v", r.name, w.requests, q, ruling, terms, allow, want)
		}
		r.state.Note(q, allow, seated)
	}
	w.ref.note(q, want.allow, seated)
	w.requests++
	if want.allow {
		w.allowed++
	} else if want.terms.Scar > 0 {
		w.seen["scar"]++
	} else if q.Voltage > 0 {
		w.seen["load"]++
	}
	if want.terms.Momentum > 0 {
		w.seen["momentum"]++
	}
	if w.ref.thin > 0 {
		w.seen["thinned"]++
	}
	if w.ref.inflight(q) > float64(q.Inflight) {
		w.seen["without seats"]++
	}
	return want.allow
}

func (w *witness) deliver(s []physics.Sample, now, seats int64) time.Duration {
	var wakes []time.Duration
	for _, r := range w.routes {
		if err := vec.SetLevel(r.level); err != nil {
			panic(err)
		}
		wakes = append(wakes, r.advance(s, now, seats))
	}
	for i := range s {
		w.ref.complete(s[i], seats+int64(len(s)-1-i))
	}
	if len(s) == 0 {
		w.ref.tick(now, seats)
		w.ticks++
	}
	w.batches++
	if w.ref.steady {
		w.seen[[]string{"idle", "settling", "open", "closed"}[w.ref.step]]++
	} else {
		w.seen["slow start"]++
	}
	for i, r := range w.routes[1:] {
		d := difference(w.routes[0].state, r.state)
		if d == "" && wakes[i+1] != wakes[0] {
			d = fmt.Sprintf("wakes %v and %v", wakes[0], wakes[i+1])
		}
		if d != "" && w.wrong == "" {
			w.wrong = fmt.Sprintf("%s and %s after %d requests and %d batches, of %d samples now:%s", w.routes[0].name, r.name, w.requests, w.batches, len(s), d)
		}
	}
	w.compare(wakes[0])
	return wakes[0]
}

// compare holds the first route against what the reference has learned.
func (w *witness) compare(wake time.Duration) {
	s, r := w.routes[0].state, w.ref
	got := [...]float64{s.supply.limit, s.supply.hold, s.supply.lnT, s.supply.lnT0, s.supply.knownT0, s.supply.busy, s.rate, s.slow, s.failures.all, s.failures.good, s.probe.judged}
	want := [...]float64{r.limit, r.hold, r.lnT, r.lnT0, r.n0, r.busy, r.rate, r.slow, r.all, r.good, r.judged}
	if w.seen[s.mode.String()]++; (s.mode != r.mode || wake != r.wake()) && w.wrong == "" {
		w.wrong = fmt.Sprintf("after %d requests and %d batches: mode %v, wake %v, reference %v, %v", w.requests, w.batches, s.mode, wake, r.mode, r.wake())
	}
	if got != want && w.wrong == "" {
		w.wrong = fmt.Sprintf("after %d requests and %d batches, %+v:\n%v learned, reference\n%v (L, held, ln T, ln T0, n0, S, rate, slow, A, G, judged)", w.requests, w.batches, s.probe, got, want)
	}
}

func bitsOf(t physics.Terms) [4]uint64 {
	return [...]uint64{math.Float64bits(t.Base), math.Float64bits(t.Pressure), math.Float64bits(t.Momentum), math.Float64bits(t.Scar)}
}

// randomConfig is any valid one.
func randomConfig(rng *rand.Rand) Config {
	c := DefaultConfig()
	if rng.IntN(2) == 0 {
		return c
	}
	span := func(low, high time.Duration) time.Duration {
		return time.Duration(between(rng, float64(low), float64(high)))
	}
	c.Floor = []float64{0, 1, 30, 0.1}[rng.IntN(4)]
	c.Headroom = between(rng, 0.05, 1)
	c.Reserve = rng.Float64()
	c.BidMemory = span(50*time.Millisecond, 10*time.Second)
	c.RateMemory = span(10*time.Millisecond, time.Second)
	c.SlowMemory = span(c.RateMemory, 20*time.Second)
	c.FailureMemory = span(50*time.Millisecond, 10*time.Second)
	c.Tolerance = between(rng, 1, 20)
	c.Evidence = between(rng, 1, 100)
	c.FailureCalls = between(rng, 10, 1000)
	c.DipDepth = 0.1 + 0.85*rng.Float64()
	c.Knee = min(1+rng.Float64(), 0.999/c.DipDepth)
	if c.Knee < 1 {
		c.Knee, c.DipDepth = 1, 0.9
	}
	c.Congested = between(rng, 1.1, 3)
	c.StartLimit = between(rng, 1, 200)
	c.LeastLimit = between(rng, 1, c.StartLimit)
	c.DipEvery = span(100*time.Millisecond, 2*time.Second)
	c.DipAtMost = span(c.DipEvery, 20*time.Second)
	return c
}

// However completions are cut into batches, at whatever level the kernels run,
// the law decides as the reference does, which takes them one by one: the same
// answers, the same terms to the bit, the same numbers learned.
func TestLawIsReference(t *testing.T) {
	histories, requests := 150, 2500
	if testing.Short() {
		histories = 60
	}
	defer vec.SetLevel(vec.Active())
	levels := vec.Supported()
	seen := map[string]int{}
	for seed := range uint64(histories) {
		rng := rand.New(rand.NewPCG(seed, 23))
		c := randomConfig(rng)
		own := rand.New(rand.NewPCG(seed, 29))
		w := &witness{ref: newReference(c), seen: seen}
		for i, level := range levels {
			add := func(name string, cut func(n int) int) {
				r := newRoute(c)
				r.name, r.level, r.cut = fmt.Sprintf("%s on %v", name, level), level, cut
				w.routes = append(w.routes, r)
			}
			add("whole", func(n int) int { return n })
			add("random cuts", func(n int) int { return 1 + own.IntN(n) })
			if i == 0 {
				size := 1 << own.IntN(11)
				add(fmt.Sprintf("cuts of %d", size), func(int) int { return size })
			}
		}
		newHistory(rng).play(w, requests)
		if w.wrong != "" {
			t.Fatalf("seed %d, %+v: %s", seed, c, w.wrong)
		}
		seen["allowed"] += w.allowed
		seen["rejected"] += w.requests - w.allowed
		seen["ticks"] += w.ticks
		seen["far from the limit"] += int(w.ref.far)
		seen["dips"] += int(w.ref.dips)
	}
	for _, what := range []string{"allowed", "rejected", "scar", "load", "momentum", "thinned", "without seats", "ticks", "bootstrap", "operational", "shedding", "circuit_breaker", "slow start", "idle", "settling", "open", "closed", "dips", "far from the limit"} {
		if seen[what] < histories/4 {
			t.Errorf("%q happened %d times in %d histories: hardly tested", what, seen[what], histories)
		}
	}
}

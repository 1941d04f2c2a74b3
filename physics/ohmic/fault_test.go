package ohmic

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// steadily drives a route with requests at equal distances that all bid the
// same, each admitted one done after ms, well if works says so. It returns how
// many were admitted.
type steadily struct {
	*route
	now     int64
	rate    float64
	ms      float64
	works   func() bool
	u       float64
	rng     *rand.Rand // of draws of that grain, if not nil
	grain   float64
	waiting []call
	wake    int64
}

func newSteadily(c Config, rate, ms float64, works func() bool) *steadily {
	return steadyOf(newRoute(c).state, int64(time.Hour), rate, ms, works)
}

// steadyOf goes on with a state.
func steadyOf(s *State, now int64, rate, ms float64, works func() bool) *steadily {
	return &steadily{route: routeOf(s), now: now, rate: rate, ms: ms, works: works, wake: math.MaxInt64}
}

// deliver hands over what is done or due by then.
func (x *steadily) deliver(until int64) {
	for {
		end := int64(math.MaxInt64)
		if len(x.waiting) > 0 {
			end = x.waiting[0].end
		}
		at := min(end, x.wake)
		if at > until {
			return
		}
		var batch []physics.Sample
		if end == at {
			c := x.waiting[0]
			x.waiting = x.waiting[1:]
			s := physics.Sample{Time: c.end, Latency: x.ms, Inflight: float64(c.inflight), Epoch: c.epoch}
			if !x.works() {
				s.Outcome, s.ErrorRate = physics.Error, 1
			}
			batch = []physics.Sample{s}
		}
		x.wake = math.MaxInt64
		if d := x.advance(batch, at, int64(len(x.waiting))); d > 0 {
			x.wake = at + int64(d)
		}
	}
}

func (x *steadily) run(d time.Duration) (admitted int) {
	gap := int64(1e9 / x.rate)
	for end := x.now + int64(d); x.now < end; x.now += gap {
		x.deliver(x.now)
		x.u = math.Mod(x.u+math.Phi, 1)
		q := physics.Query{Voltage: 100, Now: x.now, Inflight: int64(len(x.waiting)), U: x.u}
		if x.rng != nil {
			q.U = math.Floor(x.rng.Float64()*x.grain) / x.grain
		}
		allow := x.state.Allow(q)
		x.state.Note(q, allow, true)
		if allow {
			admitted++
			x.waiting = append(x.waiting, call{start: x.now, end: x.now + int64(x.ms*1e6), inflight: q.Inflight + 1, epoch: x.state.Epoch()})
		}
	}
	return admitted
}

// A callee at which everything fails is asked about sqrt(lambda pad/tau) times a
// second, by the highest bidders, for as long as it lasts: the route never closes
// and needs no timer. When it works again, all pass within seconds.
func TestProbesNeverStop(t *testing.T) {
	for _, x := range []struct {
		rate float64
		long time.Duration
	}{{1, time.Hour}, {100, 10 * time.Minute}, {10000, time.Minute}} {
		for _, c := range []Config{DefaultConfig(), with("Evidence", 20.0), with("FailureMemory", 5*time.Second)} {
			broken := true
			d := newSteadily(c, x.rate, 5, func() bool { return !broken })
			d.run(max(20*c.FailureMemory, 10*time.Second)) // until the memory is full
			want := min(x.rate, math.Sqrt(x.rate*c.Evidence/c.FailureMemory.Seconds()))
			least, quarter := math.Inf(1), x.long/4
			for range 4 {
				least = min(least, float64(d.run(quarter))/quarter.Seconds())
			}
			if least < want/3 || least > want*3 {
				t.Errorf("%v of %v a second pass when all fails, want about %v (pad %v, memory %v)", least, x.rate, want, c.Evidence, c.FailureMemory)
			}
			broken = false
			d.run(time.Duration(30) * c.FailureMemory)
			if got := float64(d.run(20*time.Second)) / 20 / x.rate; got < 0.99 {
				t.Errorf("%v of %v a second: %v pass long after the fault", got*x.rate, x.rate, got)
			}
			if d.state.Mode() == physics.CircuitBreaker {
				t.Errorf("mode is %v long after the fault", d.state.Mode())
			}
		}
	}
}

// The same share of failures gives the same r at any rate, but for what pad
// explains: r = (1 - K (1-f)) lambda tau / (lambda tau + pad).
func TestScarDoesNotKnowTheRate(t *testing.T) {
	c := DefaultConfig()
	for _, rate := range []float64{10, 100, 1000, 10000} {
		for _, f := range []float64{0, 0.3, 0.59, 0.7, 0.8, 0.9, 1} {
			r := newRoute(c)
			now, n := int64(time.Hour), 0.0
			sum, seen := 0.0, 0.0
			for end := now + int64(12*time.Second); now < end; now += int64(1e9 / rate) {
				s := physics.Sample{Time: now, Latency: 10, Inflight: 1}
				if n++; math.Floor(n*f) > math.Floor((n-1)*f) {
					s.Outcome, s.ErrorRate = physics.Timeout, 1
				}
				r.advance([]physics.Sample{s}, now, 0)
				if end-now < int64(6*time.Second) {
					sum += r.state.scar(now)
					seen++
				}
			}
			all := min(rate*c.FailureMemory.Seconds(), c.FailureCalls)
			want := max(0, 1-c.Tolerance*(1-f)) * all / (all + c.Evidence)
			if got := sum / seen; math.Abs(got-want) > 0.03 {
				t.Errorf("%v of %v a second fail: r is %v, want %v", f, rate, got, want)
			}
		}
	}
}

// A callee in a fault teaches nothing about itself: neither how quick its
// failures are nor how slow its timeouts.
func TestFaultsTeachNoLatency(t *testing.T) {
	for _, ms := range []float64{0.1, 500} {
		for _, outcome := range []physics.Outcome{physics.Error, physics.Timeout, physics.Dropped, physics.Ignored} {
			d := newSteadily(DefaultConfig(), 2000, 20, func() bool { return true })
			d.run(10 * time.Second)
			fault := func(n int) {
				for range n {
					d.now += 1e6
					d.advance([]physics.Sample{{Time: d.now, Latency: ms, ErrorRate: 1, Outcome: outcome, Inflight: 5, Epoch: d.state.probe.own}}, 0, 0)
					q := physics.Query{Voltage: 100, Now: d.now, Inflight: 1, U: 0.1}
					d.state.Note(q, true, true)
				}
			}
			fault(200) // whose cohort and window began before the fault
			before := d.state.supply
			if before.knownT0 == 0 || !before.known {
				t.Fatalf("%+v: nothing was learned", before)
			}
			fault(5000)
			after := d.state.supply
			if after.lnT != before.lnT || after.lnT0 != before.lnT0 || after.limit != before.limit || after.knownT0 != before.knownT0 {
				t.Errorf("%v after %v ms: %+v, before %+v", outcome, ms, after, before)
			}
		}
	}
}

// What comes back from far below the limit while more than a few fail is no
// unloaded latency either.
func TestBaselineIgnoresFaults(t *testing.T) {
	for _, x := range []struct {
		failing  float64 // one in
		inflight float64
		moves    bool
	}{{1000, 5, true}, {10, 5, false}, {1000, 39, false}} {
		s := must(New(DefaultConfig())).NewState().(*State)
		s.probe.stage, s.probe.step = steady, idle
		s.supply = supply{limit: 40, hold: 40, known: true, lnT: 3, lnT0: 3, knownT0: 100}
		s.demand = new(demand)
		s.window.opened, s.refreshed, s.probe.due = int64(time.Hour), int64(time.Hour), math.MaxInt64
		s.seal()
		r := routeOf(s)
		var batch []physics.Sample
		for i := range 2000 {
			p := physics.Sample{Time: int64(time.Hour) + int64(i)*1e6, Latency: 25, Inflight: x.inflight}
			if i%int(x.failing) == 7 {
				p.Outcome, p.ErrorRate = physics.Error, 1
			}
			batch = append(batch, p)
		}
		r.advance(batch, 0, 0)
		if moved := r.state.supply.lnT0 != 3; moved != x.moves || r.state.supply.lnT0 > math.Log(25) {
			t.Errorf("one in %v fails, %v in flight: ln T0 is %v, was 3", x.failing, x.inflight, r.state.supply.lnT0)
		}
		if r.state.supply.lnT == 3 {
			t.Error("T did not follow the latency")
		}
	}
}

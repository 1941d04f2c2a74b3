package sim

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/vtime"
)

func TestArrivalsFollowTheLoad(t *testing.T) {
	s := plain(0, 300)
	s.Clients.Load = Lines(Point{0, 0}, Point{150, 1}, Point{300, 0})
	s.Clients.Burst = .3
	r := mustStart(t, s, newOpen, Options{})
	var perClass [Classes]float64
	total, first := 0.0, 0.0
	for i, b := range r.ledger.bins {
		for class, n := range b.offered {
			perClass[class] += float64(n)
			total += float64(n)
			if i < 750 {
				first += float64(n)
			}
		}
	}
	// Half of 640 rps for 300 s; a quarter of it in the first quarter's time
	// would be uniform, an eighth is a ramp. Bursts widen the spread.
	near(t, "arrivals", 300, total, 96000, 5000)
	near(t, "arrivals until", 75, first/total, .125, .01)
	for class, want := range []float64{.2, .5, .3} {
		near(t, "share of class", float64(class), perClass[class]/total, want, .01)
	}
}

// TestBurstsDwell: the variance of counts per half second tells bursts from
// Poisson arrivals.
func TestBurstsDwell(t *testing.T) {
	dispersion := func(burst float64) float64 {
		s := plain(.7, 300)
		s.Clients.Burst = burst
		r := mustStart(t, s, newOpen, Options{})
		var sum, square, n float64
		for i := 0; i+5 <= len(r.ledger.bins); i += 5 {
			x := 0.0
			for _, b := range r.ledger.bins[i : i+5] {
				x += float64(b.offered[0] + b.offered[1] + b.offered[2])
			}
			sum, square, n = sum+x, square+x*x, n+1
		}
		mean := sum / n
		return (square/n - mean*mean) / mean
	}
	if got := dispersion(0); got > 1.3 || got < .7 {
		t.Errorf("Poisson arrivals have the dispersion %v, want 1", got)
	}
	// For a rate that flips at the mean time 1/2 between 1+a and 1-a, counts
	// over T = 1/2 have the dispersion 1 + a^2 rate (1 - (1-exp(-2))/2) / 2.
	want := 1 + .09*448*(1-(1-math.Exp(-2))/2)/2
	if got := dispersion(.3); math.Abs(got/want-1) > .2 {
		t.Errorf("bursty arrivals have the dispersion %v, want %v", got, want)
	}
}

// TestControllersMeetTheSameRequests: neither what arrives nor how much work
// it brings depends on what is admitted.
func TestControllersMeetTheSameRequests(t *testing.T) {
	s := plain(.5, 20)
	s.Backend.Servers, s.Backend.Errors = 3200, Const(.2)
	s.Clients.Load = Const(.005) // nobody ever waits
	play := func(keep func(Attempt) bool) (map[Attempt]int64, map[Attempt]float64) {
		var env *Env
		visits, latencies := map[Attempt]int64{}, map[Attempt]float64{}
		asked := map[Ticket]Attempt{}
		p := &probe{}
		p.admit = func(a Attempt) bool {
			if a.Retry == 0 {
				visits[a] = env.Now()
			}
			if keep(a) {
				asked[p.next+1] = a
				return true
			}
			return false
		}
		p.done = func(tk Ticket, latency float64, k Kind) {
			if k == OK {
				latencies[asked[tk]] = latency
			}
		}
		mustRun(t, s, func(e *Env) Controller { env = e; return p }, Options{Voltages: Continuous})
		return visits, latencies
	}
	all, served := play(func(Attempt) bool { return true })
	some, few := play(func(a Attempt) bool { return a.ID%3 == 0 || a.Retry > 0 })
	if len(all) < 5000 || len(all) != len(some) {
		t.Fatalf("%d and %d requests", len(all), len(some))
	}
	for a, at := range all {
		if other, ok := some[a]; !ok || max(at-other, other-at) > 1000 {
			t.Fatalf("%+v at %d; in the other run at %d, %v", a, at, other, ok)
		}
	}
	compared := 0
	for a, latency := range few {
		if other, ok := served[a]; ok {
			compared++
			if math.Abs(latency-other) > .001 {
				t.Fatalf("%+v took %v ms, and %v ms in the other run", a, other, latency)
			}
		}
	}
	if compared < 1000 {
		t.Fatalf("only %d attempts compared", compared)
	}
}

func TestRetries(t *testing.T) {
	s := plain(.1, 30)
	s.Clients.Attempts, s.Clients.Backoff = 4, 100
	for _, c := range []struct{ override, want int }{{0, 4}, {2, 2}} {
		var env *Env
		last, tries := map[int]int64{}, map[int]int{}
		voltages := map[int]float64{}
		r := mustRun(t, s, func(e *Env) Controller {
			env = e
			return &probe{admit: func(a Attempt) bool {
				if a.Retry != tries[a.ID] {
					t.Fatalf("try %d of request %d is numbered %d", tries[a.ID], a.ID, a.Retry)
				}
				if a.Retry > 0 {
					wait := float64(env.Now()-last[a.ID]) / 1e6 / math.Ldexp(100, a.Retry-1)
					if wait < .5 || wait > 1.5 {
						t.Fatalf("try %d came after %v times the backoff", a.Retry, wait)
					}
					if a.Voltage != voltages[a.ID] {
						t.Fatal("a retry bids another voltage")
					}
				}
				last[a.ID], voltages[a.ID] = env.Now(), a.Voltage
				tries[a.ID]++
				return false
			}}
		}, Options{Attempts: c.override, Voltages: Continuous})
		most := 0
		for _, n := range tries {
			most = max(most, n)
		}
		if most != c.want || r.Goodput != 0 {
			t.Errorf("at most %d tries, goodput %v; want %d, 0", most, r.Goodput, c.want)
		}
	}
}

func TestVoltages(t *testing.T) {
	for _, v := range []Voltages{Standard, Decades, Small, Continuous} {
		low, high := [Classes]float64{1e9, 1e9, 1e9}, [Classes]float64{}
		mustRun(t, plain(.7, 20), func(*Env) Controller {
			return &probe{admit: func(a Attempt) bool {
				low[a.Class] = min(low[a.Class], a.Voltage)
				high[a.Class] = max(high[a.Class], a.Voltage)
				return true
			}}
		}, Options{Voltages: v})
		for c, b := range v {
			if low[c] < b.Low || high[c] > b.High || high[c]-low[c] < .95*(b.High-b.Low) {
				t.Errorf("%v: class %d bids %v to %v", v, c, low[c], high[c])
			}
		}
		if v.discrete() != (v != Continuous) {
			t.Errorf("%v: discrete %v", v, v.discrete())
		}
	}
}

func TestTelemetryIsLateAndLossy(t *testing.T) {
	s := plain(.5, 60)
	var env *Env
	begun := map[Ticket]int64{}
	reports := 0
	r := mustRun(t, s, func(e *Env) Controller {
		env = e
		p := &probe{}
		p.admit = func(Attempt) bool { begun[p.next+1] = env.Now(); return true }
		p.done = func(tk Ticket, latency float64, _ Kind) {
			reports++
			late := float64(env.Now()-begun[tk])/1e6 - latency
			if late < 49.9999 || late > 50.001 {
				t.Fatalf("told %v ms late, want 50", late)
			}
		}
		return p
	}, Options{TelemetryDelay: 50 * time.Millisecond, TelemetryLoss: .05})
	near(t, "share of reports", .95, float64(reports)/float64(len(begun)), .95, .006)
	if r.Goodput < .99 {
		t.Errorf("goodput %v: the clients must not notice", r.Goodput)
	}
}

// TestAdvanceComesFirst: a controller with a clock of its own sees every
// instant, each one once, before anything happens at it.
func TestAdvanceComesFirst(t *testing.T) {
	s := plain(2, 20)
	var c *clocked
	mustRun(t, s, func(e *Env) Controller {
		c = &clocked{t: t, env: e}
		e.At(e.Now(), c.tick)
		return c
	}, Options{})
	if c.events < 10000 || c.ticks < 19000 || !c.closed {
		t.Errorf("%d events, %d ticks, closed %v", c.events, c.ticks, c.closed)
	}
}

type clocked struct {
	t             *testing.T
	env           *Env
	now           int64
	events, ticks int
	closed        bool
}

func (c *clocked) Advance(now int64) {
	if now <= c.now || now != c.env.Now() {
		c.t.Fatalf("advanced from %d to %d at %d", c.now, now, c.env.Now())
	}
	c.now = now
	c.events++
}

func (c *clocked) check() {
	if c.now != c.env.Now() {
		c.t.Fatalf("called at %d, advanced to %d", c.env.Now(), c.now)
	}
}

func (c *clocked) tick() {
	c.check()
	c.ticks++
	if busy, wait := c.env.Look(); busy < 0 || busy > 1 || wait < 0 {
		c.t.Fatalf("looked: %v, %v", busy, wait)
	}
	c.env.At(c.now+1e6, c.tick)
}

func (c *clocked) Admit(Attempt) (Ticket, bool) { c.check(); return 0, true }
func (c *clocked) Done(Ticket, float64, Kind)   { c.check() }
func (c *clocked) Close()                       { c.closed = true }

// TestLookSeesTheQueue: in a queue that grows, the head waits ever longer.
func TestLookSeesTheQueue(t *testing.T) {
	s := plain(2, 5)
	var env *Env
	var waits []float64
	mustRun(t, s, func(e *Env) Controller {
		env = e
		for i := range 4 {
			e.At(vtime.Start+int64(i+1)*1e9, func() {
				busy, wait := env.Look()
				if busy != 1 {
					t.Errorf("busy share %v in overload", busy)
				}
				waits = append(waits, wait)
			})
		}
		return open{}
	}, Options{})
	if len(waits) != 4 || !slices.IsSorted(waits) || waits[0] < 200 {
		t.Errorf("waits %v", waits)
	}
}

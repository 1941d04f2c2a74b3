package sim

import (
	"math"
	"testing"
)

// erlangC returns the mean wait (in mean service times) in a queue with n
// servers, Poisson arrivals and exponential service at utilisation rho.
func erlangC(n int, rho float64) float64 {
	a := float64(n) * rho
	b := 1.0 // Erlang's B, by recurrence over the servers
	for k := 1; k <= n; k++ {
		b = a * b / (float64(k) + a*b)
	}
	c := b / (1 - rho*(1-b))
	return c / (float64(n) * (1 - rho))
}

// TestWaitIsErlangs: theory knows the mean latency of a queue, and that
// sharing the servers gives the same mean.
func TestWaitIsErlangs(t *testing.T) {
	for _, sharing := range []bool{false, true} {
		for _, load := range []float64{.7, .9} {
			s := plain(load, 900)
			s.Clients.Attempts = 1
			s.Clients.Timeout = 1e5
			s.Backend.Sharing = sharing
			sum, n := 0.0, 0
			mustRun(t, s, func(*Env) Controller {
				return &probe{done: func(_ Ticket, latency float64, _ Kind) { sum += latency; n++ }}
			}, Options{})
			got, want := sum/float64(n), 50*(1+erlangC(32, load))
			t.Logf("sharing %v, load %v: mean latency %.2f ms, Erlang %.2f ms", sharing, load, got, want)
			if math.Abs(got/want-1) > .015 {
				t.Errorf("sharing %v, load %v: mean latency %v ms, want %v", sharing, load, got, want)
			}
		}
	}
}

// TestNothingIsLost plays a collapse and lets it drain.
func TestNothingIsLost(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Scenario)
		f      Factory
	}{
		{"queue", func(*Scenario) {}, newOpen},
		{"limit", func(*Scenario) {}, newLimit},
		{"bound", func(s *Scenario) { s.Backend.Bound = 20 }, newOpen},
		{"sharing", func(s *Scenario) { s.Backend.Sharing = true; s.Backend.Slow = 0 }, newOpen},
		{"replicas", func(s *Scenario) {
			s.Backend.Replicas = 4
			s.Backend.Alive = Steps(Point{0, 1}, Point{3, 0}, Point{6, .5}, Point{12, 1})
		}, newOpen},
		{"errors", func(s *Scenario) { s.Backend.Errors = Const(.3); s.Backend.ErrorCost = .5 }, newOpen},
		{"hang", func(s *Scenario) { s.Backend.Hang = []Interval{{2, 4}} }, newOpen},
		{"discipline", func(*Scenario) {}, func(*Env) Controller { return impatient{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain(0, 200)
			s.Clients.Load = Steps(Point{0, .7}, Point{5, 3}, Point{10, 0})
			s.Backend.Slow = .5
			c.change(&s)
			r := mustStart(t, s, c.f, Options{})
			l := &r.ledger
			all := count{}
			offered, good, ended := 0, 0, 0
			for i := range l.bins {
				all.attempts += l.bins[i].attempts
				all.admitted += l.bins[i].admitted
				all.rejected += l.bins[i].rejected
				for class := range Classes {
					offered += int(l.bins[i].offered[class])
					good += int(l.bins[i].good[class])
				}
			}
			for _, n := range l.ended {
				ended += n
			}
			if all.attempts != all.admitted+all.rejected || int(all.admitted) != ended {
				t.Errorf("%d attempts, %d admitted, %d rejected, %d ended", all.attempts, all.admitted, all.rejected, ended)
			}
			if offered != good+l.lost || good != l.ended[OK] || offered < 4000 {
				t.Errorf("%d requests, %d succeeded (%d attempts), %d given up", offered, good, l.ended[OK], l.lost)
			}
			if n := len(r.attempts) - len(r.vacant); n != 0 {
				t.Errorf("%d attempts have no end", n)
			}
			if n := len(r.requests) - len(r.spare); n != 0 {
				t.Errorf("%d requests have no end", n)
			}
			busy := 0.0
			for _, rep := range r.replicas {
				busy += rep.busyTime()
				if share, wait := rep.look(); share != 0 || wait != 0 {
					t.Errorf("share %v busy, head waits %v", share, wait)
				}
			}
			if math.Abs(busy-l.busy) > 1e4*float64(ended+1)/1e3 {
				t.Errorf("servers were busy for %v ns, attempts were served for %v ns", busy, l.busy)
			}
			if l.wasted > l.busy {
				t.Errorf("%v ns wasted of %v", l.wasted, l.busy)
			}
			if r.loop.Pending() != 0 {
				t.Errorf("%d events left", r.loop.Pending())
			}
		})
	}
}

// impatient lets nothing wait for long, and serves the newest.
type impatient struct{ open }

func (impatient) Queue(int) Discipline     { return impatient{} }
func (impatient) Enqueue(int64, int) int64 { return 20e6 }
func (impatient) Dequeue(int64, int) bool  { return true }

func TestDisciplineDrops(t *testing.T) {
	s := plain(3, 20)
	s.Clients.Attempts = 1
	slowest, dropped := 0.0, 0
	r := mustRun(t, s, func(*Env) Controller {
		return &struct {
			impatient
			*probe
		}{probe: &probe{done: func(_ Ticket, latency float64, k Kind) {
			if k == Dropped {
				dropped++
				slowest = max(slowest, latency)
			}
		}}}
	}, Options{})
	if slowest > 20.001 || dropped < 10000 {
		t.Errorf("%d dropped, after %v ms at most", dropped, slowest)
	}
	if r.Goodput < .97 {
		t.Errorf("goodput %v, want nearly 1: the newest have time enough", r.Goodput)
	}
}

func TestBoundRefusesFast(t *testing.T) {
	s := plain(3, 20)
	s.Backend.Bound = 10
	s.Clients.Attempts = 1
	var latencies []float64
	mustRun(t, s, func(*Env) Controller {
		return &probe{done: func(_ Ticket, latency float64, k Kind) {
			if k == Dropped {
				latencies = append(latencies, latency)
			}
		}}
	}, Options{})
	if len(latencies) < 10000 {
		t.Errorf("%d refused", len(latencies))
	}
	for _, l := range latencies {
		if math.Abs(l-2) > .001 {
			t.Fatalf("refused after %v ms, want 2", l)
		}
	}
}

func TestHangOnlyTimesOut(t *testing.T) {
	s := plain(.5, 20)
	s.Backend.Hang = []Interval{{5, 10}}
	s.Clients.Attempts = 1
	var env *Env
	mustRun(t, s, func(e *Env) Controller {
		env = e
		begun := map[Ticket]float64{}
		p := &probe{}
		now := func() float64 { return float64(env.Now()-3600e9) / 1e9 }
		p.admit = func(Attempt) bool { begun[p.next+1] = now(); return true }
		p.done = func(tk Ticket, latency float64, k Kind) {
			if b := begun[tk]; b >= 5 && b < 10 && (k != Timeout || latency != 1000) {
				t.Fatalf("an attempt of second %v ended with %v after %v ms", b, k, latency)
			}
		}
		return p
	}, Options{})
}

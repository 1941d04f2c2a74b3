package ohmic

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// sharing is a callee whose servers share their work among all calls: each of n
// goes at min(1, servers/n) of full speed. Clients ask at a constant mean rate
// and take no for an answer.
type sharing struct {
	*route
	rng     *rand.Rand
	now     int64
	servers float64
	work    float64 // ms, the mean of an exponential
	rate    float64

	done    float64 // work, in ms, that a call here from the start would have had
	at      work    // calls by the work at which they end
	arrival int64
	wake    int64
	ended   int
}

type work []struct {
	end float64
	call
}

func (w work) Len() int           { return len(w) }
func (w work) Less(i, j int) bool { return w[i].end < w[j].end }
func (w work) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *work) Push(x any) {
	*w = append(*w, x.(struct {
		end float64
		call
	}))
}
func (w *work) Pop() any {
	old := *w
	x := old[len(old)-1]
	*w = old[:len(old)-1]
	return x
}

func newSharing(c Config, seed uint64, servers, work, load float64) *sharing {
	return &sharing{
		route: newRoute(c), rng: rand.New(rand.NewPCG(seed, 53)), now: int64(time.Hour),
		servers: servers, work: work, rate: load * servers / work * 1000, arrival: int64(time.Hour), wake: math.MaxInt64,
	}
}

// unloaded is the mean of ln latency when calls do not disturb each other.
func (x *sharing) unloaded() float64 { return math.Log(x.work) - 0.5772156649 }

func (x *sharing) run(d time.Duration) {
	for end := x.now + int64(d); ; {
		speed := min(1, x.servers/float64(len(x.at)))
		next := min(x.arrival, x.wake, end)
		finish := int64(math.MaxInt64)
		if len(x.at) > 0 {
			finish = x.now + max(1, int64((x.at[0].end-x.done)/speed*1e6))
		}
		next = min(next, finish)
		if len(x.at) > 0 {
			x.done += float64(next-x.now) / 1e6 * speed
		}
		x.now = next
		switch next {
		case end:
			return
		case finish:
			c := heap.Pop(&x.at).(struct {
				end float64
				call
			})
			x.ended++
			x.tell([]physics.Sample{{Time: x.now, Latency: float64(x.now-c.start) / 1e6, Inflight: float64(c.inflight), Epoch: c.epoch}})
		case x.wake:
			x.tell(nil)
		default:
			x.arrival = x.now + max(1, int64(x.rng.ExpFloat64()/x.rate*1e9))
			q := physics.Query{Voltage: 100, Now: x.now, Inflight: int64(len(x.at)), U: x.rng.Float64()}
			allow := x.state.Allow(q)
			x.state.Note(q, allow, true)
			if allow {
				heap.Push(&x.at, struct {
					end float64
					call
				}{x.done + x.rng.ExpFloat64()*x.work, call{start: x.now, inflight: q.Inflight + 1, epoch: x.state.Epoch()}})
			}
		}
	}
}

func (x *sharing) tell(s []physics.Sample) {
	x.wake = math.MaxInt64
	if d := x.advance(s, x.now, int64(len(x.at))); d > 0 {
		x.wake = x.now + int64(d)
	}
}

// No frog is boiled: a baseline that is three times too high, as after a bad
// start, comes down under full load, since dips reach below the knee; one that is
// too low comes up. Meanwhile and after, the callee is kept busy and not
// overrun.
func TestBaselineContracts(t *testing.T) {
	for seed := range uint64(6) {
		for _, off := range []float64{3, 1.0 / 3} {
			x := newSharing(DefaultConfig(), seed, 16, 20, 2)
			x.run(15 * time.Second)
			if x.state.probe.stage != steady {
				t.Fatalf("seed %d: no congestion seen at twice the load: %+v", seed, x.state)
			}
			moved := *x.state
			moved.supply.lnT0 = x.unloaded() + math.Log(off)
			moved.probe.gap, moved.probe.due = int64(moved.law.cfg.DipEvery), x.now
			x.state = &moved
			x.run(time.Minute)
			if got := math.Exp(x.state.supply.lnT0 - x.unloaded()); got > 1.5 || got < 1/1.5 {
				t.Errorf("seed %d: the baseline was put at %.3g times the truth and is at %.3g a minute later", seed, off, got)
			}
			before := x.ended
			x.run(10 * time.Second)
			capacity := x.servers / x.work * 1000 * 10
			if got := float64(x.ended-before) / capacity; got < 0.85 {
				t.Errorf("seed %d, %.3g: %.3g of the capacity is used under twice the load", seed, off, got)
			}
			if n := float64(len(x.at)); n > 4*x.servers {
				t.Errorf("seed %d, %.3g: %v in flight at %v servers", seed, off, n, x.servers)
			}
		}
	}
}

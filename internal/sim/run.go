package sim

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/atrion-io/atrion/internal/vtime"
)

// Run plays a scenario with a controller made by f, which goes by the given
// name in the result.
func Run(s *Scenario, name string, f Factory, seed uint64, o Options) (Result, error) {
	r, err := start(s, f, seed, o)
	if err != nil {
		return Result{}, err
	}
	defer r.loop.Close()
	r.loop.Run(r.end)
	r.recount(r.end)
	r.closeBin()
	r.over = true
	if c, ok := r.ctl.(Closer); ok {
		c.Close()
	}
	return r.result(name, seed), nil
}

// run is a scenario under way.
type run struct {
	sc   Scenario
	opt  Options
	seed uint64
	loop *vtime.Loop
	now  int64 // instant of the present event
	end  int64
	over bool // what is still due does not happen, even if closing the controller takes the loop further

	ctl Controller
	adv Advancer // nil: the controller has no clock of its own

	source   source
	requests []request
	spare    []int32 // free entries of requests
	attempts []attempt
	vacant   []int32 // free entries of attempts
	pending  timeouts
	samples  []sample
	blank    []int32 // free entries of samples

	replicas []replica
	turn     int // of the balancer
	arrived  uint32
	slowness func(replica int) float64
	dice     dice

	ledger ledger
}

// request is a logical request whose outcome is open.
type request struct {
	id      int
	class   Class
	tries   uint8
	fault   bool // arrived in the fault window
	voltage float64
}

// attempt is a try that was admitted. Its entry is free again when the client
// has its answer and the backend is done with it, whichever comes last.
type attempt struct {
	begun  int64   // admitted
	queued int64   // put into a queue
	span   int64   // service time once it is known, ns
	work   float64 // service time before anything slows it, ms
	ticket Ticket
	req    int32
	at     int32 // replica
	gen    uint32
	told   bool // the client has its answer, or gave up
	fails  bool // the answer is an error
	waits  bool // in a queue
	gone   bool // the backend is done with it
}

// What an event is about is packed into its argument: 8 bits of deed, 24 bits
// of generation, 32 bits of index.
type deed uint8

const (
	arrival  deed = iota // of the next request of the source
	retry                // of a request
	complete             // of an attempt's service
	refused              // an attempt is turned away by the backend without service
	failing              // an attempt fails without service
	timeout              // of the first attempt of the timeouts
	expire               // of an attempt's patience in a queue
	shared               // next departure of a shared replica
	change               // of the number of servers
	report               // a sample reaches the controller
)

const generations = 1<<24 - 1

func (r *run) post(t int64, d deed, i int32, gen uint32) {
	r.loop.Post(t, r, uint64(d)<<56|uint64(gen&generations)<<32|uint64(uint32(i)))
}

func start(s *Scenario, f Factory, seed uint64, o Options) (*run, error) {
	sc, err := s.ready()
	if err != nil {
		return nil, err
	}
	if err := o.ready(); err != nil {
		return nil, err
	}
	if f == nil {
		return nil, errors.New("sim: no controller")
	}
	if o.Attempts > 0 {
		sc.Clients.Attempts = o.Attempts
	}
	r := &run{sc: sc, opt: o, seed: seed, loop: vtime.New()}
	r.loop.Distinct()
	r.now = r.loop.Now()
	r.end = vtime.Start + nanos(sc.Duration)
	r.slowness = r.service
	if v, ok := sc.Backend.Slowness.constant(); ok && v == 1 {
		if v, ok := sc.Backend.Gray.constant(); ok && v == 1 {
			r.slowness = func(int) float64 { return 1 }
		}
	}
	r.pending.patience = int64(math.Round(sc.Clients.Timeout * 1e6))
	r.ledger.open(r)

	r.ctl = f(r.env())
	r.adv, _ = r.ctl.(Advancer)
	r.build()
	r.source.open(r)
	return r, nil
}

// build sets up the replicas and the changes of their size.
func (r *run) build() {
	b := &r.sc.Backend
	q, _ := r.ctl.(Queuer)
	for id := range b.Replicas {
		if b.Sharing {
			r.replicas = append(r.replicas, &sharing{r: r, id: id, since: r.now, timer: never})
		} else {
			f := &fifo{r: r, id: id, since: r.now, all: b.Servers / b.Replicas}
			if q != nil {
				f.rule = q.Queue(id)
			}
			r.replicas = append(r.replicas, f)
		}
	}
	for _, rep := range r.replicas {
		rep.resize()
	}
	for _, curve := range []Curve{b.Alive, b.Elastic} {
		for _, p := range curve.points[1:] {
			r.post(vtime.Start+nanos(p.T), change, 0, 0)
		}
	}
}

func (r *run) env() *Env {
	var d dice
	d.roll(r.seed, controller, 0)
	return &Env{
		Now: r.loop.Now,
		At: func(t int64, run func()) {
			r.loop.At(t, func() {
				r.advance()
				run()
			})
		},
		Rand: rand.New(&d.pcg),
		Loop: r.loop,
		Cap:  float64(r.sc.Backend.Servers),
		Look: r.look,
	}
}

func (r *run) look() (busy, wait float64) {
	for _, rep := range r.replicas {
		b, w := rep.look()
		busy += b
		wait += float64(w)
	}
	n := float64(len(r.replicas))
	return busy / n, wait / n / 1e6
}

// seconds returns the time since the start of the scenario.
func (r *run) seconds() float64 { return float64(r.now-vtime.Start) / 1e9 }

func nanos(seconds float64) int64 { return int64(math.Round(seconds * 1e9)) }

// advance brings everything that keeps a clock up to the present event.
func (r *run) advance() {
	r.now = r.loop.Now()
	if r.adv != nil {
		r.adv.Advance(r.now)
	}
	r.recount(r.now)
}

// Fire is the simulator's part of the loop.
func (r *run) Fire(arg uint64) {
	if r.over {
		return
	}
	r.advance()
	i, gen := int32(uint32(arg)), uint32(arg>>32)&generations
	switch deed(arg >> 56) {
	case arrival:
		r.source.deliver(r)
	case retry:
		r.try(i)
	case complete:
		r.replicas[r.attempts[i].at].fire(i)
	case refused:
		r.leave(i, Dropped)
	case failing:
		r.leave(i, Fail)
	case timeout:
		r.pending.fire(r)
	case expire:
		if a := &r.attempts[i]; a.gen&generations == gen && a.waits {
			r.replicas[a.at].(*fifo).expire(i)
		}
	case shared:
		r.replicas[i].fire(i)
	case change:
		for _, rep := range r.replicas {
			rep.resize()
		}
	case report:
		s := r.samples[i]
		r.blank = append(r.blank, i)
		r.ctl.Done(s.ticket, s.latency, s.kind)
	}
}

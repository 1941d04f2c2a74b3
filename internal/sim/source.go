package sim

import (
	"math"

	"github.com/atrion-io/atrion/internal/vtime"
)

// source makes the logical requests: a Poisson process whose rate follows the
// load, by thinning a faster one of constant rate. It keeps instants of its
// own, which no event that another one pushed back can shift.
type source struct {
	dice dice
	t    int64   // of the latest candidate
	gap  float64 // mean time between candidates, ns
	peak float64 // load at that pace

	bursty bool
	high   bool
	turn   int64 // when the other rate begins

	due   request // what arrives next
	count int
}

func (s *source) open(r *run) {
	c := &r.sc.Clients
	s.dice.roll(r.seed, arrivals, 0)
	s.t, s.turn = vtime.Start, vtime.Start
	s.peak = c.Load.max() * (1 + c.Burst)
	if s.peak == 0 {
		return
	}
	s.gap = 1e9 / (s.peak * r.sc.Backend.Capacity())
	if s.bursty = c.Burst > 0; s.bursty {
		s.high = s.dice.float() < .5
		s.turn += s.stay()
	}
	s.seek(r)
}

// stay draws for how long the present rate lasts.
func (s *source) stay() int64 { return int64(math.Round(dwell * 1e9 * s.dice.exponential())) }

// seek finds the next request.
func (s *source) seek(r *run) {
	c := &r.sc.Clients
	for {
		s.t += int64(math.Round(s.gap * s.dice.exponential()))
		if s.t >= r.end {
			return
		}
		at := float64(s.t-vtime.Start) / 1e9
		load := c.Load.At(at)
		if s.bursty {
			for s.turn <= s.t {
				s.high = !s.high
				s.turn += s.stay()
			}
			if s.high {
				load *= 1 + c.Burst
			} else {
				load *= 1 - c.Burst
			}
		}
		if s.dice.float()*s.peak >= load {
			continue
		}
		u, class := s.dice.float(), VIP
		for ; class < Background && u >= c.Mix[class]; class++ {
			u -= c.Mix[class]
		}
		s.count++
		s.due = request{id: s.count, class: class, fault: r.sc.Fault.Holds(at)}
		var d dice
		d.roll(r.seed, voltage, uint64(s.count))
		s.due.voltage = r.opt.Voltages[class].draw(&d)
		r.post(s.t, arrival, 0, 0)
		return
	}
}

// deliver hands over the request that is due.
func (s *source) deliver(r *run) {
	i := take(&r.requests, &r.spare)
	q := &r.requests[i]
	*q = s.due
	r.ledger.offer(s.t, q)
	s.seek(r)
	r.try(i)
}

// take returns a free entry of a slab.
func take[T any](slab *[]T, free *[]int32) int32 {
	if n := len(*free); n > 0 {
		i := (*free)[n-1]
		*free = (*free)[:n-1]
		return i
	}
	var zero T
	*slab = append(*slab, zero)
	return int32(len(*slab) - 1)
}

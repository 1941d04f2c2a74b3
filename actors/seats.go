package actors

import (
	"sync/atomic"
	"time"
)

// seats counts the calls in flight, and knows when they began, roughly: a
// holder that never ends its call (it panicked, it forgot, it died) must not
// sit there for ever. Time is cut into spans; a ring of four of them counts
// the seats taken in each. When a span comes round again, whoever took a seat
// in its former lap has had it for longer than the time to live, and it is
// taken back. There is no timer: those who take seats, or are refused one, look.
type seats struct {
	taken atomic.Int64
	ring  [spans]atomic.Uint64 // lap<<32 | seats taken in it and not returned
}

const spans = 4

// Seat is the right to one call.
type Seat struct {
	Calls int64  // in flight including this one; 0: not a seat
	span  uint32 // when it was taken
	Epoch uint32 // the law's, see physics.Market
}

// spanLength is that of one span: a permit lives for three whole ones at least,
// and is taken back within four thirds of its time to live and a little.
func spanLength(ttl time.Duration) uint64 { return uint64(ttl / (spans - 1)) }

// spanAt is the number of the span that instant now is in.
func (s *System) spanAt(now int64) uint32 { return uint32(uint64(now) / s.span) }

// enter books a seat already counted in taken. It returns how many seats of an
// earlier lap it took back.
func (s *seats) enter(span uint32) (lost int64) {
	lap, slot := uint64(span/spans)<<32, &s.ring[span%spans]
	for {
		was := slot.Load()
		switch {
		case was&^countMask == lap:
			if slot.CompareAndSwap(was, was+1) {
				return 0
			}
		case slot.CompareAndSwap(was, lap|1):
			lost = int64(was & countMask)
			s.taken.Add(-lost)
			return lost
		}
	}
}

const countMask = 1<<32 - 1

// leave returns a seat. It reports false if the seat was taken back before.
func (s *seats) leave(span uint32) bool {
	lap, slot := uint64(span/spans)<<32, &s.ring[span%spans]
	for {
		was := slot.Load()
		if was&^countMask != lap || was&countMask == 0 {
			return false
		}
		if slot.CompareAndSwap(was, was-1) {
			s.taken.Add(-1)
			return true
		}
	}
}

// reclaim takes back all seats of spans that are over at span now.
func (s *seats) reclaim(now uint32) (lost int64) {
	for i := range s.ring {
		was := s.ring[i].Load()
		if n := int64(was & countMask); n > 0 && int32(now-uint32(was>>32)*spans-uint32(i)) >= spans && s.ring[i].CompareAndSwap(was, was&^countMask) {
			lost += n
		}
	}
	s.taken.Add(-lost)
	return lost
}

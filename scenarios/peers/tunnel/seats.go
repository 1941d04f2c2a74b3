package tunnel

import "github.com/atrion-io/atrion/internal/sim"

// seats keeps what a library gave out with an admission (a callback, a promise,
// a permit) until the same attempt is done, so that every outcome reaches the
// admission it belongs to.
type seats[T any] struct {
	held []T
	free []sim.Ticket
}

func (s *seats[T]) put(v T) sim.Ticket {
	if n := len(s.free); n > 0 {
		t := s.free[n-1]
		s.free = s.free[:n-1]
		s.held[t] = v
		return t
	}
	s.held = append(s.held, v)
	return sim.Ticket(len(s.held) - 1)
}

func (s *seats[T]) take(t sim.Ticket) T {
	v := s.held[t]
	var none T
	s.held[t] = none
	s.free = append(s.free, t)
	return v
}

func (s *seats[T]) len() int { return len(s.held) - len(s.free) }

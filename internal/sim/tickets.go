package sim

// Tickets keeps what a controller holds of an admitted attempt (a permit, a
// promise, a callback) until the same attempt is done. The zero value is empty.
type Tickets[T any] struct {
	held []T
	free []Ticket
}

// Put keeps v and returns the ticket to take it back by.
func (s *Tickets[T]) Put(v T) Ticket {
	if n := len(s.free); n > 0 {
		t := s.free[n-1]
		s.free = s.free[:n-1]
		s.held[t] = v
		return t
	}
	s.held = append(s.held, v)
	return Ticket(len(s.held) - 1)
}

// Take returns what is kept under t, once.
func (s *Tickets[T]) Take(t Ticket) T {
	v := s.held[t]
	var none T
	s.held[t] = none
	s.free = append(s.free, t)
	return v
}

// Len returns how many are kept.
func (s *Tickets[T]) Len() int { return len(s.held) - len(s.free) }

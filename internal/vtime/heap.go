package vtime

// event is something that will happen. Events of one instant happen in the
// order in which they were asked for.
type event struct {
	at  int64
	seq uint64
	h   Handler
	arg uint64
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// fanout of the heap. Four children a node halve the depth of a binary heap,
// and a pop walks the depth; the children of a node share cache lines.
const fanout = 4

// heap holds events, the next one first.
type heap []event

func (h *heap) push(e event) {
	s := append(*h, e)
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / fanout
		if !e.before(&s[up]) {
			break
		}
		s[i] = s[up]
		i = up
	}
	s[i] = e
	*h = s
}

func (h *heap) pop() event {
	s := *h
	top, n := s[0], len(s)-1
	e := s[n]
	s[n] = event{} // let go of what it holds
	s = s[:n]
	*h = s
	if n == 0 {
		return top
	}
	i := 0
	for {
		first := fanout*i + 1
		if first >= n {
			break
		}
		least := first
		for child := first + 1; child < min(first+fanout, n); child++ {
			if s[child].before(&s[least]) {
				least = child
			}
		}
		if !s[least].before(&e) {
			break
		}
		s[i] = s[least]
		i = least
	}
	s[i] = e
	return top
}

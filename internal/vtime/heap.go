package vtime

type event struct {
	at  int64
	seq uint64
	run func()
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// heap is a binary heap of events, the next one first.
type heap []event

func (h *heap) push(e event) {
	s := append(*h, e)
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
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
		down := 2*i + 1
		if down >= n {
			break
		}
		if down+1 < n && s[down+1].before(&s[down]) {
			down++
		}
		if !s[down].before(&e) {
			break
		}
		s[i] = s[down]
		i = down
	}
	s[i] = e
	return top
}

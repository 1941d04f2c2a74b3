package sim

import "math"

// sharing is a replica whose servers are shared equally by all attempts, as a
// processor is by threads. Nobody waits; everybody gets slower.
//
// attained is the work (ns) that an attempt has got which was there from the
// start. An attempt that arrives when it stands at A and brings the work w is
// served when it reaches A+w, so the order of service is fixed at arrival and
// a heap of those marks is enough.
type sharing struct {
	r        *run
	id       int
	servers  int
	attained float64
	since    int64 // when attained was that
	jobs     []job // a heap, the first to finish first
	timer    int64 // the instant for which an event is posted; never: none

	area float64
}

type job struct {
	mark float64 // attained when it is served
	i    int32
	seq  uint32 // decides between equal marks
}

const never = math.MaxInt64

func (a *job) before(b *job) bool {
	return a.mark < b.mark || a.mark == b.mark && a.seq < b.seq
}

func (s *sharing) arrive(i int32) {
	s.advance()
	a := &s.r.attempts[i]
	work := math.Round(a.work * s.r.slowness(s.id) * 1e6)
	a.span = max(1, int64(work))
	s.r.arrived++
	s.push(job{s.attained + float64(a.span), i, s.r.arrived})
	s.arm()
}

// speed returns what one attempt gets of a server.
func (s *sharing) speed() float64 {
	n := len(s.jobs)
	if n == 0 || s.servers == 0 {
		return 0
	}
	return min(1, float64(s.servers)/float64(n)) / s.r.congestion(n-s.servers, s.servers)
}

func (s *sharing) advance() {
	dt := float64(s.r.now - s.since)
	s.attained += float64(dt * s.speed())
	s.area += float64(dt * min(float64(len(s.jobs)), float64(s.servers)))
	s.since = s.r.now
}

// arm posts an event for the end of the next attempt, unless an earlier one
// stands already; that one will arm again.
func (s *sharing) arm() {
	speed := s.speed()
	if speed == 0 {
		if len(s.jobs) == 0 {
			s.attained = 0 // begin anew: small numbers are precise
		}
		return
	}
	rest := math.Ceil(max(0, s.jobs[0].mark-s.attained) / speed)
	if rest > 1e18 {
		return
	}
	if t := s.r.now + max(1, int64(rest)); t < s.timer {
		s.timer = t
		s.r.post(t, shared, int32(s.id), 0)
	}
}

func (s *sharing) fire(int32) {
	s.advance()
	if s.r.now >= s.timer {
		s.timer = never
	}
	// Half a nanosecond of tolerance absorbs the rounding of marks.
	for len(s.jobs) > 0 && s.jobs[0].mark <= s.attained+.5 {
		i := s.pop().i
		s.r.served(i, float64(s.r.attempts[i].span))
	}
	s.arm()
}

func (s *sharing) resize() {
	s.advance()
	s.servers = s.r.sc.Backend.share(s.r.seconds())
	s.arm()
}

func (s *sharing) look() (float64, int64) {
	if s.servers == 0 {
		return 1, 0
	}
	return min(1, float64(len(s.jobs))/float64(s.servers)), 0
}

func (s *sharing) busyTime() float64 { s.advance(); return s.area }

func (s *sharing) push(j job) {
	s.jobs = append(s.jobs, j)
	h, i := s.jobs, len(s.jobs)-1
	for i > 0 {
		up := (i - 1) / 2
		if h[up].before(&j) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = j
}

func (s *sharing) pop() job {
	h := s.jobs
	top, n := h[0], len(h)-1
	last := h[n]
	h = h[:n]
	s.jobs = h
	i := 0
	for {
		down := 2*i + 1
		if down >= n {
			break
		}
		if down+1 < n && h[down+1].before(&h[down]) {
			down++
		}
		if last.before(&h[down]) {
			break
		}
		h[i] = h[down]
		i = down
	}
	if n > 0 {
		h[i] = last
	}
	return top
}

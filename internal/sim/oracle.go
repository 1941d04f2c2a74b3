package sim

// The oracle knows everything but the future: what it cannot serve, nobody
// can. A block is one second; what it could have served in it is what was
// offered, or what the servers can do if that is less.

// oracle returns the requests that could have succeeded in each bin.
func (r *run) oracle() []float64 {
	b, attempts := &r.sc.Backend, r.sc.Clients.Attempts
	each := b.Service.Mean() / 1000
	caps := make([]float64, len(r.ledger.bins))
	for i := range caps {
		t := (float64(i) + .5) / perSecond // bins are short enough to be judged by their middles
		if b.hangs(t) {
			continue
		}
		for id := range b.Replicas {
			caps[i] += float64(b.share(t)) / (each * b.slowness(id, t) * perSecond)
		}
		if e := b.Errors.At(t); e > 0 {
			offered := 0
			for _, n := range r.ledger.bins[i].offered {
				offered += int(n)
			}
			caps[i] *= 1 - e
			caps[i] = min(caps[i], float64(offered)*(1-power(e, attempts)))
		}
	}
	return caps
}

// weights of the classes in the value of a success.
var weights = [Classes]float64{10, 3, 1}

// block sums up the bins from i up to, not including, j.
type block struct {
	offered, good                   [Classes]int
	attempts, admitted, rejected    int
	dropped, swaps, selective       int // selective: admitted in bins that rejected something
	possible, done, ideal, achieved float64
}

func (l *ledger) block(i, j int) (s block) {
	room := 0.0
	for k := max(i, 0); k < min(j, len(l.bins)); k++ {
		c := &l.bins[k]
		for class := range s.offered {
			s.offered[class] += int(c.offered[class])
			s.good[class] += int(c.good[class])
		}
		s.attempts += int(c.attempts)
		s.admitted += int(c.admitted)
		s.rejected += int(c.rejected)
		s.dropped += int(c.dropped)
		if c.rejected > 0 {
			s.swaps += int(c.swaps)
			s.selective += int(c.admitted)
		}
		room += l.capacity[k]
	}
	for class, n := range s.offered {
		served := min(float64(n), room) // the best classes first
		room -= served
		s.possible += served
		s.ideal += float64(weights[class] * served)
		s.done += float64(s.good[class])
		s.achieved += float64(weights[class] * float64(s.good[class]))
	}
	return s
}

// sum adds up blocks of one second from second i up to, not including, j.
func (l *ledger) sum(i, j float64) (s block) {
	end := min(int(j*perSecond+.5), len(l.bins))
	for k := int(i*perSecond + .5); k < end; k += perSecond {
		b := l.block(k, min(k+perSecond, end))
		s.attempts += b.attempts
		s.admitted += b.admitted
		s.rejected += b.rejected
		s.dropped += b.dropped
		s.swaps += b.swaps
		s.selective += b.selective
		s.possible += b.possible
		s.done += b.done
		s.ideal += b.ideal
		s.achieved += b.achieved
	}
	return s
}

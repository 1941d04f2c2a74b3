package stories

// pool is a number of things that are taken, held and given back: servers,
// threads, connections. Who finds none waits in line.
type pool struct {
	w     *world
	size  int
	bound int // that may wait; 0: no bound
	busy  int
	line  []*place

	held  float64 // integral of busy over time, s
	since float64
}

type place struct {
	start func(release func())
	left  bool
}

func (w *world) pool(size int) *pool { return &pool{w: w, size: size} }

// take calls start as soon as there is one to hold, with the function that
// gives it back. leave, which may be nil if there is no line, gives up waiting.
// ok is false if the line is full.
func (p *pool) take(start func(release func())) (leave func(), ok bool) {
	if p.busy < p.size {
		p.begin(start)
		return func() {}, true
	}
	if p.bound > 0 && len(p.line) >= p.bound {
		return nil, false
	}
	l := &place{start: start}
	p.line = append(p.line, l)
	return func() { l.left = true }, true
}

func (p *pool) begin(start func(release func())) {
	p.account()
	p.busy++
	released := false
	start(func() {
		if released {
			return
		}
		released = true
		p.account()
		p.busy--
		for len(p.line) > 0 && p.busy < p.size {
			l := p.line[0]
			p.line = p.line[1:]
			if !l.left {
				p.begin(l.start)
			}
		}
	})
}

func (p *pool) account() {
	t := p.w.now()
	p.held += float64(float64(p.busy) * (t - p.since))
	p.since = t
}

// serve holds one for so many milliseconds and then calls done. The work goes on
// to its end whether anybody still wants it or not.
func (p *pool) serve(ms float64, done func()) (ok bool) {
	_, ok = p.take(func(release func()) {
		p.w.after(ms, func() {
			release()
			done()
		})
	})
	return ok
}

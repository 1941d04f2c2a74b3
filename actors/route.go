package actors

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/atrion-io/atrion/physics"
)

// Errors of Put and Ask.
var (
	// ErrMailboxFull: the sample was dropped because the route's mailbox is full.
	ErrMailboxFull = errors.New("atrion: mailbox full, sample dropped")
	// ErrClosed: the system is closed.
	ErrClosed = errors.New("atrion: closed")
	// ErrFailing: the route's actor backs off after a failure; the sample waits.
	ErrFailing = errors.New("atrion: route backs off after a failure")
	// ErrRetired: the route was evicted; ask the registry for its successor.
	ErrRetired = errors.New("atrion: route evicted")
)

// Published is a route's immutable snapshot: what decisions read.
type Published struct {
	State    physics.State
	market   physics.Market // State, if the law weighs demand; else nil
	Revision uint64         // grows by one with every batch
	At       int64          // ns: the latest time the state knows of
	Seen     int64          // ns: the latest sample
	Faulty   bool           // the actor fails; decisions fail open or closed
	foreign  bool           // revision 0, but others have said something
}

// Route is the actor of one route. All methods are safe for concurrent use.
type Route struct {
	// The first cache line is read by every decision and hardly ever written.
	name  string
	hash  uint64
	sys   *System
	pub   atomic.Pointer[Published] // nil once evicted
	saved atomic.Pointer[Published] // what the provider holds; nil: nothing
	used  atomic.Bool               // decided or observed since the eviction hand last passed
	dirty atomic.Bool               // waits in the saver's queue
	rules atomic.Pointer[Rules]     // what stands beside the law; nil: nothing

	// The second is written by every call that begins or ends: the seat and
	// the mailbox together, so that processors pass one line and not two.
	seats seats
	box   mailbox

	shed     atomic.Uint64
	failures int    // panics in a row; the actor goroutine's own
	peers    *peers // guarded by the mailbox's lock; nil: nobody said anything
}

// Name returns the route's name.
func (r *Route) Name() string { return r.name }

// Snapshot returns the current snapshot, or nil if the route was evicted.
func (r *Route) Snapshot() *Published { return r.pub.Load() }

// Inflight returns the number of calls in flight: Enter minus Leave.
func (r *Route) Inflight() int64 { return r.seats.taken.Load() }

// Shed returns how many decisions were rejections.
func (r *Route) Shed() uint64 { return r.shed.Load() }

// Decide answers a request of that voltage from the current snapshot, and
// returns the snapshot. It is nil if the route was evicted: look it up again.
// It takes no lock, does no I/O and allocates nothing.
func (r *Route) Decide(voltage float64) (physics.Ruling, physics.Terms, *Published) {
	p := r.current()
	if p == nil {
		return physics.Ruling{}, physics.Terms{}, nil
	}
	q := r.query(voltage)
	ruling, terms := r.rule(p, q)
	r.book(p, q, ruling.Allow, false)
	return ruling, terms, p
}

// Allow is Decide for those who only need the answer; ok is false if the route
// was evicted.
func (r *Route) Allow(voltage float64) (allow, ok bool) {
	p := r.current()
	if p == nil {
		return false, false
	}
	q := r.query(voltage)
	allow = r.allows(p, q)
	r.book(p, q, allow, false)
	return allow, true
}

// rule is what p says of q.
func (r *Route) rule(p *Published, q physics.Query) (physics.Ruling, physics.Terms) {
	ruling, terms := p.State.Decide(q)
	if p.Faulty {
		ruling = r.sys.policy(ruling)
	}
	return ruling, terms
}

// allows is rule for those who only need the answer.
func (r *Route) allows(p *Published, q physics.Query) bool {
	if p.Faulty {
		return !r.sys.cfg.FailClosed
	}
	return p.State.Allow(q)
}

// book counts a request that was decided, once.
func (r *Route) book(p *Published, q physics.Query, allow, seated bool) {
	if p.market != nil {
		p.market.Note(q, allow, seated)
	}
	if !allow {
		r.reject()
	}
}

// reject counts a rejection, or what would be one if the route were not in
// shadow.
func (r *Route) reject() {
	if r.forced() == ForceShadow {
		r.sys.counters.shadowed.Add(1)
		return
	}
	r.shed.Add(1)
}

// current is the snapshot to decide by. It tells the eviction hand that the
// route is used.
func (r *Route) current() *Published {
	if !r.used.Load() {
		r.used.Store(true)
	}
	return r.pub.Load()
}

func (r *Route) query(voltage float64) physics.Query {
	q := physics.Query{Voltage: voltage, Now: r.sys.readNow(), Inflight: r.seats.taken.Load()}
	if r.sys.draws {
		q.U = r.sys.random()
	}
	return q
}

// Peek is Decide for those who only want to know: it is not counted, and a law
// must not take it for demand. It reads the exact clock.
func (r *Route) Peek(voltage float64) (physics.Verdict, *Published) {
	p := r.pub.Load()
	if p == nil {
		return physics.Verdict{}, nil
	}
	v := physics.Judge(p.State, physics.Query{Voltage: voltage, Now: r.sys.cfg.Clock.Now(), Inflight: r.seats.taken.Load(), U: physics.Peek})
	if p.Faulty {
		v.Ruling = r.sys.policy(v.Ruling)
	}
	return v, p
}

// policy is the answer of a route whose law keeps failing.
func (s *System) policy(r physics.Ruling) physics.Ruling {
	r.Allow, r.Reason = !s.cfg.FailClosed, physics.Faulty
	return r
}

// Answer is a question and the snapshot that answered it.
type Answer struct {
	Want  bool // also when a seat is given, which costs a little
	query physics.Query
	pub   *Published
}

// Enter takes a seat, which Leave returns, if a request of that voltage may
// pass. If it may not, the seat's Calls are 0; why then says what Explain needs,
// as it does with a seat if that is wanted. ok is false if the route was evicted.
//
// The decision holds for the number of calls in flight that the seat brings:
// whoever comes second in a race decides again, so that a law's cap is never
// passed. Each round somebody got a seat.
func (r *Route) Enter(voltage float64, why *Answer) (s Seat, ok bool) {
	p := r.current()
	if p == nil {
		return Seat{}, false
	}
	q := r.query(voltage)
	span := r.sys.spanAt(q.Now)
	for {
		allow := r.allows(p, q)
		if allow && r.seats.taken.CompareAndSwap(q.Inflight, q.Inflight+1) {
			break
		}
		if !allow && !r.reclaim(span) {
			r.book(p, q, false, false)
			why.query, why.pub = q, p
			return Seat{}, true
		}
		q.Inflight = r.seats.taken.Load()
	}
	if lost := r.seats.enter(span); lost > 0 {
		r.reclaimed(lost)
	}
	// The eviction hand takes the snapshot away first and looks at the seats
	// second; here it is the other way round, so one of the two sees the other.
	if r.pub.Load() == nil {
		r.seats.leave(span)
		return Seat{}, false
	}
	r.book(p, q, true, true)
	if why.Want {
		why.query, why.pub = q, p
	}
	s = Seat{Calls: q.Inflight + 1, span: span}
	if p.market != nil {
		s.Epoch = p.market.Epoch()
	}
	return s, true
}

// Admit is Enter for a request that passes whatever the law says, which counts
// as demand and, if it is seated, as a call in flight all the same. Explain then
// says what the law would have said. ok is false if the route was evicted.
func (r *Route) Admit(voltage float64, seated bool, why *Answer) (s Seat, ok bool) {
	p := r.current()
	if p == nil {
		return Seat{}, false
	}
	q := r.query(voltage)
	if seated {
		span := r.sys.spanAt(q.Now)
		q.Inflight = r.seats.taken.Add(1) - 1
		if lost := r.seats.enter(span); lost > 0 {
			r.reclaimed(lost)
		}
		if r.pub.Load() == nil { // as in Enter
			r.seats.leave(span)
			return Seat{}, false
		}
		s = Seat{Calls: q.Inflight + 1, span: span}
		if p.market != nil {
			s.Epoch = p.market.Epoch()
		}
	}
	r.book(p, q, true, seated)
	why.query, why.pub = q, p
	return s, true
}

// Skip is Peek for a request that the law is not asked about: it is not demand,
// but the route is in use, and a rejection counts as one.
func (r *Route) Skip(voltage float64, reject bool) (physics.Verdict, *Published) {
	r.current()
	v, p := r.Peek(voltage)
	if p != nil && reject {
		r.reject()
	}
	return v, p
}

// Explain says why a seat was given or refused, in the terms of the state that
// answered.
func (r *Route) Explain(why *Answer) (physics.Ruling, physics.Terms, *Published) {
	ruling, terms := r.rule(why.pub, why.query)
	return ruling, terms, why.pub
}

// Leave returns a seat. It reports false if that seat was taken back before
// because its time was up: what its call saw must not count.
func (r *Route) Leave(s Seat) bool {
	if r.seats.leave(s.span) {
		return true
	}
	r.sys.counters.late.Add(1)
	return false
}

// reclaim takes seats back whose holders had them for longer than PermitTTL,
// and reports whether there were any.
func (r *Route) reclaim(span uint32) bool {
	lost := r.seats.reclaim(span)
	if lost > 0 {
		r.reclaimed(lost)
	}
	return lost > 0
}

func (r *Route) reclaimed(lost int64) {
	r.sys.counters.reclaimed.Add(uint64(lost))
	r.sys.events.publish(Event{Kind: Reclaimed, Route: r.name, Time: r.sys.cfg.Clock.Now(), Lost: int(lost), Cause: "permits never ended"})
}

// Put hands s to the actor. It never blocks. The sample's values must be in
// the ranges of physics.Sample.
func (r *Route) Put(s *physics.Sample) error {
	if r.forced() == ForceDisabled {
		return nil // its law does not learn
	}
	m := &r.box
	m.mu.Lock()
	if err := r.room(); err != nil {
		m.mu.Unlock()
		return r.lost(err, 1)
	}
	m.put(s, 0, &r.sys.chunks)
	r.hand(nil, 1)
	return nil
}

// putPart bounds how many samples PutAll copies under one lock: a call that
// ends meanwhile waits for them.
const putPart = 64

// PutAll is Put for many at once, in order. Times count from the instant shift.
// It returns how many were taken before the error.
func (r *Route) PutAll(samples []physics.Sample, shift int64) (n int, err error) {
	if r.forced() == ForceDisabled {
		return len(samples), nil
	}
	m := &r.box
	for n < len(samples) {
		m.mu.Lock()
		if err := r.room(); err != nil {
			m.mu.Unlock()
			return n, r.lost(err, len(samples)-n)
		}
		part := samples[n:min(n+min(putPart, r.sys.cfg.MailboxSize-int(m.count)), len(samples))]
		for i := range part {
			m.put(&part[i], shift, &r.sys.chunks)
		}
		n += len(part)
		r.hand(nil, len(part))
	}
	return n, nil
}

// room reports why the mailbox cannot take a sample, if it cannot. It lets the
// actor catch up once; see Backpressure in doc.go. The caller holds the
// mailbox's lock, which is given up meanwhile.
func (r *Route) room() error {
	m := &r.box
	full := int(m.count) >= r.sys.cfg.MailboxSize
	if full && !m.retired {
		m.mu.Unlock()
		runtime.Gosched()
		m.mu.Lock()
		full = int(m.count) >= r.sys.cfg.MailboxSize
	}
	switch {
	case m.retired && r.sys.closing.Load():
		return ErrClosed
	case m.retired:
		return ErrRetired
	case full:
		return ErrMailboxFull
	}
	return nil
}

// lost books n samples that were not taken because of err, and returns err.
func (r *Route) lost(err error, n int) error {
	switch err {
	case ErrClosed:
		r.sys.lose(r, n, &r.sys.counters.afterClose, "closed")
	case ErrMailboxFull:
		r.sys.lose(r, n, &r.sys.counters.mailboxFull, "mailbox full")
	}
	return err
}

// hand sees to it that the actor runs for the n samples just put, and for ask,
// if there is one. The caller holds the mailbox's lock, which is given up.
func (r *Route) hand(ask chan struct{}, n int) {
	m := &r.box
	if ask != nil {
		m.asks = append(m.asks, ask)
	}
	behind := r.sys.behind(int(m.count)-n, int(m.count))
	r.awaken(ask != nil || behind || m.eager)
	if behind {
		runtime.Gosched() // let the actor catch up; see Backpressure in doc.go
	}
}

// awaken starts the actor, or, if it runs already and it is urgent, ends its
// linger. The caller holds the mailbox's lock, which is given up.
func (r *Route) awaken(urgent bool) {
	m := &r.box
	var rouse chan struct{}
	spawn := !m.running
	if spawn {
		m.running = true
		r.sys.active.Add(1)
	} else if urgent {
		rouse = m.rouse()
	}
	m.mu.Unlock()
	if spawn {
		r.sys.spawn(r, false)
	} else {
		r.sys.rouse(rouse)
	}
}

// behind reports whether a mailbox that grew from one count to another calls
// for a pause of its producer: from half full on, at every further eighth. Once
// would not do, as the scheduler may run the producer itself again.
func (s *System) behind(from, to int) bool {
	size := s.cfg.MailboxSize
	eighth := max(size/8, 1)
	return 2*to >= size && from/eighth != to/eighth
}

// Ask hands s to the actor and waits until a snapshot that knows it is
// published, or until ctx ends. It does not wait for an actor that backs off
// after a failure: that is ErrFailing. In both cases the sample still counts.
func (r *Route) Ask(ctx context.Context, s *physics.Sample) error {
	if r.forced() == ForceDisabled {
		return nil
	}
	m := &r.box
	m.mu.Lock()
	if err := r.room(); err != nil {
		m.mu.Unlock()
		return r.lost(err, 1)
	}
	m.put(s, 0, &r.sys.chunks)
	if m.failing {
		r.hand(nil, 1)
		return ErrFailing
	}
	ask := r.sys.askers.Get().(chan struct{})
	r.hand(ask, 1)
	select {
	case <-ask:
		r.sys.askers.Put(ask)
		return nil
	case <-ctx.Done():
		// The actor will still signal ask, so it cannot be pooled.
		return ctx.Err()
	}
}

// retire takes the route out of service if it is idle, healthy and settled,
// and reports whether it did. The caller holds the registry's lock.
func (r *Route) retire(now int64) bool {
	m := &r.box
	m.mu.Lock()
	defer m.mu.Unlock()
	p := r.pub.Load()
	if p == nil || p.Faulty || m.running || m.count > 0 || !p.State.Settled(now) || r.dirty.Load() {
		return false
	}
	r.pub.Store(nil)
	if r.seats.taken.Load() != 0 {
		r.pub.Store(p)
		return false
	}
	m.retired = true
	return true
}

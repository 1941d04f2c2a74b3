package ohmic

import (
	"math"
	"sort"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/vec"
)

// reference is the law once more, as plainly as it can be said: one request and
// one completion at a time, every band in an array, nothing shared and nothing
// kept ready. Numbers in parentheses are the equations of docs/physics.md. Sums
// are taken in the order of the law's, as the two must agree to the bit.
type reference struct {
	c Config

	heard bool // a first completion came: arrivals count from here on

	// (1, 2, 3)
	counted    [bands]float64 // since the last refresh
	heat       [bands]float64 // H
	above, own [bands]float64
	nobody     bool // bids
	refreshed  int64
	rate, slow float64 // lambda
	thin       uint64

	all, good float64 // A, G (5)

	limit, hold, lnT, lnT0, n0, busy float64 // L, held, T, T0, n_0, S
	knowsT                           bool

	shed float64 // requests the load turned away, ever

	// What is reported, and decides nothing.
	mode            physics.Mode
	arrived, shedAt int64   // the last refresh that saw either
	shedThen        float64 // r.shed at the last refresh

	w refWindow

	// Calls without a seat, from the first report of one on: those admitted
	// since the last refresh, those in flight then, and by the interval in which
	// they were admitted.
	lent, out             float64
	admittedIn, lnSeatsIn map[int64]float64
	slot                  int64
	everLent              bool

	far, dips float64 // how often (9) and (10) moved T0

	// The cohort under way (10, 11).
	steady    bool
	step      step
	epoch     uint32
	own_      uint32
	opened    int64
	closed    int64
	until     int64
	due       int64
	gap       int64
	want      float64
	admitted  float64
	done      refSums
	ended     float64
	broken    float64
	judged    float64
	before    [2]float64 // ln N and ln T before the dip
	lastLimit float64    // L at it
	fault     bool       // calls failed as it began
}

// refSums are successes whose latency is known, and those of them whose calls
// in flight are.
type refSums struct{ n, ln, seats, lnSeats float64 }

func (r *refSums) add(s *physics.Sample, lnSeats float64) {
	r.n++
	r.ln += lnLatency(s)
	if s.Inflight > 0 {
		r.seats++
		r.lnSeats += lnSeats
	}
}

type refWindow struct {
	opened                  int64
	shed                    float64
	all, good, failed, most float64
	held, seatTime          float64
	sums                    refSums
}

func newReference(c Config) *reference {
	c.Floor = short(c.Floor)
	r := &reference{c: c, nobody: true, limit: c.StartLimit, hold: c.StartLimit}
	r.step, r.epoch, r.own_, r.want = open, 1, 1, min(64, math.Ceil(c.StartLimit))
	return r
}

func lnLatency(s *physics.Sample) float64 { return max(vec.Ln1(s.Latency), leastLn) }

// began is when the call did.
func began(s *physics.Sample) int64 {
	if math.IsNaN(s.Latency) {
		return s.Time
	}
	return s.Time - int64(min(s.Latency, 1e9)*1e6)
}

// goodness is the share of a sample that succeeded.
func goodness(s *physics.Sample) float64 {
	if s.Outcome.Failed() {
		return 0
	}
	return 1 - s.ErrorRate
}

// tooMany reports whether that many failures of so many are a fault.
func tooMany(failed, of float64) bool { return failed > 1+0.02*of }

// succeeded reports whether s is a success whose latency is known.
func succeeded(s *physics.Sample) bool { return !math.IsNaN(s.Latency) && goodness(s) > 0.5 }

var edges = func() (e [bands + 1]float64) {
	for b := range e {
		e[b] = edge(b)
	}
	return e
}()

// bandOf is the band (edge, upper edge] that holds v.
func bandOf(v float64) int {
	return min(sort.Search(bands, func(b int) bool { return v <= edges[b+1] }), bands-1)
}

// faded is what a second of memory m leaves after dt nanoseconds.
func faded(dt int64, m time.Duration) float64 {
	return vec.Exp1(-(float64(dt) / 1e9) / m.Seconds())
}

// demand is d(V)/lambda for the draw u (3), and where the band ends.
func (r *reference) demand(b int, u float64) (x, end float64) {
	if r.nobody {
		return u, 1
	}
	for ; b < bands; b++ {
		if r.heat[b] > 0 {
			return r.above[b] + float64(u*r.own[b]), r.above[b] + r.own[b]
		}
	}
	return 0, 0
}

// inflight is N: seats, and those who hold none as far as they are known.
func (r *reference) inflight(q physics.Query) float64 {
	n := float64(q.Inflight)
	if r.admittedIn == nil {
		return n
	}
	return n + math.Floor(r.out) + r.lent
}

// told takes the report of a call without a seat, that began then, off those
// that are out: off the slot it began in, the nearest before that has any, the
// nearest after, or the one that is not booked yet. It returns the calls in
// flight in that slot.
func (r *reference) told(now, began int64) (lnSeats float64) {
	if r.admittedIn == nil {
		r.slot = now / refreshEvery
		r.admittedIn, r.lnSeatsIn = map[int64]float64{}, map[int64]float64{}
		r.out, r.lent = 0, 0
	}
	r.out = max(0, r.out-1)
	slot := r.slot
	if from := began / refreshEvery; from < slot {
		for s := from; s > r.slot-slots; s-- {
			if r.admittedIn[s] > 0 {
				slot = s
				break
			}
		}
		for s := max(from, r.slot-slots) + 1; s < r.slot && slot == r.slot; s++ {
			if r.admittedIn[s] > 0 {
				slot = s
			}
		}
	}
	r.admittedIn[slot]--
	return r.lnSeatsIn[slot]
}

// book enters those admitted without a seat since the last refresh, and forgets
// those whose lease is over.
func (r *reference) book(now int64) {
	r.admittedIn[r.slot] += r.lent
	r.lent, r.slot = 0, max(r.slot, now/refreshEvery)
	r.out = 0
	for s, n := range r.admittedIn {
		if s <= r.slot-slots || s < now/refreshEvery-int64(lease/refreshEvery) {
			delete(r.admittedIn, s)
		} else {
			r.out += n
		}
	}
	r.out = max(0, r.out)
	r.lnSeatsIn[r.slot] = vec.Ln1(max(r.out, 1))
}

// supply is a(N) (4), and what is kept for bands that are covered.
func (r *reference) supply(n float64) (a, kept float64) {
	h := r.c.Headroom
	if n >= (1+h)*r.hold {
		return 0, 0
	}
	rate := boundless
	if r.knowsT {
		rate = r.hold / vec.Exp1(r.lnT) * 1000
	}
	if r.busy > 0 {
		kept = min(r.c.Reserve*r.hold/r.busy*1000, boundless)
	}
	return rate*(1+1/h) - float64(n*(rate/(h*r.hold))), kept
}

// scar is r (5).
func (r *reference) scar(now int64) float64 {
	excess := r.all - float64(r.c.Tolerance*r.good)
	if excess <= 0 {
		return 0
	}
	keep := 1.0
	if now > r.refreshed {
		keep = faded(now-r.refreshed, r.c.FailureMemory)
	}
	return keep * excess / (float64(keep*r.all) + r.c.Evidence)
}

// answer is what the reference says to a request.
type answer struct {
	allow bool
	terms physics.Terms
}

// bar is D^-1 by looking at every band: the upper edge of the highest whose
// requests of draw u do not pass.
func (r *reference) bar(b int, u float64, passes func(x, end float64) bool) float64 {
	highest := -1
	for i := range bands {
		if r.heat[i] > 0 && !passes(r.demand(i, u)) {
			highest = i
		}
	}
	if !r.nobody && !passes(0, 0) || r.nobody && !passes(u, 1) {
		highest = max(highest, b)
	}
	if highest < 0 {
		return 0
	}
	return edges[highest+1]
}

// decide answers (6).
func (r *reference) decide(q physics.Query) answer {
	u := q.U
	if u < 0 {
		u = 0.5
	}
	a, kept := r.supply(r.inflight(q))
	load := func(rate float64) func(x, end float64) bool {
		return func(x, end float64) bool {
			return r.inflight(q) <= 0 || float64(rate*x) < a || float64(rate*end) < kept
		}
	}
	scar := r.scar(q.Now)
	fail := func(x, _ float64) bool { return scar == 0 || x < 1-scar }

	out := answer{}
	b := 0
	if q.Voltage > 0 {
		b = bandOf(q.Voltage)
		x, end := r.demand(b, u)
		out.allow = q.Voltage > r.c.Floor && load(r.rate)(x, end) && fail(x, end)
	}
	// R and its terms: the steps up from the floor to what the slow rate
	// explains, to what the load asks, to what the failures ask.
	slow := r.bar(b, u, load(min(r.rate, r.slow)))
	loaded := r.bar(b, u, load(r.rate))
	failed := r.bar(b, u, fail)
	at := r.c.Floor
	up := func(to float64) float64 {
		to = max(at, to)
		d := to - at
		if at+d < to {
			d = math.Nextafter(d, to)
		}
		at = to
		return d
	}
	out.terms.Base = r.c.Floor
	out.terms.Pressure = up(min(slow, loaded))
	out.terms.Momentum = up(loaded)
	out.terms.Scar = up(failed)
	return out
}

// note books a request that was decided.
func (r *reference) note(q physics.Query, admitted, seated bool) {
	if !r.heard || !(q.Voltage > 0) {
		return
	}
	b := bandOf(q.Voltage)
	if math.Float64bits(q.U)*0x9E3779B97F4A7C15>>48&r.thin == 0 {
		r.counted[b] += float64(r.thin + 1)
		if admitted && !seated {
			r.lent += float64(r.thin + 1)
			r.everLent = true
		}
	}
	x, end := r.demand(b, q.U)
	a, kept := r.supply(r.inflight(q))
	switch {
	case admitted && r.step == open:
		r.admitted++
	case !admitted && r.inflight(q) > 0 && !(float64(r.rate*x) < a) && !(float64(r.rate*end) < kept):
		r.shed++
	}
}

// complete learns from one completion; seats are the calls in flight after it.
func (r *reference) complete(s physics.Sample, seats int64) {
	if !r.heard {
		at := s.Time
		if s.Latency > 0 && s.Latency < 1e6 {
			at -= int64(s.Latency * 1e6)
		}
		r.begin(at, float64(seats+1))
		if s.Epoch == 0 {
			r.openCohort(at, min(64, math.Ceil(r.limit)))
		}
	}
	r.pass(s.Time)
	lnSeats, most := vec.Ln1(s.Inflight), s.Inflight
	if s.Inflight <= 0 && s.Epoch == 0 && s.Outcome != physics.Ignored && r.everLent {
		lnSeats, most = r.told(s.Time, began(&s)), r.out
		s.Inflight = 1 // it is known
	}
	if s.Outcome != physics.Ignored {
		r.all++
		r.good += goodness(&s)
		w := &r.w
		w.all++
		w.good += goodness(&s)
		w.failed += 1 - goodness(&s)
		w.most = max(w.most, most)
		if !math.IsNaN(s.Latency) {
			w.held++
			w.seatTime += s.Latency
		}
		if succeeded(&s) {
			w.sums.add(&s, lnSeats)
		}
	}
	r.member(&s, lnSeats)
	r.turn(s.Time)
	r.judge(s.Time)
}

// tick is time that goes by.
func (r *reference) tick(now, seats int64) {
	if !r.heard {
		r.begin(now, float64(seats))
	}
	r.pass(now)
}

func (r *reference) begin(at int64, admitted float64) {
	r.heard = true
	r.refreshed, r.arrived, r.opened = at, at, at
	r.w.opened = at
	r.admitted = admitted
}

func (r *reference) pass(now int64) {
	if dt := now - r.refreshed; dt >= refreshEvery {
		r.refresh(now, dt)
	}
	r.turn(now)
}

func (r *reference) refresh(now, dt int64) {
	arrived, total := 0.0, 0.0
	keep := faded(dt, r.c.BidMemory)
	for b := range bands {
		arrived += r.counted[b]
		r.heat[b] = r.counted[b] + float64(r.heat[b]*keep) // (1)
		r.counted[b] = 0
		total += r.heat[b]
	}
	sum := 0.0
	for b := bands - 1; b >= 0; b-- {
		r.above[b], r.own[b] = sum, 0
		if r.heat[b] <= forgotten*total {
			r.heat[b] = 0
			continue
		}
		r.own[b] = r.heat[b] / total // (3)
		sum += r.own[b]
	}
	r.nobody = sum == 0
	perSecond := arrived / (float64(dt) / 1e9)
	r.rate += float64((1 - faded(dt, r.c.RateMemory)) * (perSecond - r.rate)) // (2)
	r.slow += float64((1 - faded(dt, r.c.SlowMemory)) * (perSecond - r.slow))
	forget := faded(dt, r.c.FailureMemory) // (5)
	r.all *= forget
	r.good *= forget
	if r.all > r.c.FailureCalls {
		share := r.c.FailureCalls / r.all
		r.all *= share
		r.good *= share
	}
	if r.admittedIn != nil {
		r.book(now)
	}
	r.thin = 0
	for rate := r.rate; rate > 4000 && r.thin < 1<<15; rate /= 2 {
		r.thin = 2*r.thin + 1
	}
	r.refreshed = now
	if arrived > 0 {
		r.arrived = now
	}
	if r.shed != r.shedThen {
		r.shedThen, r.shedAt = r.shed, now
	}
	r.judge(now)
}

// judge says what goes on.
func (r *reference) judge(now int64) {
	scar := r.scar(r.refreshed)
	switch {
	case scar > 0.9 || scar >= 0.5 && r.mode == physics.CircuitBreaker:
		r.mode = physics.CircuitBreaker
	case r.shedAt > 0 && now < r.shedAt+1e9:
		r.mode = physics.Shedding
	case r.judged > 0:
		r.mode = physics.Operational
	default:
		r.mode = physics.Bootstrap
	}
}

// wake is when the next tick is wanted: soon, while something may move with
// time alone.
func (r *reference) wake() time.Duration {
	able := boundless
	if r.knowsT {
		able = r.hold / vec.Exp1(r.lnT) * 1000
	}
	moving := r.rate > 0.3*able || r.scar(r.refreshed) > 0.01 || r.step != idle && r.steady
	if r.mode >= physics.Shedding || moving && r.refreshed < r.arrived+1e9 {
		return time.Duration(refreshEvery)
	}
	return 0
}

// turn closes the window and moves the cohort on, if that is due.
func (r *reference) turn(now int64) {
	w := &r.w
	age := time.Duration(now - w.opened)
	if age >= 100*time.Millisecond && w.sums.n >= 10 || w.all >= 50 || age >= time.Second {
		r.learn(now)
	}
	r.probe(now)
}

func (r *reference) learn(now int64) {
	w := r.w
	r.w = refWindow{opened: now, shed: r.shed}
	if w.held > 0 {
		mean := w.seatTime / w.held
		if r.busy == 0 {
			r.busy = mean
		}
		r.busy += float64(w.held / (w.held + 64) * (mean - r.busy))
	}
	if w.sums.n == 0 {
		return
	}
	mean := w.sums.ln / w.sums.n
	if !r.knowsT {
		r.knowsT, r.lnT = true, mean
	}
	r.lnT += float64(w.sums.n / (w.sums.n + 64) * (mean - r.lnT)) // (7)
	if !r.steady || r.step != idle {
		return
	}
	limited := r.shed != w.shed
	switch {
	case limited && w.sums.seats > 0: // (8)
		lnN := w.sums.lnSeats / w.sums.seats
		x := vec.Exp1(lnN+r.lnT0-r.lnT) * r.c.Knee
		r.limit = max(r.c.LeastLimit, float64(r.limit*math.Sqrt(clip(x/r.limit, 0.5, 1.25)))+w.good/w.all)
		r.hold = r.limit
		if now >= r.due || r.limit < fallen*r.lastLimit {
			r.dip(now, lnN, mean, tooMany(w.failed, w.all))
		}
	case !limited && w.failed <= 0.02*w.all && w.most < r.c.DipDepth*r.limit: // (9)
		r.far++
		gain := 1 - faded(now-w.opened, 5*time.Second)
		r.lnT0 += float64(gain * w.sums.n / (w.sums.n + 10) * clip(mean-r.lnT0, -1, 1))
	}
}

// dip begins one (10).
func (r *reference) dip(now int64, lnN, mean float64, fault bool) {
	theta := r.c.DipDepth
	r.step, r.hold, r.lastLimit, r.before, r.fault = settling, theta*r.limit, r.limit, [2]float64{lnN, mean}, fault
	depth := max(1-theta, 1-float64(r.hold*vec.Exp1(-lnN)))
	r.until = now + int64(clip(1.5*depth*1.5*vec.Exp1(r.lnT), 5, 500)*1e6)
}

// member adds s to the cohort if it is one of it.
func (r *reference) member(s *physics.Sample, lnSeats float64) {
	if r.step != open && r.step != closed {
		return
	}
	if s.Epoch != 0 && s.Epoch != r.own_ {
		return
	}
	if s.Epoch == 0 {
		if at := began(s); at < r.opened || r.step == closed && at > r.closed {
			return
		}
	}
	r.ended++
	if s.Outcome != physics.Ignored {
		r.broken += 1 - goodness(s)
	}
	if s.Outcome != physics.Ignored && succeeded(s) {
		r.done.add(s, lnSeats)
	}
}

func (r *reference) openCohort(now int64, want float64) {
	r.epoch++
	r.step, r.own_, r.opened, r.want = open, r.epoch, now, want
	r.admitted, r.ended, r.broken, r.done = 0, 0, 0, refSums{}
}

func (r *reference) probe(now int64) {
	overdue := now-r.closed >= patience
	switch {
	case r.step == idle && !r.steady:
		r.openCohort(now, min(64, math.Ceil(r.limit)))
	case r.step == settling && now >= r.until:
		r.openCohort(now, dipSize)
	case r.step == open && (r.admitted >= r.want || r.steady && now-r.opened >= dipAtMost):
		r.epoch++
		r.step, r.closed, r.hold = closed, now, r.limit
		r.want = r.admitted
	case r.step == closed && !r.steady && (r.ended >= 0.8*r.want || overdue):
		r.judgeStart(now, overdue)
	case r.step == closed && r.steady && (r.ended >= r.want || overdue):
		r.judgeDip(now)
	}
}

func (r *reference) judgeStart(now int64, overdue bool) { // (11)
	r.step = idle
	n, sum := r.done.n, r.done.ln
	if n == 0 {
		return
	}
	if missing := r.want - r.ended; missing > 0 && !overdue {
		age := (float64(now-r.closed) + float64(min(r.closed-r.opened, patience))/2) / 1e6
		n += missing
		sum += float64(missing * max(vec.Ln1(1.5*age), leastLn))
	}
	mean := sum / n
	lnN := vec.Ln1(r.limit)
	if r.done.seats > 0 {
		lnN = r.done.lnSeats / r.done.seats
	}
	r.judged++
	if r.n0 == 0 {
		r.lnT0, r.n0 = mean, min(n, 400)
	} else if mean-r.lnT0 > vec.Ln1(r.c.Congested)+float64(2*1.3*math.Sqrt(1/n+1/r.n0)) {
		knee := lnN + r.lnT0 - mean + vec.Ln1(r.c.Knee)
		r.limit = max(r.c.LeastLimit, vec.Exp1(float64(0.4*knee)+float64(0.6*lnN)))
		r.steady, r.gap = true, int64(r.c.DipEvery)
		r.dip(now, lnN, mean, tooMany(r.broken, r.ended))
		return
	} else if !tooMany(r.broken, r.ended) {
		r.n0 = min(r.n0+n, 400)
		r.lnT0 += float64(n / r.n0 * (mean - r.lnT0))
	}
	if vec.Exp1(lnN) > 0.6*r.limit {
		r.limit *= 2
		r.hold = r.limit
	}
}

func (r *reference) judgeDip(now int64) { // (10)
	r.step = idle
	moved := 0.0
	if n := r.done.n; n >= 5 {
		mean := r.done.ln / n
		off := mean - r.lnT0
		moved = float64(n / (n + 16) * math.Copysign(max(0, math.Abs(off)-0.85/math.Sqrt(n)), off))
		if off > 0 && r.done.seats > 0 {
			if fell := r.before[0] - r.done.lnSeats/r.done.seats; fell > farDip {
				moved *= 1 - clip((r.before[1]-mean)/fell, 0, 1)
				if r.fault || tooMany(r.broken, r.ended) {
					moved, r.gap = 0, 0 // not believed, and soon again
				}
			}
		}
		r.lnT0 += moved
		r.dips++
	}
	if math.Abs(moved) > 0.15 {
		r.gap /= 2
	} else {
		r.gap *= 2
	}
	r.gap = min(max(r.gap, int64(r.c.DipEvery)), int64(r.c.DipAtMost))
	r.due = now + r.gap
	r.w = refWindow{opened: now, shed: r.shed}
}

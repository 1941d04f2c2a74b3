package ohmic

import (
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/tuner"
	"github.com/atrion-io/atrion/vec"
)

// Name is the law's name in configuration, on the wire and in stored state.
const Name = "ohmic"

// Law is the law of one [Config]. It is immutable and safe for concurrent use.
type Law struct {
	cfg   Config
	lanes lanes
	watch tuner.DetectorConfig
	fresh State // of a route never seen
}

var _ physics.Law = (*Law)(nil)

// New returns the law of c; the error names every field outside its range.
func New(c Config) (*Law, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Floor = short(c.Floor)
	l := &Law{cfg: c, watch: tuner.DefaultDetector()}
	l.lanes, _ = newLanes(c.Lanes) // validated
	l.fresh = State{law: l, price: &blank, supply: supply{limit: c.StartLimit, hold: c.StartLimit}}
	l.fresh.fleet.per = 1
	l.fresh.probe.first(l.fresh.startSize())
	l.fresh.seal()
	return l, nil
}

// Name returns "ohmic".
func (l *Law) Name() string { return Name }

// Draws reports true: inside a band of voltages chance decides.
func (l *Law) Draws() bool { return true }

// NewState returns the state of a route never seen.
func (l *Law) NewState() physics.State {
	s := l.fresh
	return &s
}

var blank table

// State is one route under the law; see [physics.State] for its two lives.
type State struct {
	law    *Law
	demand *demand // nil until the first completion
	price  *table

	refreshed int64 // ns: the instant up to which price, rates and failures are
	arrived   int64 // ns: the last refresh that saw arrivals
	shedAt    int64 // ns: the last refresh that saw load rejections
	shed      uint32
	rate      float64 // lambda, 1/s (2)
	slow      float64 // lambda_slow, 1/s
	failing   bool    // r is not 0
	thin      uint32  // one arrival in thin+1 is counted, for all
	restored  bool    // from a provider, with nothing completed since
	mode      physics.Mode

	adrift   adrift
	failures failures
	fleet    fleet
	supply   supply
	window   window
	probe    probe
	watch    tuner.Detector // of latency, for people: it decides nothing
}

// refreshEvery is how long a price table serves.
const refreshEvery = int64(50 * time.Millisecond)

// Advance learns from the batch: the logarithms at once, the rest in order.
func (s *State) Advance(prev physics.State, b *physics.Batch) time.Duration {
	*s = *prev.(*State)
	n := b.N
	if s.demand == nil {
		s.begin(b)
	}
	if b.Nodes > 1 && s.probe.stage == slowStart && s.probe.judged == 0 {
		s.startAmong(b.Nodes)
	}
	s.fleet.cut = b.Cut
	if b.Peers != nil {
		s.meet(b, b.Time[0])
	}
	if n == 0 {
		s.pass(b.Time[0])
	} else {
		latency, seats := b.Scratch[:n], b.Scratch2[:n]
		vec.Ln(latency, b.Latency[:n])
		vec.Ln(seats, b.Inflight[:n])
		for i := range n {
			s.observe(b, i, latency[i], seats[i])
		}
	}
	s.seal()
	return s.wake()
}

// seal makes what decisions read follow from what was learned.
func (s *State) seal() {
	s.supply.seal(&s.law.cfg, 1/s.fleet.per, s.probe.stage == slowStart)
	s.pool()
	e := s.evidence()
	s.failing = e.excess(&s.law.cfg) > 0 || s.fleet.word > 0
}

// begin is the first completion: arrivals are counted from here on.
func (s *State) begin(b *physics.Batch) {
	s.demand = new(demand)
	t := b.Time[0]
	if l := b.Latency[0]; b.N > 0 && l > 0 && l < 1e6 {
		t -= int64(l * 1e6) // arrivals began when it did
	}
	if s.restored {
		s.failures.forget(fade(float64(max(t-s.refreshed, 0))/1e9, s.law.cfg.FailureMemory))
		s.restored = false
		if s.probe.step = idle; s.probe.stage == slowStart {
			s.openCohort(t, s.startSize())
		}
	}
	s.refreshed, s.arrived, s.window.opened, s.probe.opened = t, t, t, t
	s.demand.cohort(s.probe.own).Store(uint32(b.Seats) + uint32(b.N))
	if b.N > 0 && b.Epoch[0] == 0 {
		s.openCohort(t, s.startSize()) // who was admitted before, nobody knows
	}
}

// pass lets time go by up to t.
func (s *State) pass(t int64) {
	if t-s.refreshed >= refreshEvery {
		s.refresh(t)
	}
	s.turn(t)
}

// refresh makes the price table current and forgets (1, 2, 5).
func (s *State) refresh(t int64) {
	c, dt := &s.law.cfg, float64(t-s.refreshed)/1e9
	own := s.price
	if s.fleet.heat != nil {
		own = s.fleet.heat
	}
	own, n := own.next(s.demand, fade(dt, c.BidMemory))
	s.price, s.fleet.heat = own, nil
	s.fleet.flow += float64((1 - fade(dt, flowMemory)) * (n/dt - s.fleet.flow))
	s.rate += float64((1 - fade(dt, c.RateMemory)) * (n/dt - s.rate))
	s.slow += float64((1 - fade(dt, c.SlowMemory)) * (n/dt - s.slow))
	s.failures.forget(fade(dt, c.FailureMemory))
	if s.failures.all > c.FailureCalls {
		s.failures.forget(c.FailureCalls / s.failures.all)
	}
	if l, lent := s.demand.ledger, s.demand.lent.Load(); l != nil {
		s.adrift.out = l.enter(t, int32(lent-s.adrift.lent))
		l.lnSeats[l.upTo%slots] = vec.Ln1(max(s.adrift.out, 1))
		s.adrift.lent = lent
	}
	s.thin = 0
	for r := s.rate; r > 4000 && s.thin < 1<<15; r /= 2 {
		s.thin = 2*s.thin + 1
	}
	s.refreshed = t
	if n > 0 {
		s.arrived = t
	}
	if len(s.fleet.peers) > 0 {
		s.regroup(t)
		if s.fleet.live > 0 {
			s.price, s.fleet.heat = s.blend(own, t), own
		}
	}
	s.price.place(s.law.lanes)
	if shed := s.demand.shed.Load(); shed != s.shed {
		s.shed, s.shedAt = shed, t
	}
	s.judgeMode(t)
}

// fade is e^(-dt/memory), dt in seconds.
func fade(dt float64, memory time.Duration) float64 { return vec.Exp1(-dt / memory.Seconds()) }

// observe learns from sample i of b, whose logarithms of latency and of calls in
// flight are given.
func (s *State) observe(b *physics.Batch, i int, lnLatency, lnSeats float64) {
	t := b.Time[i]
	s.pass(t)
	outcome := b.Outcome[i]
	c := completion{start: t, epoch: b.Epoch[i], gone: outcome == physics.Ignored}
	if ms := b.Latency[i]; ms == ms {
		c.start, c.timed = t-int64(min(ms, 1e9)*1e6), true
		c.latency, c.lnLatency = ms, max(lnLatency, leastLn)
	}
	if n := b.Inflight[i]; n > 0 {
		c.counted, c.lnSeats, c.inflight = true, lnSeats, n
	}
	if !c.counted && c.epoch == 0 && !c.gone {
		s.report(t, &c)
	}
	c.lnSeats -= s.fleet.lnW
	c.inflight *= s.fleet.per
	if !outcome.Failed() {
		c.good = 1 - b.ErrorRate[i]
	}
	if !c.gone {
		s.failures.add(c.good)
		s.window.add(&c)
	}
	s.probe.add(&c)
	s.turn(t)
	s.judgeMode(t)
}

// leastLn is the logarithm of the least latency told apart, 1 us in ms.
const leastLn = -6.907755278982137

// completion is one sample as the parts of the law see it.
type completion struct {
	start              int64
	latency, lnLatency float64 // ms
	inflight, lnSeats  float64 // calls in flight at admission
	good               float64 // 1: succeeded; for a summary the share that did
	epoch              uint32
	timed, counted     bool // the latency, the calls in flight are known
	gone               bool // ended without saying anything about the callee
}

// works reports whether its latency is that of a call that succeeded.
func (c *completion) works() bool { return c.timed && c.good > 0.5 }

// turn closes what is due at t.
func (s *State) turn(t int64) {
	if !s.leads() {
		s.follow(t)
		return
	}
	if s.due(t) {
		s.learn(t)
	}
	s.advanceProbe(t)
}

// due reports whether the window, the fleet's if there is one, has seen enough.
func (s *State) due(t int64) bool {
	f := &s.fleet
	if f.live == 0 || t-s.window.opened < f.every {
		return f.live == 0 && s.window.due(t)
	}
	w := s.window
	w.merge(&f.pending)
	return w.due(t)
}

// wake asks for a tick while the price, a probe or a mode may move with time
// alone. A route far from its limit moves with its samples.
func (s *State) wake() time.Duration {
	busy := s.refreshed-s.arrived < int64(time.Second)
	near := s.rate*s.fleet.per > 0.3*s.supply.rate || s.failures.ratio(1, &s.law.cfg) > 0.01
	dips := s.probe.stage == steady && s.probe.under()
	if busy && (near || dips) || s.mode == physics.Shedding || s.mode == physics.CircuitBreaker {
		return time.Duration(refreshEvery)
	}
	return 0
}

// judgeMode reports what goes on, with hysteresis. It decides nothing.
func (s *State) judgeMode(t int64) {
	r := s.failures.ratio(1, &s.law.cfg)
	switch {
	case r > 0.9, s.mode == physics.CircuitBreaker && r >= 0.5:
		s.mode = physics.CircuitBreaker
	case t-s.shedAt < int64(time.Second) && s.shedAt > 0:
		s.mode = physics.Shedding
	case s.probe.judged == 0:
		s.mode = physics.Bootstrap
	default:
		s.mode = physics.Operational
	}
}

// Mode is the reported mode.
func (s *State) Mode() physics.Mode { return s.mode }

// Limit is L, and what is held of it: less in a dip.
func (s *State) Limit() (learned, held float64) { return s.supply.limit, s.supply.hold }

// Watched is the latency in ms as the detector sees it: its level now, its usual
// mean and deviation, and whether it has left its limits, which stand until then.
func (s *State) Watched() (level, mean, sigma float64, alarm bool) {
	d := &s.watch
	return d.Level(), d.Mean(), s.law.watch.Sigma(d), d.Alarm() != tuner.Calm
}

// Epoch is stamped on those admitted now, so that a probe knows its own.
func (s *State) Epoch() uint32 { return s.probe.epoch }

// Break returns 0: this law has no break point.
func (s *State) Break() float64 { return 0 }

func clip(x, low, high float64) float64 { return min(max(x, low), high) }

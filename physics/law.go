package physics

import "time"

// Terms are the parts of a resistance, in ohms. Their sum is the resistance:
// every decision reports them, so that "why?" always has an answer.
type Terms struct {
	Base     float64 // what a healthy route resists
	Pressure float64 // present stress
	Momentum float64 // how fast the stress is rising
	Scar     float64 // memory of failure, decayed to the moment of the decision
}

// Sum adds the terms in their fixed order: ((Base+Pressure)+Momentum)+Scar.
func (t Terms) Sum() float64 { return t.Base + t.Pressure + t.Momentum + t.Scar }

// Query is one request for a decision. Four words, so that it travels in
// registers: a decision is a few nanoseconds, and a copy through memory would
// cost more than the decision.
type Query struct {
	Voltage  float64 // volts the request bids; NaN or <= 0 never passes
	Now      int64   // ns, same clock as Sample.Time
	Inflight int64   // calls in flight on the route at this moment
	U        float64 // uniform in [0,1); 0 unless Law.Draws; Peek: see there
}

// Peek as a Query's U asks only to explain or to show: nobody drew. A law that
// draws takes U as one half.
const Peek = -1

// Ruling is the answer to a Query.
type Ruling struct {
	Allow      bool
	Reason     Reason
	Mode       Mode
	RetryAfter time.Duration // when asking again may help; 0: now, or unknown
}

// Verdict is a ruling with everything it rests on.
type Verdict struct {
	Ruling
	Terms      Terms
	Resistance float64 // ohms: Terms.Sum()
	Break      float64 // ohms at which the route trips; 0: the law has none
}

// Judge asks s and returns the answer in one value.
func Judge(s State, q Query) Verdict {
	r, t := s.Decide(q)
	return Verdict{Ruling: r, Terms: t, Resistance: t.Sum(), Break: s.Break()}
}

// Law is a control law: it makes route states, and the states do the rest. A
// Law is immutable and safe for concurrent use.
type Law interface {
	// Name is the law's name in configuration, on the wire and in stored state.
	Name() string
	// NewState returns the state of a route nothing is known about.
	NewState() State
	// Draws reports whether decisions of this law use Query.U and its states
	// are Markets. Engines skip both where they are not.
	Draws() bool
}

// State is everything one route knows under one law.
//
// A state has two lives. Until it is published, one actor may call Advance or
// ParseState on it, once. From then on it is immutable: any goroutine may call
// the other methods, without a lock, for as long as it likes. The actor makes
// the successor as a new State rather than changing the published one, so a
// panic in Advance loses a batch and nothing else.
type State interface {
	// Advance makes the receiver, fresh from NewState of the same law, the
	// successor of prev after the samples of b in order. It must give the
	// same bits however the samples are cut into batches, and allocates at
	// most what the successor holds. Times in b never run backwards, within it or against prev.
	//
	// wake > 0 asks the actor to call again after that time at the latest,
	// with an empty batch stamped b.Time[0] = now if no samples came, for laws
	// that act on time as well as on samples; such an Advance is a tick.
	Advance(prev State, b *Batch) (wake time.Duration)

	// Decide answers q: the request passes only if its voltage is above the
	// terms' sum. It neither blocks nor allocates.
	Decide(q Query) (Ruling, Terms)

	// Allow is the Allow of Decide's ruling, in less time.
	Allow(q Query) bool

	// Break is the resistance in ohms at which the route trips; 0 if the law
	// has no such thing.
	Break() float64

	// Mode is the reported mode as of the last sample.
	Mode() Mode

	// Settled reports whether at now the route may be forgotten: it is
	// healthy, and what it would lose is only what it would soon learn again.
	Settled(now int64) bool

	// Departs reports whether someone who holds saved, and lets it decay to
	// now, would be wrong about this route by more than the law's tolerance.
	// It is what decides when state is written to a provider.
	Departs(saved State, now int64) bool

	// AppendState appends the state's durable form to dst. Instants are
	// written as ages before now, so that clocks need not agree.
	AppendState(dst []byte, now int64) []byte

	// ParseState sets the receiver from AppendState's form. Wrong, truncated
	// or foreign bytes are an error, and the state must then be discarded.
	ParseState(src []byte, now int64) error
}

// Limited is a State that knows how many calls its route can take at a time.
type Limited interface {
	// Limit is that number as learned so far, and held now.
	Limit() (learned, held float64)
}

// Watched is a State that keeps an eye on its route's latency, for people.
type Watched interface {
	// Watched returns the level in ms now, what is usual, and whether the one
	// has left the limits of the other.
	Watched() (level, mean, sigma float64, alarm bool)
}

// Amendable is a State that can go on under another law of its kind.
type Amendable interface {
	State
	// Law is the law it is under.
	Law() Law
	// Amended is the same route under l, with all that was learned: its own
	// state is left as it was. ok is false if l is of another kind.
	Amended(l Law) (s State, ok bool)
}

// Market is a State under a law that weighs demand against supply: it must
// know of every request, also of those that are turned away.
type Market interface {
	State
	// Note books the request q, decided by this state. Once a request, and not
	// for those who only peek. seated says that an admitted one is among the
	// calls in flight that queries count; one that is not is in flight all the
	// same, and its end is known from samples only. Safe for concurrent use; it neither blocks nor
	// allocates, but for a counter the first time somebody bids in that range.
	Note(q Query, admitted, seated bool)
	// Epoch goes into the Sample of every request admitted by this state, so
	// that a measurement can tell its own requests from others. Never 0 once
	// a state has advanced.
	Epoch() uint32
}

// Shared is a State of a law under which the nodes of a fleet tell each other
// what they know of a route. Each tells only what it saw itself, in quantities
// that add; what follows from the sum, every node works out alone.
type Shared interface {
	State
	// AppendShare appends what others need of the state, beside its durable
	// form. Instants are written as ages, or as times to go, seen from now.
	AppendShare(dst []byte, now int64) []byte
	// ParseShare completes a state that ParseState has set, or one fresh from
	// NewState, from AppendShare's form.
	ParseShare(src []byte, now int64) error
	// Strays returns by how much others are wrong who hold told and let time
	// go by in it up to now, in units of the law's tolerance: above 1 they
	// should be told. The larger, the sooner.
	Strays(told State, now int64) float64
}

// Fellow is a State that knows what its node is to the fleet.
type Fellow interface {
	// Fleet returns how many other nodes are heard, which share of the route's
	// limit is this node's, and whether it is the one that learns.
	Fleet() (heard int, share float64, learns bool)
}

// Peer is what another node last said of a route.
type Peer struct {
	Rank  uint64 // orders the nodes of a fleet, for each route differently
	State State  // as of Heard, on this node's clock
	Heard int64  // ns
}

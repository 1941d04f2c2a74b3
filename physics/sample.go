package physics

// Outcome says how a guarded call ended.
type Outcome uint8

const (
	// OK: the call succeeded.
	OK Outcome = iota
	// Error: the callee failed.
	Error
	// Timeout: the callee did not answer in time.
	Timeout
	// Dropped: the callee refused the call to protect itself.
	Dropped
	// Ignored: the call says nothing about the callee (its caller gave up);
	// a law must not learn from it.
	Ignored

	outcomes
)

var outcomeNames = [outcomes]string{"ok", "error", "timeout", "dropped", "ignored"}

// String returns the outcome's name as it stands on the wire.
func (o Outcome) String() string {
	if o < outcomes {
		return outcomeNames[o]
	}
	return "unknown"
}

// Failed reports whether the call failed because of the callee.
func (o Outcome) Failed() bool { return o == Error || o == Timeout || o == Dropped }

// ParseOutcome is the inverse of String; ok is false for any other text.
func ParseOutcome(s string) (o Outcome, ok bool) {
	for i, name := range outcomeNames {
		if name == s {
			return Outcome(i), true
		}
	}
	return 0, false
}

// Sample is one observation of a route. Values are validated before they
// become samples: a law may assume the ranges below.
type Sample struct {
	Time       int64   // ns on the engine's clock: when it was observed
	Latency    float64 // ms, >= 0; NaN: not given
	ErrorRate  float64 // fraction in [0,1]; a single call is 0 or 1
	Saturation float64 // fraction in [0,1] of the callee's capacity in use
	Voltage    float64 // volts the call was admitted with; 0: unknown
	Inflight   float64 // calls in flight when it was admitted; 0: unknown
	Outcome    Outcome
	Epoch      uint32 // of the state that admitted it, see Market; 0: unknown
}

// MaxBatch is the most samples one batch holds. Kernels cannot be preempted,
// so this bounds how long one call can delay the scheduler (about 10 us).
const MaxBatch = 1024

// Batch is samples of one route in arrival order, as a struct of arrays: the
// form in which the vec kernels read them. The first N entries are valid; the
// arrays have capacity for MaxBatch. Not safe for concurrent use. Make one
// with NewBatch.
type Batch struct {
	N          int
	Seats      int64 // calls in flight when the batch was taken
	Time       []int64
	Latency    []float64
	ErrorRate  []float64
	Saturation []float64
	Voltage    []float64
	Inflight   []float64
	Outcome    []Outcome
	Epoch      []uint32

	// What other nodes last said of the route, if any of them said something
	// since the last batch; see Shared. Rank is this node's own, Every the
	// least time between two things that a node says of a route, ns.
	Peers []Peer
	Rank  uint64
	Every int64

	// Cut says that this node cannot reach the others: silence is then its own.
	Cut bool

	// Nodes is how many nodes there are that may use the route, this one
	// included, at the first Advance of a route that is new here; else 0.
	Nodes int

	// Scratch and Scratch2 are room for the law, a number a sample each: what it
	// works out per sample would not fit on an actor's small stack. They hold
	// nothing between calls.
	Scratch, Scratch2 []float64
}

// NewBatch returns an empty batch with room for MaxBatch samples.
func NewBatch() *Batch {
	// One backing array rather than scattered ones.
	f := make([]float64, 7*MaxBatch)
	part := func(i int) []float64 { return f[i*MaxBatch : (i+1)*MaxBatch : (i+1)*MaxBatch] }
	return &Batch{
		Time:       make([]int64, MaxBatch),
		Latency:    part(0),
		ErrorRate:  part(1),
		Saturation: part(2),
		Voltage:    part(3),
		Inflight:   part(4),
		Scratch:    part(5),
		Scratch2:   part(6),
		Epoch:      make([]uint32, MaxBatch),
		Outcome:    make([]Outcome, MaxBatch),
	}
}

// Add appends s and reports whether there was room.
func (b *Batch) Add(s *Sample) bool {
	i := b.N
	if i >= MaxBatch {
		return false
	}
	b.Time[i] = s.Time
	b.Latency[i] = s.Latency
	b.ErrorRate[i] = s.ErrorRate
	b.Saturation[i] = s.Saturation
	b.Voltage[i] = s.Voltage
	b.Inflight[i] = s.Inflight
	b.Outcome[i] = s.Outcome
	b.Epoch[i] = s.Epoch
	b.N = i + 1
	return true
}

// Reset empties the batch.
func (b *Batch) Reset() { b.N, b.Seats, b.Peers, b.Nodes, b.Cut = 0, 0, nil, 0, false }

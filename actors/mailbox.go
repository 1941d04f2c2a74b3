package actors

import (
	"sync"

	"github.com/atrion-io/atrion/physics"
)

// chunkSize keeps a chunk, and so the mailbox of a route with little traffic,
// under 2 KiB.
const chunkSize = 32

// chunk is a link of a mailbox. Chunks are pooled: an empty mailbox holds none.
type chunk struct {
	next    *chunk
	n       int
	samples [chunkSize]physics.Sample
}

// mailbox is a bounded queue of samples with many producers and one consumer,
// the route's actor. The lock is held for a copy of one sample; decisions
// never take it.
type mailbox struct {
	mu      sync.Mutex
	head    *chunk
	tail    *chunk
	wake    chan struct{}   // set while the actor lingers
	count   int32           // samples waiting
	eager   bool            // it lingers for the law's tick: a sample must rouse it
	failing bool            // it backs off after a failure: asking it is no use
	running bool            // an actor goroutine exists
	retired bool            // the route was evicted or the system closed
	asks    []chan struct{} // to signal when the batch that is taken next is published
}

// put appends s, observed shift ns later than it says. The caller holds mu.
func (m *mailbox) put(s *physics.Sample, shift int64, chunks *sync.Pool) {
	t := m.tail
	if t == nil || t.n == chunkSize {
		c := chunks.Get().(*chunk)
		c.n, c.next = 0, nil
		if t == nil {
			m.head = c
		} else {
			t.next = c
		}
		m.tail, t = c, c
	}
	// Field by field: the sample was written a moment ago, and a copy in wider
	// pieces than it was written in stalls the processor.
	d := &t.samples[t.n]
	d.Time, d.Latency, d.ErrorRate, d.Saturation = s.Time+shift, s.Latency, s.ErrorRate, s.Saturation
	d.Voltage, d.Inflight, d.Outcome, d.Epoch = s.Voltage, s.Inflight, s.Outcome, s.Epoch
	t.n++
	m.count++
}

// signal sends on a channel with room for one. It never blocks: what is there
// already says the same. A nil channel is nobody.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take empties the mailbox. The caller holds mu.
func (m *mailbox) take() (list *chunk, asks []chan struct{}) {
	list, asks = m.head, m.asks
	m.head, m.tail, m.asks, m.count = nil, nil, nil, 0
	return list, asks
}

// rouse returns the channel to signal so that a lingering actor runs now, or
// nil if it does not linger. The caller holds mu and signals after releasing
// it.
func (m *mailbox) rouse() chan struct{} {
	w := m.wake
	m.wake = nil
	return w
}

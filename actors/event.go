package actors

import (
	"sync"
	"sync/atomic"

	"github.com/atrion-io/atrion/physics"
)

// EventKind says what an event tells.
type EventKind uint8

const (
	// Transition: a route changed its mode.
	Transition EventKind = iota
	// DeadLetter: samples were lost (mailbox full, a panic, closed system).
	DeadLetter
	// Restart: an actor panicked and was restarted.
	Restart
	// Faulty: a route failed too often in a row and now fails open or closed.
	Faulty
	// Evicted: a route was passivated.
	Evicted
	// Refused: a new route was refused because nothing could give way.
	Refused
	// Reclaimed: seats were taken back from permits that were never ended.
	Reclaimed
	// Banned: a rule has banned a caller, or could not.
	Banned

	eventKinds
)

var eventNames = [eventKinds]string{"transition", "dead_letter", "restart", "faulty", "evicted", "refused", "reclaimed", "banned"}

// String returns the kind's name as it stands on the wire.
func (k EventKind) String() string {
	if k < eventKinds {
		return eventNames[k]
	}
	return "unknown"
}

// Event is something an operator may want to know about a route.
type Event struct {
	Kind       EventKind
	Route      string
	Time       int64        // ns on the system's clock
	From, To   physics.Mode // of a Transition
	Resistance float64      // ohms at the time of a Transition
	Lost       int          // samples lost with a DeadLetter or Restart; 1: a caller that should be Banned is not
	Cause      string       // why, in words
}

// stream hands events to subscribers. Publishing never blocks.
type stream struct {
	mu   sync.Mutex
	subs atomic.Pointer[[]*Subscription] // copy on write
}

// Subscription receives events until closed. Its methods are safe for
// concurrent use.
type Subscription struct {
	events  chan Event
	dropped atomic.Uint64
	stream  *stream
}

// C delivers the events. It is never closed: select on it beside your own end.
func (s *Subscription) C() <-chan Event { return s.events }

// Dropped counts the events this subscriber was too slow for.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.stream.mu.Lock()
	defer s.stream.mu.Unlock()
	var rest []*Subscription
	for _, o := range s.stream.load() {
		if o != s {
			rest = append(rest, o)
		}
	}
	s.stream.subs.Store(&rest)
}

func (e *stream) load() []*Subscription {
	if p := e.subs.Load(); p != nil {
		return *p
	}
	return nil
}

func (e *stream) subscribe(buffer int) *Subscription {
	s := &Subscription{events: make(chan Event, max(buffer, 1)), stream: e}
	e.mu.Lock()
	defer e.mu.Unlock()
	all := append(append([]*Subscription(nil), e.load()...), s)
	e.subs.Store(&all)
	return s
}

// publish offers ev to every subscriber and drops it for those whose buffer is
// full: the route does not wait for whoever watches it.
func (e *stream) publish(ev Event) {
	for _, s := range e.load() {
		select {
		case s.events <- ev:
		default:
			s.dropped.Add(1)
		}
	}
}

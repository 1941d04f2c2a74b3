package providers

// Watcher delivers the state of the entries a filter selects, and keeps
// delivering it as it changes. It is safe for concurrent use.
//
// The order is: every entry live when Watch was called (as it is by the time
// it is delivered), one [Synced], then changes. A provider that cannot reach
// its storage delivers what it knows, and Synced when it has caught up.
//
// What is promised is state, not history. The final value of every key is
// delivered at least once; values in between may be skipped, and a value may
// come twice. A consumer that does not read holds nothing up and costs at most
// one pending event per key that it was told of and one per live key: newer
// values replace the pending ones in place. A key that came and went unread is
// not mentioned at all.
//
// Lost connections do not end a watcher: it goes on when the storage is back.
type Watcher interface {
	// Events is the channel of events; always the same one. It is closed when
	// the watcher has ended.
	Events() <-chan Event

	// Err says why Events was closed: the context's error, [ErrClosed], or nil
	// after Stop. It is nil as long as the watcher lives.
	Err() error

	// Stop ends the watcher without waiting; Events is closed soon after, and
	// an event may still be on its way. It may be called again.
	Stop()
}

// Direct is a Provider that can call who watches it instead of sending to a
// channel, for those who run on a clock of their own, as simulations do. The
// calls are made one after the other, with all that a [Watcher] delivers.
type Direct interface {
	Provider
	Direct(call func(Event))
}

// Event is one delivery of a [Watcher].
type Event struct {
	Kind  EventKind
	Entry Entry // for Changed; zero otherwise
}

// EventKind says what an [Event] tells.
type EventKind uint8

const (
	// Changed: Entry is the present state of its key (gone, where
	// Entry.Deleted).
	Changed EventKind = iota

	// Synced: everything that was stored when the watch began, or when the
	// last Reset was noticed, has been delivered. It comes once at the start
	// and once after each Reset.
	Synced

	// Reset: the storage was lost and made anew (a memory bucket whose server
	// restarted, a wiped or damaged store). Revisions seen before mean nothing
	// now, and the consumer should write its own entries again: nobody else
	// can. What has survived is delivered again, what has not as Deleted, then
	// Synced. Their owners will write those again too, so a consumer that keeps
	// decaying estimates of its peers may disregard a Deleted that comes
	// between Reset and Synced.
	Reset

	eventKinds
)

var eventKindNames = [eventKinds]string{"changed", "synced", "reset"}

// String returns the kind's name.
func (k EventKind) String() string {
	if k < eventKinds {
		return eventKindNames[k]
	}
	return "unknown"
}

package providers

import (
	"context"
	"iter"
	"time"
)

// Provider keeps one value per [Key]. It is safe for concurrent use.
//
// All methods that take a context return its error if it is done before they
// begin, and return soon after it is done later. They are bounded without one
// as well: a provider whose storage is out of reach returns [ErrUnavailable]
// within a time that its configuration states. After Close they return
// [ErrClosed]. Keys and filters are validated first ([ErrInvalidKey]).
type Provider interface {
	// Get returns the live entry of key, or [ErrNotFound].
	Get(ctx context.Context, key Key) (Entry, error)

	// Put stores value under key and returns the revision it got. The last
	// write wins; a key has one writer, which must not call Put for the same
	// key twice at a time if it cares which is last. Values over the
	// provider's limit are [ErrTooLarge]; a provider that is full, and does
	// not make room by eviction, returns [ErrFull].
	//
	// After [ErrUnavailable], or the context's error, the value may or may not
	// have been stored: write again. After nil, Get on the same provider
	// returns this value or a later one.
	Put(ctx context.Context, key Key, value []byte) (revision uint64, err error)

	// Delete removes key. Removing what is not there is no error.
	Delete(ctx context.Context, key Key) error

	// List yields the live entries that match, in no particular order, as they
	// were at one moment. An error is yielded last, with a zero Entry.
	List(ctx context.Context, filter Filter) iter.Seq2[Entry, error]

	// Watch follows the entries that match: first all live ones, then a
	// [Synced] event, then changes. See [Watcher] for what is promised.
	// ctx bounds the watcher's whole life.
	Watch(ctx context.Context, filter Filter) (Watcher, error)

	// Status reports the provider's condition without any I/O.
	Status() Status

	// Close ends all watchers and frees what the provider holds. What it was
	// given (a connection) is left open. Calling it again returns nil.
	Close(ctx context.Context) error
}

// Key names a value: the contribution of one node to one route.
type Key struct {
	Route string // 1..256 bytes, no control bytes
	Node  string // 1..64 bytes, no control bytes
}

// Limits on the parts of a key, and the default limit on a value, in bytes.
const (
	MaxRoute        = 256
	MaxNode         = 64
	DefaultMaxValue = 1024
)

// Validate returns nil, or a [*KeyError] that names the first wrong field.
func (k Key) Validate() error {
	if err := validateName("route", k.Route, MaxRoute); err != nil {
		return err
	}
	return validateName("node", k.Node, MaxNode)
}

// Filter selects entries. The zero value selects all.
type Filter struct {
	Route string // "" selects every route
	Node  string // "" selects every node
}

// Match reports whether the filter selects k.
func (f Filter) Match(k Key) bool {
	return (f.Route == "" || f.Route == k.Route) && (f.Node == "" || f.Node == k.Node)
}

// Validate returns nil, or a [*KeyError] that names the first wrong field.
func (f Filter) Validate() error {
	if f.Route != "" {
		if err := validateName("route", f.Route, MaxRoute); err != nil {
			return err
		}
	}
	if f.Node != "" {
		return validateName("node", f.Node, MaxNode)
	}
	return nil
}

// Entry is a stored value and what the provider knows of it.
type Entry struct {
	Key   Key
	Value []byte // nil where Deleted

	// Revision grows with every write to the provider, so of two entries of
	// one key the higher is newer. It is not a durable clock: a provider that
	// lost its storage may begin again at 1, which watchers learn as [Reset].
	Revision uint64

	// Time is when the value was written, by the provider's clock. It may step
	// back, and differs from the reader's: use it for rough ages only.
	Time time.Time

	// Age is how long ago that was when the entry was delivered, by one clock at
	// both ends: the provider's, or the reader's own since it heard of it.
	Age time.Duration

	// Deleted is set in watch events only: the key was deleted, expired or was
	// evicted.
	Deleted bool
}

// Status is a provider's condition at one moment.
type Status struct {
	// Ready: reads are complete and writes are expected to succeed.
	Ready bool
	// Degraded says in one line why not; empty where Ready.
	Degraded string
	// Entries is the number of live entries known here, at most MaxEntries.
	Entries    int
	MaxEntries int
	// Evictions counts entries dropped to make room, since the provider was
	// made. A provider that refuses instead counts refused writes in Refused.
	Evictions uint64
	Refused   uint64
	// Resets counts losses of the storage seen so far (see [Reset]).
	Resets uint64
	// Revision is the highest revision seen since the last Reset.
	Revision uint64
	// Watchers is the number of live watchers.
	Watchers int
}

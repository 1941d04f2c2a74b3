package control

import (
	"context"
	"time"
)

// Store keeps what operators say. Its methods are safe for concurrent use; their
// errors are ErrUnavailable unless they say otherwise.
type Store interface {
	// Follow tells f what the store holds, and from then on what changes. It is
	// called once; it does not wait for what it cannot reach.
	Follow(f Follower)

	// Newest returns the newest document. ErrNotFound: there was never one.
	Newest(ctx context.Context) (Record, error)
	// History returns the documents that are kept, at most MaxHistory, newest
	// first.
	History(ctx context.Context) ([]Record, error)
	// Write writes a document if the newest is that of revision last (0: there
	// is none), else ErrConflict. The revision of the record is what it returns.
	Write(ctx context.Context, r Record, last uint64) (uint64, error)

	// Put writes a value that lives for ttl under key, Delete takes it away.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Delete(ctx context.Context, key string) error

	// Degraded says what does not work; "" if everything does.
	Degraded() string
	// Close ends Follow. What the store is made of stays the caller's.
	Close(ctx context.Context) error
}

// MaxHistory is how many documents a store keeps.
const MaxHistory = 64

// configKey is that of the document.
const configKey = "config"

// Follower is told what a store holds. Calls come one at a time. What it is told
// may be what it knows already.
type Follower interface {
	// Began: what the store holds follows. lost says that it may be another
	// store than before: what is not in it was not taken away by anybody.
	Began(lost bool)
	// Found: the store holds value under key, written that long ago.
	Found(key string, value []byte, revision uint64, age time.Duration)
	// Gone: key was deleted or has expired.
	Gone(key string)
	// Current: all that the store held when it began was told.
	Current()
}

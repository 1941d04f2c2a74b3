// Package meter counts what identities do, against a rate each may have, in
// memory that is fixed whatever they are and however many.
package meter

import "sync/atomic"

// Meter is a table of leaky buckets, each a theoretical arrival time: the
// instant at which all that an identity did so far would be paid for at its
// rate. A bucket whose time has passed remembers nothing, so that forgetting it
// loses nothing; among those that have not, the one that would soonest be
// forgotten gives way. Then, and when two goroutines meet in a bucket for the
// first time, an identity may be granted more than its rate, never less.
//
// It is safe for concurrent use, takes no lock and allocates nothing.
type Meter struct {
	mask  uint64
	slots []slot
}

type slot struct {
	key  atomic.Uint64
	paid atomic.Int64 // ns: the theoretical arrival time
}

const ways = 4 // slots that a key may be in

// New returns a meter for about that many identities at a time, at least 4, in
// 16 bytes each, rounded up to a power of two.
func New(identities int) *Meter {
	n := ways
	for n < identities {
		n *= 2
	}
	return &Meter{mask: uint64(n/ways - 1), slots: make([]slot, n)}
}

// Len is how many identities it holds at most.
func (m *Meter) Len() int { return len(m.slots) }

// Take books one event of the identity whose hash is key, at instant now, if
// with it there are no more than burst events that are not paid for yet at one
// every so many ns. It reports whether there are not.
func (m *Meter) Take(key uint64, now, every int64, burst int) bool {
	s := m.slot(key, now)
	for {
		was := s.paid.Load()
		from := max(was, now)
		if from-now > int64(burst-1)*every {
			return false
		}
		if s.paid.CompareAndSwap(was, from+every) {
			return true
		}
	}
}

// slot is that of the key, taken from another if the key had none.
func (m *Meter) slot(key uint64, now int64) *slot {
	key |= 1 // 0 is an empty slot
	set := m.slots[(key>>8&m.mask)*ways:][:ways]
	spare := &set[0]
	for i := range set {
		if set[i].key.Load() == key {
			return &set[i]
		}
		if set[i].paid.Load() < spare.paid.Load() {
			spare = &set[i]
		}
	}
	spare.paid.Store(now)
	spare.key.Store(key)
	return spare
}

package table

import (
	"time"

	"github.com/atrion-io/atrion/providers"
)

// BeginSync says that the storage will now report all it holds, about n
// entries: growing to a million of them step by step would take as long as
// reading them. With reset it
// is not the storage it was: revisions seen so far mean nothing, watchers are
// told, and whatever comes is news.
func (t *Table) BeginSync(reset bool, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gen++
	t.overflow = false
	if len(t.nodes) == 0 {
		hint := int(min(n, uint64(t.max)))
		t.nodes = make(map[providers.Key]*node, hint)
		t.routes = make(map[string]*node, hint/2) // some routes have several nodes
	}
	if !reset {
		return
	}
	t.resetting = true
	t.epoch++
	t.rev = 0
	clear(t.tombs)
	for w := range t.watchers {
		w.reset()
	}
}

// EndSync says that all has been reported: what was not is gone. seq is a
// revision up to which the report was complete.
func (t *Table) EndSync(seq uint64, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.nodes {
		if n.gen != t.gen {
			t.drop(n, n.rec.Revision, now)
		}
	}
	for key, rev := range t.tombs {
		if rev <= seq {
			delete(t.tombs, key)
		}
	}
	t.synced, t.resetting = true, false
	for w := range t.watchers {
		if w.owed {
			w.owed = false
			w.mark(providers.Synced)
		}
	}
}

// Apply takes an entry as the storage reported it; its key and value become the
// table's. Reports may repeat and may lag behind ApplyOwn: an older revision
// changes nothing.
func (t *Table) Apply(e providers.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if rev, ok := t.tombs[e.Key]; ok {
		if e.Revision < rev {
			return // a value we deleted since
		}
		delete(t.tombs, e.Key)
	}
	n := t.nodes[e.Key]
	if n != nil && e.Revision == n.rec.Revision && !t.unconfirmed(n) && !e.Deleted {
		// The echo of our own write, which knows the storage's time for it.
		n.rec, n.gen = &record{e, n.rec.at}, t.gen
		return
	}
	t.apply(e, n)
}

// ApplyOwn takes an entry this process wrote and got acknowledged, so that it
// can be read before the storage reports it. epoch is Epoch from before the
// write. suspect means that the revision runs backwards against what is known:
// either a later write overtook it, or the storage began anew.
func (t *Table) ApplyOwn(epoch uint64, e providers.Entry) (suspect bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if epoch != t.epoch || t.closed {
		return false // from before a reset: the revision means nothing now
	}
	n := t.nodes[e.Key]
	if n != nil && !t.unconfirmed(n) && e.Revision < n.rec.Revision {
		return true
	}
	if n == nil {
		e.Key = cloneKey(e.Key)
	}
	if e.Deleted && len(t.tombs) < maxTombs {
		t.tombs[e.Key] = e.Revision
	} else if rev, ok := t.tombs[e.Key]; ok && rev < e.Revision {
		delete(t.tombs, e.Key)
	}
	t.apply(e, n)
	return false
}

// apply takes e; n is the node of its key, if there is one.
func (t *Table) apply(e providers.Entry, n *node) {
	if t.closed {
		return
	}
	t.rev = max(t.rev, e.Revision)
	if n != nil && !t.unconfirmed(n) && e.Revision <= n.rec.Revision {
		if e.Revision == n.rec.Revision {
			n.gen = t.gen
		}
		return
	}
	switch {
	case e.Deleted:
		if n != nil {
			t.drop(n, e.Revision, e.Time)
		}
	case n == nil && len(t.nodes) >= t.max:
		// A mirror must not evict: it would forget what is still stored. It
		// stops taking on keys instead, and says so.
		t.overflow = true
	default:
		t.set(e, n)
	}
}

// unconfirmed reports whether n is from before a reset and has not been heard
// of since, so that any revision is newer.
func (t *Table) unconfirmed(n *node) bool { return t.resetting && n.gen != t.gen }

// Epoch is the number of resets so far.
func (t *Table) Epoch() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.epoch
}

// Lookup is Get for mirrors. complete says that an entry which is not found
// does not exist in the storage either.
func (t *Table) Lookup(key providers.Key) (e providers.Entry, found, complete bool) {
	t.mu.Lock()
	complete = t.synced && !t.overflow
	n := t.nodes[key]
	if n == nil {
		t.mu.Unlock()
		return providers.Entry{}, false, complete
	}
	rec := n.rec
	t.mu.Unlock()
	return rec.copy(), true, complete
}

// Synced reports whether the table has held all of the storage at least once.
func (t *Table) Synced() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.synced
}

// Overflow reports whether the storage holds more keys than the table.
func (t *Table) Overflow() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.overflow
}

// Room reports whether a write of key would fit.
func (t *Table) Room(key providers.Key) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.nodes) < t.max || t.nodes[key] != nil
}

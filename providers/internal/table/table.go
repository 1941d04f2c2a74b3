// Package table is what providers have in common: live entries by key, least
// recently used first out, and watchers that follow them. The memory provider
// is a table and little else; natskv keeps one as the mirror of its bucket.
package table

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/atrion-io/atrion/providers"
)

// maxTombs bounds the memory of own deletions that the storage has not echoed
// yet. Beyond it a late echo of an older value may show for a moment.
const maxTombs = 1 << 16

// A record is an entry that never changes once it is in a table, so it can be
// read, and its value copied, without the lock.
type record struct {
	providers.Entry
	at int64 // ns on the monotonic clock: when it was written, as far as is known
}

func newRecord(e providers.Entry) *record { return &record{e, monotonic() - int64(e.Age)} }

// origin of monotonic, far enough back that ages before the process are positive.
var origin = time.Now()

func monotonic() int64 { return int64(time.Since(origin)) }

func (r *record) copy() providers.Entry {
	e := r.Entry
	e.Age = time.Duration(max(monotonic()-r.at, 0))
	if !e.Deleted {
		e.Value = append(make([]byte, 0, len(r.Value)), r.Value...)
	}
	return e
}

type node struct {
	rec        *record
	prev, next *node  // recency ring, most recent after root
	peer       *node  // next node of the same route; not a ring
	gen        uint32 // the sync that last confirmed it
}

// Table holds at most max entries. It is safe for concurrent use. Make one
// with New.
//
// A table is fed in one of two ways. The memory provider owns its revisions
// and calls Put and Remove. A mirror calls BeginSync, Apply for everything its
// storage reports, EndSync when that was everything, and then Apply for
// changes; ApplyOwn lets its own acknowledged writes be read at once.
type Table struct {
	mu       sync.Mutex
	max      int
	nodes    map[providers.Key]*node
	routes   map[string]*node // first of a route's nodes: a route is listed without a sweep
	root     node
	watchers map[*watcher]struct{}
	closed   bool

	rev       uint64 // highest seen in this epoch
	evictions uint64

	// Mirrors only.
	gen       uint32
	synced    bool
	resetting bool   // a reset was announced and no sync has ended since
	epoch     uint64 // resets seen
	overflow  bool   // the storage holds more than max keys
	tombs     map[providers.Key]uint64
}

// New returns an empty table. synced says that it is complete from the start,
// as it is where the table itself is the storage.
func New(max int, synced bool) *Table {
	t := &Table{
		max:      max,
		nodes:    make(map[providers.Key]*node),
		routes:   make(map[string]*node),
		watchers: make(map[*watcher]struct{}),
		tombs:    make(map[providers.Key]uint64),
		synced:   synced,
	}
	t.root.prev, t.root.next = &t.root, &t.root
	return t
}

// Get returns a copy of the live entry of key and makes it the most recently
// used.
func (t *Table) Get(key providers.Key) (providers.Entry, bool) {
	t.mu.Lock()
	n := t.nodes[key]
	if n == nil {
		t.mu.Unlock()
		return providers.Entry{}, false
	}
	t.touch(n)
	rec := n.rec
	t.mu.Unlock()
	return rec.copy(), true
}

// Put stores value, which becomes the table's, under the next revision. It
// makes room by dropping the least recently used entry. ok is false if the
// table is closed.
func (t *Table) Put(key providers.Key, value []byte, now time.Time) (rev uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return 0, false
	}
	n := t.nodes[key]
	if n == nil {
		key = cloneKey(key)
		if len(t.nodes) >= t.max {
			t.evictions++
			t.rev++
			t.drop(t.root.prev, t.rev, now)
		}
	}
	t.rev++
	t.set(providers.Entry{Key: key, Value: value, Revision: t.rev, Time: now}, n)
	return t.rev, true
}

// Remove deletes key, if it is there. ok is false if the table is closed.
func (t *Table) Remove(key providers.Key, now time.Time) (ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.nodes[key]; n != nil && !t.closed {
		t.rev++
		t.drop(n, t.rev, now)
	}
	return !t.closed
}

// Snapshot is the matching entries at one moment.
type Snapshot struct {
	recs     []*record
	Overflow bool // the storage has more than the table could hold
}

// Each yields copies of the entries until ctx is done, whose error it yields
// last, or yield has enough. It reports whether it got to the end.
func (s *Snapshot) Each(ctx context.Context, yield func(providers.Entry, error) bool) bool {
	for i, rec := range s.recs {
		if i%256 == 0 && ctx.Err() != nil {
			yield(providers.Entry{}, ctx.Err())
			return false
		}
		if !yield(rec.copy(), nil) {
			return false
		}
	}
	return true
}

// Snapshot returns the matching entries without touching their recency: a sweep
// says nothing about which entries are in use.
func (t *Table) Snapshot(f providers.Filter) *Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &Snapshot{recs: t.match(f), Overflow: t.overflow}
}

func (t *Table) match(f providers.Filter) []*record {
	if f.Route != "" && f.Node != "" {
		if n := t.nodes[providers.Key(f)]; n != nil {
			return []*record{n.rec}
		}
		return nil
	}
	var recs []*record
	if f.Route != "" {
		for n := t.routes[f.Route]; n != nil; n = n.peer {
			recs = append(recs, n.rec)
		}
		return recs
	}
	if f.Node == "" {
		recs = make([]*record, 0, len(t.nodes))
	}
	for key, n := range t.nodes {
		if f.Match(key) {
			recs = append(recs, n.rec)
		}
	}
	return recs
}

// Watch starts a watcher that lives as long as ctx.
func (t *Table) Watch(ctx context.Context, f providers.Filter) (providers.Watcher, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, providers.ErrClosed
	}
	w := &watcher{
		table:    t,
		filter:   f,
		snapshot: t.match(f),
		pending:  make(map[providers.Key]*item),
		events:   make(chan providers.Event, eventBuffer),
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	w.list.prev, w.list.next = &w.list, &w.list
	if t.synced && !t.resetting {
		w.mark(providers.Synced)
	} else {
		w.owed = true
	}
	t.watchers[w] = struct{}{}
	go w.run(ctx)
	return w, nil
}

// Close ends all watchers with ErrClosed and drops all entries.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for w := range t.watchers {
		w.end(providers.ErrClosed)
	}
	clear(t.nodes)
	clear(t.routes)
	clear(t.tombs)
	t.root.prev, t.root.next = &t.root, &t.root
}

// Closed reports whether Close was called.
func (t *Table) Closed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

// Status fills in what the table knows.
func (t *Table) Status() providers.Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	return providers.Status{
		Entries:    len(t.nodes),
		MaxEntries: t.max,
		Evictions:  t.evictions,
		Resets:     t.epoch,
		Revision:   t.rev,
		Watchers:   len(t.watchers),
	}
}

// cloneKey returns a key that the table may keep: the strings of a caller may
// be small parts of large messages.
func cloneKey(key providers.Key) providers.Key {
	return providers.Key{Route: strings.Clone(key.Route), Node: strings.Clone(key.Node)}
}

// set makes e, whose value becomes the table's, the live entry of its key and
// tells the watchers. n is the node of the key; if there is none, the key
// becomes the table's too.
func (t *Table) set(e providers.Entry, n *node) {
	existed := n != nil
	if existed {
		e.Key = n.rec.Key
	} else {
		n = &node{}
		n.prev, n.next = n, n
		n.peer = t.routes[e.Key.Route]
		t.routes[e.Key.Route] = n
		t.nodes[e.Key] = n
	}
	n.rec = newRecord(e)
	n.gen = t.gen
	t.touch(n)
	t.changed(n.rec, existed)
}

// drop removes n and tells the watchers.
func (t *Table) drop(n *node, rev uint64, now time.Time) {
	delete(t.nodes, n.rec.Key)
	t.unlink(n)
	n.prev.next, n.next.prev = n.next, n.prev
	t.changed(newRecord(providers.Entry{Key: n.rec.Key, Revision: rev, Time: now, Deleted: true}), true)
}

// unlink takes n out of its route. Routes have as many nodes as the fleet, so
// the walk is short.
func (t *Table) unlink(n *node) {
	route := n.rec.Key.Route
	first := t.routes[route]
	switch {
	case first != n:
		for first.peer != n {
			first = first.peer
		}
		first.peer = n.peer
	case n.peer != nil:
		// The map keeps the key string it was first given: give it ours, so
		// that it does not hold on to a node that is gone.
		delete(t.routes, route)
		t.routes[n.peer.rec.Key.Route] = n.peer
	default:
		delete(t.routes, route)
	}
}

func (t *Table) touch(n *node) {
	n.prev.next, n.next.prev = n.next, n.prev
	n.prev, n.next = &t.root, t.root.next
	n.prev.next, n.next.prev = n, n
}

func (t *Table) changed(rec *record, existed bool) {
	for w := range t.watchers {
		if w.filter.Match(rec.Key) {
			w.changed(rec, existed)
		}
	}
}

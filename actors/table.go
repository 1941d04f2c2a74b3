package actors

import (
	"hash/maphash"
	"sync/atomic"
)

// table finds routes by name without a lock: an open-addressing hash table of
// atomic pointers. It needs 16 bytes a slot where a map needs 80 a route, and
// sync.Map was measured at several times a map read when it holds a million
// routes.
//
// Readers may run at any time. Writers hold the registry's lock.
type table struct {
	seed  maphash.Seed
	slots atomic.Pointer[slots]
	live  int // routes
	used  int // slots that are not nil: routes and tombstones
}

type slots []slot

// slot holds a route and its hash, so that a probe fetches the route only where
// the hash is right: with many routes every fetch is a cache miss. The hash is
// written before the route and never again.
type slot struct {
	hash  uint64
	route atomic.Pointer[Route]
}

// tombstone marks a slot whose route was removed; probes go on past it.
var tombstone = new(Route)

const minSlots = 64

func newTable() *table {
	t := &table{seed: maphash.MakeSeed()}
	s := make(slots, minSlots)
	t.slots.Store(&s)
	return t
}

func (t *table) hash(name string) uint64 { return maphash.String(t.seed, name) }

// get returns the route of that name, or nil.
func (t *table) get(name string) *Route {
	h := t.hash(name)
	s := *t.slots.Load()
	mask := uint64(len(s) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		r := s[i].route.Load()
		if r == nil {
			return nil
		}
		if s[i].hash == h && r != tombstone && r.name == name {
			return r
		}
	}
}

// put adds r, whose hash is set and whose name is not in the table.
func (t *table) put(r *Route) {
	s := *t.slots.Load()
	if 4*(t.used+1) > 3*len(s) {
		s = t.rebuild()
	}
	insert(s, r)
	t.used++
	t.live++
}

// insert stores r in the first empty slot of its probe sequence. Tombstones are
// left to rebuild, which comes often enough.
func insert(s slots, r *Route) {
	mask := uint64(len(s) - 1)
	i := r.hash & mask
	for s[i].route.Load() != nil {
		i = (i + 1) & mask
	}
	s[i].hash = r.hash
	s[i].route.Store(r)
}

// remove takes r out, if it is in.
func (t *table) remove(r *Route) {
	s := *t.slots.Load()
	mask := uint64(len(s) - 1)
	for i := r.hash & mask; ; i = (i + 1) & mask {
		switch s[i].route.Load() {
		case nil:
			return
		case r:
			s[i].route.Store(tombstone)
			t.live--
			return
		}
	}
}

// rebuild copies the live routes into fresh slots, at most half full, and
// publishes them. Readers of the old slots miss only what is added later, and
// who misses looks again under the lock.
func (t *table) rebuild() slots {
	n := minSlots
	for n < 2*(t.live+1) {
		n *= 2
	}
	fresh := make(slots, n)
	for _, r := range t.all() {
		insert(fresh, r)
	}
	t.used = t.live
	t.slots.Store(&fresh)
	return fresh
}

// all returns the routes now in the table.
func (t *table) all() []*Route {
	s := *t.slots.Load()
	routes := make([]*Route, 0, t.live)
	for i := range s {
		if r := s[i].route.Load(); r != nil && r != tombstone {
			routes = append(routes, r)
		}
	}
	return routes
}

// at returns the route in slot i modulo the table's size, or nil: it lets the
// registry's eviction hand go round the table without copying it.
func (t *table) at(i uint64) *Route {
	s := *t.slots.Load()
	r := s[i&uint64(len(s)-1)].route.Load()
	if r == tombstone {
		return nil
	}
	return r
}

func (t *table) size() int { return len(*t.slots.Load()) }

package table

import (
	"context"

	"github.com/atrion-io/atrion/providers"
)

// eventBuffer is how many events may wait in a watcher's channel. It saves a
// goroutine switch per event when a consumer drains a large initial state; it
// is small because what is in the channel can no longer be coalesced.
const eventBuffer = 64

// An item is a pending event: the newest state of a key, or a marker.
type item struct {
	rec        *record // nil for a marker
	kind       providers.EventKind
	known      bool // the consumer was told of the key before
	prev, next *item
}

// A watcher owes its consumer first the keys of snapshot, then the items of
// list. Fields below table are guarded by the table's lock.
type watcher struct {
	table  *Table
	filter providers.Filter
	events chan providers.Event
	wake   chan struct{}
	done   chan struct{}

	snapshot []*record // live when the watch began; only the keys matter
	pending  map[providers.Key]*item
	list     item  // ring; the oldest is list.next
	owed     bool  // a Synced is due at the end of the running sync
	err      error // why it ended
	ended    bool
}

func (w *watcher) Events() <-chan providers.Event { return w.events }

func (w *watcher) Err() error {
	w.table.mu.Lock()
	defer w.table.mu.Unlock()
	return w.err
}

func (w *watcher) Stop() {
	w.table.mu.Lock()
	defer w.table.mu.Unlock()
	w.end(nil)
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.events)
	for {
		ev, ok := w.next()
		if ok {
			select {
			case w.events <- ev:
				continue
			case <-w.done:
				return
			case <-ctx.Done():
			}
		} else {
			select {
			case <-w.wake:
				continue
			case <-w.done:
				return
			case <-ctx.Done():
			}
		}
		w.table.mu.Lock()
		w.end(ctx.Err())
		w.table.mu.Unlock()
		return
	}
}

// next takes the next event that is due.
func (w *watcher) next() (providers.Event, bool) {
	w.table.mu.Lock()
	rec, kind, ok := w.take()
	w.table.mu.Unlock()
	if rec == nil {
		return providers.Event{Kind: kind}, ok
	}
	return providers.Event{Kind: providers.Changed, Entry: rec.copy()}, true
}

func (w *watcher) take() (rec *record, kind providers.EventKind, ok bool) {
	for len(w.snapshot) > 0 {
		key := w.snapshot[0].Key
		w.snapshot[0] = nil
		w.snapshot = w.snapshot[1:]
		// Whatever happened to the key since is told now, in its turn, so
		// that everything live at the start comes before Synced.
		if it := w.pending[key]; it != nil {
			w.remove(it)
		}
		if n := w.table.nodes[key]; n != nil {
			return n.rec, providers.Changed, true
		}
	}
	w.snapshot = nil
	it := w.list.next
	if it == &w.list {
		return nil, 0, false
	}
	w.remove(it)
	return it.rec, it.kind, true
}

// changed makes rec the pending state of its key. existed says that the key
// was live before.
func (w *watcher) changed(rec *record, existed bool) {
	if w.ended {
		return
	}
	it := w.pending[rec.Key]
	if it == nil {
		if rec.Deleted && !existed {
			return
		}
		// What is not pending and existed has been delivered, or stands in the
		// snapshot, whose turn will remove this item again.
		it = &item{known: existed}
		w.push(it)
		w.pending[rec.Key] = it
	}
	it.rec = rec
	if rec.Deleted && !it.known {
		// Came and went unread. Telling it would only serve to make the queue
		// grow with every key there ever was.
		w.remove(it)
	}
	w.poke()
}

// mark appends a marker.
func (w *watcher) mark(kind providers.EventKind) {
	if !w.ended {
		w.push(&item{kind: kind})
		w.poke()
	}
}

// reset appends a Reset and owes a Synced. Markers nobody has read yet say
// nothing more, so there are never more than two.
func (w *watcher) reset() {
	for it := w.list.next; it != &w.list; {
		next := it.next
		if it.rec == nil {
			w.remove(it)
		}
		it = next
	}
	w.mark(providers.Reset)
	w.owed = true
}

func (w *watcher) push(it *item) {
	it.prev, it.next = w.list.prev, &w.list
	it.prev.next, it.next.prev = it, it
}

func (w *watcher) remove(it *item) {
	it.prev.next, it.next.prev = it.next, it.prev
	if it.rec != nil {
		delete(w.pending, it.rec.Key)
	}
}

func (w *watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake, or will be
	}
}

func (w *watcher) end(err error) {
	if w.ended {
		return
	}
	w.ended, w.err = true, err
	w.snapshot, w.pending = nil, nil
	w.list.prev, w.list.next = &w.list, &w.list
	delete(w.table.watchers, w)
	close(w.done)
}

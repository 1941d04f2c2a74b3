package table

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion/providers"
)

func k(route string) providers.Key { return providers.Key{Route: route, Node: "n"} }

func put(route string, rev uint64, value string) providers.Entry {
	return providers.Entry{Key: k(route), Revision: rev, Value: []byte(value)}
}

func gone(route string, rev uint64) providers.Entry {
	return providers.Entry{Key: k(route), Revision: rev, Deleted: true}
}

func want(t *testing.T, tb *Table, route, value string) {
	t.Helper()
	e, ok := tb.Get(k(route))
	if got := string(e.Value); got != value || ok != (value != "") {
		t.Errorf("%s = %q, %v; want %q", route, got, ok, value)
	}
}

// drain returns what w has to say until it falls silent, as text. It must run
// in a bubble.
func drain(w providers.Watcher) (s string) {
	for {
		synctest.Wait()
		select {
		case ev, ok := <-w.Events():
			if !ok {
				return s + "closed "
			}
			switch {
			case ev.Kind != providers.Changed:
				s += ev.Kind.String() + " "
			case ev.Entry.Deleted:
				s += "-" + ev.Entry.Key.Route + " "
			default:
				s += ev.Entry.Key.Route + "=" + string(ev.Entry.Value) + " "
			}
		default:
			return s
		}
	}
}

func watch(t *testing.T, tb *Table) providers.Watcher {
	t.Helper()
	w, err := tb.Watch(t.Context(), providers.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// waiting is how many events and markers w has not sent yet.
func waiting(pw providers.Watcher) (n int) {
	w := pw.(*watcher)
	w.table.mu.Lock()
	defer w.table.mu.Unlock()
	for it := w.list.next; it != &w.list; it = it.next {
		n++
	}
	return n
}

func TestMirrorLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := New(10, false)
		defer tb.Close()
		w := watch(t, tb)
		step := func(what, events string, do func()) {
			t.Helper()
			do()
			if got := drain(w); got != events {
				t.Errorf("%s: events %q; want %q", what, got, events)
			}
		}
		step("first sync begins", "", func() { tb.BeginSync(false, 0) })
		step("an entry", "a=1 ", func() { tb.Apply(put("a", 1, "1")) })
		step("another", "b=2 ", func() { tb.Apply(put("b", 2, "2")) })
		step("the sync ends", "synced ", func() { tb.EndSync(2, time.Now()) })
		step("a change", "a=3 ", func() { tb.Apply(put("a", 3, "3")) })
		step("again", "", func() { tb.Apply(put("a", 3, "3")) })
		step("an older one", "", func() { tb.Apply(put("a", 2, "old")) })
		step("own write", "c=4 ", func() { tb.ApplyOwn(0, put("c", 4, "4")) })
		step("again", "", func() { tb.ApplyOwn(0, put("c", 4, "4")) })
		step("its echo", "", func() { tb.Apply(put("c", 4, "4")) })
		step("own deletion", "-c ", func() { tb.ApplyOwn(0, gone("c", 6)) })
		step("an echo of what was deleted", "", func() { tb.Apply(put("c", 5, "5")) })
		step("the echo of the deletion", "", func() { tb.Apply(gone("c", 6)) })
		step("it comes back", "c=7 ", func() { tb.Apply(put("c", 7, "7")) })
		step("deleting what is not there", "", func() { tb.Apply(gone("x", 8)) })

		step("a new sync with a loss", "b=9 -c ", func() {
			tb.BeginSync(false, 0)
			tb.Apply(put("a", 3, "3"))
			tb.Apply(put("b", 9, "9"))
			tb.EndSync(9, time.Now())
		})

		step("a reset", "reset ", func() { tb.BeginSync(true, 0) })
		if tb.Epoch() != 1 || tb.Status().Resets != 1 || tb.Status().Revision != 0 {
			t.Errorf("Status = %+v", tb.Status())
		}
		step("a write from before it", "", func() { tb.ApplyOwn(0, put("a", 10, "late")) })
		step("the same value under a low revision", "a=3 ", func() { tb.Apply(put("a", 1, "3")) })
		step("an own write", "d=2 ", func() { tb.ApplyOwn(1, put("d", 2, "2")) })
		step("the end of it", "-b synced ", func() { tb.EndSync(1, time.Now()) })
		step("a low revision", "a=3' ", func() { tb.Apply(put("a", 3, "3'")) })
		want(t, tb, "a", "3'")
		want(t, tb, "b", "")
		want(t, tb, "d", "2")

		step("a sync that fails", "", func() { tb.BeginSync(false, 0); tb.Apply(put("a", 3, "3'")) })
		step("and succeeds", "", func() {
			tb.BeginSync(false, 0)
			tb.Apply(put("a", 3, "3'"))
			tb.Apply(put("d", 2, "2"))
			tb.EndSync(3, time.Now())
		})
	})
}

func TestOwnWriteThatRunsBackwards(t *testing.T) {
	tb := New(10, false)
	tb.BeginSync(false, 0)
	tb.EndSync(0, time.Now())
	if tb.ApplyOwn(0, put("a", 5, "5")) {
		t.Error("a first write is suspect")
	}
	if !tb.ApplyOwn(0, put("a", 3, "3")) {
		t.Error("a write under a lower revision is not suspect")
	}
	want(t, tb, "a", "5")
}

func TestOverflow(t *testing.T) {
	tb := New(2, false)
	tb.BeginSync(false, 0)
	for i, r := range []string{"a", "b", "c"} {
		tb.Apply(put(r, uint64(i+1), r))
	}
	tb.EndSync(3, time.Now())
	want(t, tb, "c", "")
	if _, _, complete := tb.Lookup(k("c")); complete || !tb.Overflow() || tb.Room(k("d")) || !tb.Room(k("a")) || !tb.Snapshot(providers.Filter{}).Overflow {
		t.Error("the table does not say that it is too small")
	}
	tb.BeginSync(false, 0)
	tb.Apply(put("a", 1, "a"))
	tb.EndSync(4, time.Now())
	if _, _, complete := tb.Lookup(k("c")); !complete || tb.Overflow() {
		t.Error("the table says that it is too small")
	}
}

func TestWatchDuringSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := New(10, false)
		defer tb.Close()
		tb.BeginSync(false, 0)
		tb.Apply(put("a", 1, "1"))
		w := watch(t, tb)
		if got := drain(w); got != "a=1 " {
			t.Errorf("events %q", got)
		}
		tb.EndSync(1, time.Now())
		if got := drain(w); got != "synced " {
			t.Errorf("events %q", got)
		}
		tb.BeginSync(true, 0)
		late := watch(t, tb)
		if got := drain(late); got != "a=1 " {
			t.Errorf("a watcher that begins during a reset: events %q", got)
		}
		tb.Apply(put("a", 1, "1"))
		tb.EndSync(1, time.Now())
		if got := drain(late); got != "a=1 synced " {
			t.Errorf("events %q", got)
		}
	})
}

// What changes before its turn in the initial state is told once, as it is by
// then, and before Synced.
func TestInitialStateAbsorbsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := New(1000, true)
		defer tb.Close()
		const n, told = 300, eventBuffer + 1 // told: what is on its way before anything is read
		for i := range n {
			tb.Put(k(fmt.Sprint("r", i)), []byte("old"), time.Now())
		}
		w := watch(t, tb)
		synctest.Wait()
		for i := range n / 2 {
			tb.Put(k(fmt.Sprint("r", i)), []byte("new"), time.Now())
		}
		for i := n / 2; i < n; i++ {
			tb.Remove(k(fmt.Sprint("r", i)), time.Now())
		}
		events := strings.Fields(drain(w))
		before := slices.Index(events, "synced")
		if len(events) > n/2+2*told+1 {
			t.Errorf("%d events; changes were not absorbed", len(events))
		}
		if before < n/2-told || before > n/2+told {
			t.Errorf("synced is event %d of %d", before, len(events))
		}
	})
}

// Markers that nobody has read are replaced, not collected.
func TestManyResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := New(10, false)
		defer tb.Close()
		w := watch(t, tb)
		for range 1000 {
			tb.BeginSync(true, 0)
			tb.EndSync(0, time.Now())
		}
		if n := waiting(w); n > 2 {
			t.Errorf("%d markers wait", n)
		}
		if got := drain(w); len(got) < len("reset synced ") || got[len(got)-len("reset synced "):] != "reset synced " {
			t.Errorf("the last events are not a reset and synced: %q", got)
		}
	})
}

// TestRandom compares a table and slow watchers of it with a map, over random
// histories. Whatever happens, a watcher's consumer that has read everything
// holds what the map holds.
func TestRandom(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) { random(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func random(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	const keys, max = 12, 6
	tb := New(max, true)
	defer tb.Close()
	model := map[providers.Key]string{}
	var recent []providers.Key // least recently used first
	use := func(key providers.Key, on bool) {
		for i, r := range recent {
			if r == key {
				recent = append(recent[:i:i], recent[i+1:]...)
				break
			}
		}
		if on {
			recent = append(recent, key)
		}
	}
	type consumer struct {
		w      providers.Watcher
		filter providers.Filter
		state  map[providers.Key]string
		synced bool
	}
	var consumers []*consumer
	read := func(c *consumer, n int) {
		for range n {
			synctest.Wait()
			select {
			case ev := <-c.w.Events():
				switch {
				case ev.Kind == providers.Synced:
					if c.synced {
						t.Error("synced twice")
					}
					c.synced = true
				case ev.Entry.Deleted:
					delete(c.state, ev.Entry.Key)
				default:
					c.state[ev.Entry.Key] = string(ev.Entry.Value)
				}
			default:
				return
			}
		}
	}
	for op := range 400 {
		key := providers.Key{Route: fmt.Sprint("r", rng.IntN(keys/2)), Node: fmt.Sprint("n", rng.IntN(2))}
		switch rng.IntN(10) {
		case 0, 1, 2, 3:
			if _, ok := model[key]; !ok && len(model) == max {
				delete(model, recent[0])
				use(recent[0], false)
			}
			model[key] = fmt.Sprint(op)
			use(key, true)
			tb.Put(key, []byte(model[key]), time.Now())
		case 4, 5:
			delete(model, key)
			use(key, false)
			tb.Remove(key, time.Now())
		case 6:
			e, ok := tb.Get(key)
			if v, have := model[key]; ok != have || string(e.Value) != v {
				t.Fatalf("op %d: Get(%v) = %q, %v; want %q, %v", op, key, e.Value, ok, v, have)
			}
			if ok {
				use(key, true)
			}
		case 7:
			if len(consumers) < 4 {
				f := []providers.Filter{{}, {Route: "r1"}, {Node: "n1"}, {Route: "r2", Node: "n0"}}[rng.IntN(4)]
				w, err := tb.Watch(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				consumers = append(consumers, &consumer{w: w, filter: f, state: map[providers.Key]string{}})
			}
		default:
			if len(consumers) > 0 {
				read(consumers[rng.IntN(len(consumers))], rng.IntN(5))
			}
		}
		for _, f := range []providers.Filter{{}, {Route: key.Route}} {
			n := 0
			tb.Snapshot(f).Each(context.Background(), func(e providers.Entry, _ error) bool {
				if model[e.Key] != string(e.Value) || !f.Match(e.Key) {
					t.Fatalf("op %d: Snapshot(%+v) has %v = %q; want %q", op, f, e.Key, e.Value, model[e.Key])
				}
				n++
				return true
			})
			for key := range model {
				if f.Match(key) {
					n--
				}
			}
			if n != 0 {
				t.Fatalf("op %d: Snapshot(%+v) is off by %d", op, f, n)
			}
		}
		for _, c := range consumers {
			if n := waiting(c.w); n > 2*max+eventBuffer+1 {
				t.Fatalf("op %d: %d events are pending", op, n)
			}
		}
	}
	for i, c := range consumers {
		read(c, 10_000)
		if !c.synced {
			t.Errorf("consumer %d was never synced", i)
		}
		for key, v := range model {
			if c.filter.Match(key) && c.state[key] != v {
				t.Errorf("consumer %d: %v = %q; want %q", i, key, c.state[key], v)
			}
		}
		for key := range c.state {
			if _, ok := model[key]; !ok || !c.filter.Match(key) {
				t.Errorf("consumer %d holds %v", i, key)
			}
		}
	}
}

// Package providertest is the conformance suite of [providers.Provider]: what
// the contract promises, as tests. Every provider should run it, under the
// race detector too.
package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atrion-io/atrion/providers"
)

// wait bounds everything the suite waits for.
const wait = 10 * time.Second

// Options says what the provider under test is like.
type Options struct {
	// Open returns a new, empty provider that is ready. The suite closes it.
	// Required.
	Open func(t *testing.T) providers.Provider

	// Reopen returns a provider on the storage of the one Open returned last
	// in the same test, which the suite has closed. nil: not durable.
	Reopen func(t *testing.T) providers.Provider

	// OpenBounded returns a new, empty provider that is ready and holds at
	// most n entries. nil: the bound is not tested.
	OpenBounded func(t *testing.T, n int) providers.Provider

	// Evicts says that a full provider drops the least recently used entry;
	// otherwise it must return ErrFull.
	Evicts bool

	// MaxValue is the most bytes of a value. 0: providers.DefaultMaxValue.
	MaxValue int
}

// Run runs the suite.
func Run(t *testing.T, o Options) {
	if o.MaxValue == 0 {
		o.MaxValue = providers.DefaultMaxValue
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"Get", testGet},
		{"Put", testPut},
		{"Delete", testDelete},
		{"List", testList},
		{"ListStops", testListStops},
		{"Names", testNames},
		{"InvalidKeys", testInvalidKeys},
		{"Values", testValues},
		{"Aliasing", testAliasing},
		{"Watch", testWatch},
		{"WatchFilter", testWatchFilter},
		{"WatchSlow", testWatchSlow},
		{"WatchCameAndWent", testWatchCameAndWent},
		{"WatchAliasing", testWatchAliasing},
		{"WatchEnds", testWatchEnds},
		{"Cancelled", testCancelled},
		{"Closed", testClosed},
		{"Status", testStatus},
		{"Concurrent", testConcurrent},
		{"Reopen", testReopen},
		{"Bound", testBound},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, &suite{Options: o, T: t})
		})
	}
}

type suite struct {
	Options
	*testing.T
}

func (s *suite) open() providers.Provider {
	s.Helper()
	p := s.Open(s.T)
	s.closeLater(p)
	return p
}

func (s *suite) closeLater(p providers.Provider) {
	s.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			s.Errorf("Close: %v", err)
		}
	})
}

func (s *suite) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	s.Cleanup(cancel)
	return ctx
}

func (s *suite) put(p providers.Provider, route, node, value string) uint64 {
	s.Helper()
	rev, err := p.Put(s.ctx(), providers.Key{Route: route, Node: node}, []byte(value))
	if err != nil {
		s.Fatalf("Put(%q, %q): %v", route, node, err)
	}
	return rev
}

func (s *suite) del(p providers.Provider, route, node string) {
	s.Helper()
	if err := p.Delete(s.ctx(), providers.Key{Route: route, Node: node}); err != nil {
		s.Fatalf("Delete(%q, %q): %v", route, node, err)
	}
}

func (s *suite) wantGet(p providers.Provider, route, node, want string) providers.Entry {
	s.Helper()
	e, err := p.Get(s.ctx(), providers.Key{Route: route, Node: node})
	if err != nil {
		s.Fatalf("Get(%q, %q): %v; want %q", route, node, err, want)
	}
	if string(e.Value) != want || e.Key != (providers.Key{Route: route, Node: node}) || e.Deleted {
		s.Fatalf("Get(%q, %q) = %+v; want %q", route, node, e, want)
	}
	return e
}

func (s *suite) wantErr(what string, got, want error) {
	s.Helper()
	if !errors.Is(got, want) {
		s.Errorf("%s: %v; want %v", what, got, want)
	}
}

func (s *suite) wantNone(p providers.Provider, route, node string) {
	s.Helper()
	_, err := p.Get(s.ctx(), providers.Key{Route: route, Node: node})
	s.wantErr(fmt.Sprintf("Get(%q, %q)", route, node), err, providers.ErrNotFound)
}

func (s *suite) list(p providers.Provider, f providers.Filter) map[providers.Key]string {
	s.Helper()
	got := map[providers.Key]string{}
	for e, err := range p.List(s.ctx(), f) {
		if err != nil {
			s.Fatalf("List(%+v): %v", f, err)
		}
		if _, twice := got[e.Key]; twice {
			s.Errorf("List(%+v): %v twice", f, e.Key)
		}
		got[e.Key] = string(e.Value)
	}
	return got
}

func (s *suite) watch(p providers.Provider, f providers.Filter) providers.Watcher {
	s.Helper()
	w, err := p.Watch(s.ctx(), f)
	if err != nil {
		s.Fatalf("Watch(%+v): %v", f, err)
	}
	s.Cleanup(w.Stop)
	return w
}

func (s *suite) event(w providers.Watcher) providers.Event {
	s.Helper()
	select {
	case ev, ok := <-w.Events():
		if !ok {
			s.Fatalf("Events closed: %v", w.Err())
		}
		return ev
	case <-time.After(wait):
		s.Fatal("no event")
	}
	panic("unreachable")
}

// follow applies events to state until cond holds.
func (s *suite) follow(w providers.Watcher, state map[providers.Key]string, cond func(providers.Event) bool) {
	s.Helper()
	deadline := time.After(wait)
	for {
		select {
		case ev, ok := <-w.Events():
			if !ok {
				s.Fatalf("Events closed: %v", w.Err())
			}
			if ev.Kind == providers.Changed {
				if ev.Entry.Deleted {
					delete(state, ev.Entry.Key)
				} else {
					state[ev.Entry.Key] = string(ev.Entry.Value)
				}
			}
			if cond(ev) {
				return
			}
		case <-deadline:
			s.Fatalf("gave up waiting for an event; state: %v", state)
		}
	}
}

func isSynced(ev providers.Event) bool { return ev.Kind == providers.Synced }

func isPut(route, node, value string) func(providers.Event) bool {
	return func(ev providers.Event) bool {
		return ev.Kind == providers.Changed && !ev.Entry.Deleted && string(ev.Entry.Value) == value &&
			ev.Entry.Key == providers.Key{Route: route, Node: node}
	}
}

func isDelete(route, node string) func(providers.Event) bool {
	return func(ev providers.Event) bool {
		return ev.Kind == providers.Changed && ev.Entry.Deleted && ev.Entry.Key == providers.Key{Route: route, Node: node}
	}
}

func testGet(t *testing.T, s *suite) {
	p := s.open()
	s.wantNone(p, "r", "n")
	before := time.Now()
	rev := s.put(p, "r", "n", "v")
	e := s.wantGet(p, "r", "n", "v")
	if e.Revision != rev {
		t.Errorf("Revision = %d; Put said %d", e.Revision, rev)
	}
	if d := e.Time.Sub(before); d < -time.Minute || d > time.Minute {
		t.Errorf("Time = %v, written about %v", e.Time, before)
	}
	s.wantNone(p, "r", "other")
	s.wantNone(p, "other", "n")
}

func testPut(t *testing.T, s *suite) {
	p := s.open()
	var last uint64
	for i := range 20 {
		rev := s.put(p, fmt.Sprint("r", i%3), "n", fmt.Sprint(i))
		if rev <= last {
			t.Errorf("Put %d: revision %d after %d; want growing", i, rev, last)
		}
		last = rev
		s.wantGet(p, fmt.Sprint("r", i%3), "n", fmt.Sprint(i))
	}
	if got := len(s.list(p, providers.Filter{})); got != 3 {
		t.Errorf("%d entries; want 3", got)
	}
}

func testDelete(t *testing.T, s *suite) {
	p := s.open()
	s.del(p, "r", "n") // not there: no error
	s.put(p, "r", "n", "v")
	s.put(p, "r", "m", "w")
	s.del(p, "r", "n")
	s.wantNone(p, "r", "n")
	s.wantGet(p, "r", "m", "w")
	s.del(p, "r", "n")
	if got := s.list(p, providers.Filter{}); len(got) != 1 {
		t.Errorf("List = %v; want one entry", got)
	}
	s.put(p, "r", "n", "again")
	s.wantGet(p, "r", "n", "again")
	// A deletion must not be undone by an echo of the value it removed.
	for i := range 200 {
		s.put(p, "x", "n", fmt.Sprint(i))
		s.del(p, "x", "n")
		if _, err := p.Get(s.ctx(), providers.Key{Route: "x", Node: "n"}); !errors.Is(err, providers.ErrNotFound) {
			t.Fatalf("round %d: Get after Delete: %v; want ErrNotFound", i, err)
		}
	}
}

func testList(t *testing.T, s *suite) {
	p := s.open()
	if got := s.list(p, providers.Filter{}); len(got) != 0 {
		t.Errorf("List of nothing = %v", got)
	}
	want := map[providers.Key]string{}
	for i := range 12 {
		k := providers.Key{Route: fmt.Sprint("r", i%4), Node: fmt.Sprint("n", i/4)}
		want[k] = fmt.Sprint("v", i)
		s.put(p, k.Route, k.Node, want[k])
	}
	for _, f := range []providers.Filter{{}, {Route: "r1"}, {Node: "n2"}, {Route: "r3", Node: "n0"}, {Route: "none"}, {Node: "none"}, {Route: "r3", Node: "none"}} {
		got := s.list(p, f)
		for k, v := range want {
			if f.Match(k) && got[k] != v {
				t.Errorf("List(%+v): %v = %q; want %q", f, k, got[k], v)
			}
		}
		for k := range got {
			if !f.Match(k) || want[k] == "" {
				t.Errorf("List(%+v) yields %v", f, k)
			}
		}
	}
	s.del(p, "r1", "n0")
	s.del(p, "r1", "n1")
	if got := s.list(p, providers.Filter{Route: "r1"}); len(got) != 1 || got[providers.Key{Route: "r1", Node: "n2"}] != "v9" {
		t.Errorf("List after Delete = %v", got)
	}
}

func testListStops(t *testing.T, s *suite) {
	p := s.open()
	for i := range 5 {
		s.put(p, fmt.Sprint("r", i), "n", "v")
	}
	n := 0
	for _, err := range p.List(s.ctx(), providers.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d entries before the break; want 2", n)
	}
	// The provider can be used from within the loop: nothing is locked.
	for e := range p.List(s.ctx(), providers.Filter{}) {
		s.del(p, e.Key.Route, e.Key.Node)
	}
	if got := s.list(p, providers.Filter{}); len(got) != 0 {
		t.Errorf("List = %v after deleting all", got)
	}
}

// testNames stores under names that are awkward in every key syntax there is.
func testNames(t *testing.T, s *suite) {
	p := s.open()
	every := make([]byte, 0, 256)
	for b := 0x20; b < 256; b++ {
		if b != 0x7f {
			every = append(every, byte(b))
		}
	}
	routes := []string{
		"a", "A", "a.b", "a..b", ".", "..", ".a", "a.", "a/b", "a=b", "=41", "a=", "==", "a b", " ", "*", ">", "a.*", "a.>",
		"$KV", "%41", "a%", "ü", "\xff\xfe", "日本", "_", "-", "a-b_c", "'", `"`, `\`, "{}", ":", "@", "+", "~", "#",
		string(every), strings.Repeat("x", 256), strings.Repeat(".", 256), strings.Repeat("\xff", 256), strings.Repeat("=", 256),
	}
	node := strings.Repeat("*", 64)
	for i, r := range routes {
		s.put(p, r, node, fmt.Sprint(i))
	}
	for i, r := range routes {
		s.wantGet(p, r, node, fmt.Sprint(i))
	}
	got := s.list(p, providers.Filter{})
	for i, r := range routes {
		k := providers.Key{Route: r, Node: node}
		if got[k] != fmt.Sprint(i) {
			t.Errorf("List: %.40q = %q; want %d", r, got[k], i)
		}
		if one := s.list(p, providers.Filter{Route: r}); len(one) != 1 {
			t.Errorf("List of route %.40q: %d entries; want 1", r, len(one))
		}
	}
	if len(got) != len(routes) {
		t.Errorf("%d entries; want %d", len(got), len(routes))
	}
	// The boundary between route and node is kept.
	s.put(p, "a.b", "c", "1")
	s.put(p, "a", "b.c", "2")
	s.wantGet(p, "a.b", "c", "1")
	s.wantGet(p, "a", "b.c", "2")
}

func testInvalidKeys(t *testing.T, s *suite) {
	p := s.open()
	for _, c := range []struct{ route, node, field, allowed string }{
		{"", "n", "route", "1..256"},
		{strings.Repeat("x", 257), "n", "route", "1..256"},
		{"a\x00", "n", "route", "control"},
		{"a\nb", "n", "route", "control"},
		{"a\x7f", "n", "route", "control"},
		{"r", "", "node", "1..64"},
		{"r", strings.Repeat("x", 65), "node", "1..64"},
		{"r", "\t", "node", "control"},
	} {
		k := providers.Key{Route: c.route, Node: c.node}
		_, getErr := p.Get(s.ctx(), k)
		_, putErr := p.Put(s.ctx(), k, []byte("v"))
		for what, err := range map[string]error{"Get": getErr, "Put": putErr, "Delete": p.Delete(s.ctx(), k)} {
			s.wantErr(what, err, providers.ErrInvalidKey)
			var ke *providers.KeyError
			if !errors.As(err, &ke) || ke.Field != c.field || !strings.Contains(err.Error(), c.allowed) {
				t.Errorf("%s(%.20q, %.20q): %v; want a KeyError of %s that names %s", what, c.route, c.node, err, c.field, c.allowed)
			}
		}
		f := providers.Filter(k)
		if f.Validate() == nil {
			continue // an empty part of a filter is a wildcard
		}
		_, err := p.Watch(s.ctx(), f)
		s.wantErr("Watch", err, providers.ErrInvalidKey)
		s.wantErr("List", firstErr(p.List(s.ctx(), f)), providers.ErrInvalidKey)
	}
	if got := s.list(p, providers.Filter{}); len(got) != 0 {
		t.Errorf("List = %v; want nothing", got)
	}
}

func firstErr(seq iter.Seq2[providers.Entry, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func testValues(t *testing.T, s *suite) {
	p := s.open()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, v := range map[string][]byte{
		"empty": {}, "nil": nil, "bytes": all, "largest": bytes.Repeat([]byte{0xa5}, s.MaxValue),
	} {
		s.put(p, name, "n", string(v))
		s.wantGet(p, name, "n", string(v))
	}
	k := providers.Key{Route: "bytes", Node: "n"}
	_, err := p.Put(s.ctx(), k, make([]byte, s.MaxValue+1))
	s.wantErr("Put of a large value", err, providers.ErrTooLarge)
	if err != nil && !strings.Contains(err.Error(), fmt.Sprint(s.MaxValue)) {
		t.Errorf("%v: does not name the limit %d", err, s.MaxValue)
	}
	s.wantGet(p, "bytes", "n", string(all))
}

func testAliasing(t *testing.T, s *suite) {
	p := s.open()
	k := providers.Key{Route: "r", Node: "n"}
	v := []byte("value")
	if _, err := p.Put(s.ctx(), k, v); err != nil {
		t.Fatal(err)
	}
	clear(v)
	e := s.wantGet(p, "r", "n", "value")
	clear(e.Value)
	_ = append(e.Value, "more"...)
	s.wantGet(p, "r", "n", "value")
	for e, err := range p.List(s.ctx(), providers.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		clear(e.Value)
	}
	s.wantGet(p, "r", "n", "value")
}

func testWatch(t *testing.T, s *suite) {
	p := s.open()
	empty := s.watch(p, providers.Filter{})
	if ev := s.event(empty); ev.Kind != providers.Synced {
		t.Errorf("first event of an empty provider: %v; want synced", ev.Kind)
	}
	for i := range 100 {
		s.put(p, fmt.Sprint("r", i), "n", "first")
	}
	w := s.watch(p, providers.Filter{})
	state := map[providers.Key]string{}
	s.follow(w, state, isSynced)
	if len(state) != 100 {
		t.Errorf("%d entries before synced; want 100", len(state))
	}
	rev := s.put(p, "r7", "n", "second")
	s.follow(w, state, func(ev providers.Event) bool {
		if !isPut("r7", "n", "second")(ev) {
			return false
		}
		if ev.Entry.Revision != rev {
			t.Errorf("Revision = %d; Put said %d", ev.Entry.Revision, rev)
		}
		return true
	})
	s.del(p, "r8", "n")
	s.follow(w, state, func(ev providers.Event) bool {
		if !isDelete("r8", "n")(ev) {
			return false
		}
		if ev.Entry.Value != nil || ev.Entry.Revision <= rev {
			t.Errorf("deletion %+v: want no value and a revision over %d", ev.Entry, rev)
		}
		return true
	})
	s.put(p, "new", "n", "third")
	s.follow(w, state, isPut("new", "n", "third"))
	s.follow(empty, map[providers.Key]string{}, isPut("new", "n", "third"))
	if got := s.list(p, providers.Filter{}); len(got) != 100 || len(state) != 100 {
		t.Errorf("List has %d, the watcher %d; want 100", len(got), len(state))
	}
}

func testWatchFilter(t *testing.T, s *suite) {
	p := s.open()
	for _, f := range []providers.Filter{{Route: "a"}, {Node: "n"}, {Route: "a", Node: "n"}} {
		w := s.watch(p, f)
		only := func(ev providers.Event) {
			if ev.Kind == providers.Changed && !f.Match(ev.Entry.Key) {
				t.Errorf("filter %+v delivers %v", f, ev.Entry.Key)
			}
		}
		s.put(p, "b", "n", "v")
		s.put(p, "a", "m", "v")
		s.put(p, "b", "m", "v")
		s.del(p, "b", "m")
		last := fmt.Sprintf("%+v", f)
		s.put(p, "a", "n", last)
		s.follow(w, map[providers.Key]string{}, func(ev providers.Event) bool {
			only(ev)
			return isPut("a", "n", last)(ev)
		})
		w.Stop()
	}
}

// testWatchSlow writes far more than a consumer reads: what it gets in the end
// is the newest state, in few events.
func testWatchSlow(t *testing.T, s *suite) {
	p := s.open()
	w := s.watch(p, providers.Filter{})
	if ev := s.event(w); ev.Kind != providers.Synced {
		t.Fatalf("first event: %v; want synced", ev.Kind)
	}
	const writes, keys = 4000, 10
	want := map[providers.Key]string{}
	for i := range writes {
		k := providers.Key{Route: fmt.Sprint("r", i%keys), Node: "n"}
		want[k] = fmt.Sprint(i)
		s.put(p, k.Route, k.Node, want[k])
	}
	s.put(p, "end", "n", "end")
	want[providers.Key{Route: "end", Node: "n"}] = "end"
	state, events := map[providers.Key]string{}, 0
	last := map[providers.Key]uint64{}
	s.follow(w, state, func(ev providers.Event) bool {
		events++
		if k := ev.Entry.Key; ev.Entry.Revision < last[k] {
			t.Errorf("%v went back from revision %d to %d", k, last[k], ev.Entry.Revision)
		} else {
			last[k] = ev.Entry.Revision
		}
		return len(state) == len(want) && state[providers.Key{Route: "end", Node: "n"}] == "end"
	})
	for k, v := range want {
		if state[k] != v {
			t.Errorf("%v = %q; want %q", k, state[k], v)
		}
	}
	if events > writes/4 {
		t.Errorf("%d events for %d unread writes of %d keys: not coalesced", events, writes, keys)
	}
}

// testWatchCameAndWent makes and deletes many keys behind the back of a
// consumer that does not read: they must not pile up.
func testWatchCameAndWent(t *testing.T, s *suite) {
	p := s.open()
	w := s.watch(p, providers.Filter{})
	if ev := s.event(w); ev.Kind != providers.Synced {
		t.Fatalf("first event: %v; want synced", ev.Kind)
	}
	const n = 1000
	for i := range n {
		s.put(p, fmt.Sprint("r", i), "n", "v")
		s.del(p, fmt.Sprint("r", i), "n")
	}
	s.put(p, "end", "n", "end")
	state, events := map[providers.Key]string{}, 0
	s.follow(w, state, func(ev providers.Event) bool { events++; return isPut("end", "n", "end")(ev) })
	if len(state) != 1 {
		t.Errorf("state has %d entries; want 1", len(state))
	}
	if events > n {
		t.Errorf("%d events for %d keys that came and went unread", events, n)
	}
}

func testWatchAliasing(t *testing.T, s *suite) {
	p := s.open()
	s.put(p, "r", "n", "value")
	a, b := s.watch(p, providers.Filter{}), s.watch(p, providers.Filter{})
	ev := s.event(a)
	clear(ev.Entry.Value)
	s.follow(b, map[providers.Key]string{}, isPut("r", "n", "value"))
	s.wantGet(p, "r", "n", "value")
}

func (s *suite) wantEnd(what string, w providers.Watcher, want error) {
	s.Helper()
	deadline := time.After(wait)
	for {
		select {
		case _, ok := <-w.Events():
			if ok {
				continue
			}
			if err := w.Err(); !errors.Is(err, want) {
				s.Errorf("%s: Err() = %v; want %v", what, err, want)
			}
			return
		case <-deadline:
			s.Fatalf("%s: Events is not closed", what)
		}
	}
}

func testWatchEnds(t *testing.T, s *suite) {
	p := s.open()
	for i := range 200 { // more than a channel would hold: the watchers are stuck in sending
		s.put(p, fmt.Sprint("r", i), "n", "v")
	}
	stopped := s.watch(p, providers.Filter{})
	if err := stopped.Err(); err != nil {
		t.Errorf("Err() of a live watcher = %v", err)
	}
	stopped.Stop()
	stopped.Stop()
	s.wantEnd("stopped", stopped, nil)

	ctx, cancel := context.WithCancel(context.Background())
	cancelled, err := p.Watch(ctx, providers.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	s.wantEnd("cancelled", cancelled, context.Canceled)

	idle, err := p.Watch(context.Background(), providers.Filter{Route: "nothing"})
	if err != nil {
		t.Fatal(err)
	}
	s.event(idle)
	stuck := s.watch(p, providers.Filter{})
	if err := p.Close(s.ctx()); err != nil {
		t.Fatal(err)
	}
	s.wantEnd("idle at close", idle, providers.ErrClosed)
	s.wantEnd("stuck at close", stuck, providers.ErrClosed)
	idle.Stop()
	s.wantErr("Err after Stop of an ended watcher", idle.Err(), providers.ErrClosed)
	if n := p.Status().Watchers; n != 0 {
		t.Errorf("Watchers = %d; want 0", n)
	}
}

func testCancelled(t *testing.T, s *suite) {
	p := s.open()
	s.put(p, "r", "n", "v")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	k := providers.Key{Route: "r", Node: "n"}
	_, err := p.Get(ctx, k)
	s.wantErr("Get", err, context.Canceled)
	_, err = p.Put(ctx, k, []byte("w"))
	s.wantErr("Put", err, context.Canceled)
	s.wantErr("Delete", p.Delete(ctx, k), context.Canceled)
	s.wantErr("List", firstErr(p.List(ctx, providers.Filter{})), context.Canceled)
	_, err = p.Watch(ctx, providers.Filter{})
	s.wantErr("Watch", err, context.Canceled)
	s.wantGet(p, "r", "n", "v")
}

func testClosed(t *testing.T, s *suite) {
	p := s.open()
	s.put(p, "r", "n", "v")
	for range 2 {
		if err := p.Close(s.ctx()); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	k := providers.Key{Route: "r", Node: "n"}
	_, err := p.Get(s.ctx(), k)
	s.wantErr("Get", err, providers.ErrClosed)
	_, err = p.Put(s.ctx(), k, nil)
	s.wantErr("Put", err, providers.ErrClosed)
	s.wantErr("Delete", p.Delete(s.ctx(), k), providers.ErrClosed)
	s.wantErr("List", firstErr(p.List(s.ctx(), providers.Filter{})), providers.ErrClosed)
	_, err = p.Watch(s.ctx(), providers.Filter{})
	s.wantErr("Watch", err, providers.ErrClosed)
	if st := p.Status(); st.Ready || st.Degraded == "" {
		t.Errorf("Status of a closed provider = %+v", st)
	}
}

func testStatus(t *testing.T, s *suite) {
	p := s.open()
	st := p.Status()
	if !st.Ready || st.Degraded != "" || st.Entries != 0 || st.MaxEntries <= 0 {
		t.Errorf("Status of an empty provider = %+v", st)
	}
	var rev uint64
	for i := range 5 {
		rev = s.put(p, fmt.Sprint("r", i), "n", "v")
	}
	s.watch(p, providers.Filter{})
	st = p.Status()
	if !st.Ready || st.Entries != 5 || st.Revision != rev || st.Watchers != 1 || st.Resets != 0 {
		t.Errorf("Status = %+v; want 5 entries, revision %d, 1 watcher", st, rev)
	}
}

// testConcurrent has writers, deleters, readers and watchers at once. Each key
// has one writer, whose values count up: nobody may see them count down.
func testConcurrent(t *testing.T, s *suite) {
	p := s.open()
	const writers, rounds = 4, 150
	var wg, watchers sync.WaitGroup
	var stop atomic.Bool
	ctx := s.ctx()
	fail := func(format string, args ...any) { t.Errorf(format, args...); stop.Store(true) }
	for i := range 2 {
		w := s.watch(p, providers.Filter{})
		seen := map[providers.Key]int{}
		watchers.Go(func() {
			for ev := range w.Events() {
				if ev.Kind != providers.Changed || ev.Entry.Deleted {
					continue
				}
				var n int
				fmt.Sscan(string(ev.Entry.Value), &n)
				if n < seen[ev.Entry.Key] {
					fail("watcher %d: %v went from %d to %d", i, ev.Entry.Key, seen[ev.Entry.Key], n)
				}
				seen[ev.Entry.Key] = n
				if len(seen) == writers && !slices.ContainsFunc(mapValues(seen), func(n int) bool { return n < rounds }) {
					return
				}
			}
			fail("watcher %d ended early: %v; saw %v", i, w.Err(), seen)
		})
	}
	for i := range writers {
		k := providers.Key{Route: "r", Node: fmt.Sprint("n", i)}
		wg.Go(func() {
			for n := 1; n <= rounds && !stop.Load(); n++ {
				if n%50 == 0 {
					if err := p.Delete(ctx, k); err != nil {
						fail("Delete: %v", err)
					}
				}
				if _, err := p.Put(ctx, k, fmt.Append(nil, n)); err != nil {
					fail("Put: %v", err)
					return
				}
				e, err := p.Get(ctx, k)
				if err != nil || string(e.Value) != fmt.Sprint(n) {
					fail("own write %d read as %q, %v", n, e.Value, err)
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range rounds {
				for e, err := range p.List(ctx, providers.Filter{Route: "r"}) {
					if err != nil || e.Key.Route != "r" {
						fail("List: %+v, %v", e, err)
					}
				}
				p.Status()
			}
		})
	}
	wg.Wait()
	watchers.Wait()
}

func mapValues(m map[providers.Key]int) []int {
	var v []int
	for _, n := range m {
		v = append(v, n)
	}
	return v
}

func testReopen(t *testing.T, s *suite) {
	if s.Reopen == nil {
		t.Skip("not durable")
	}
	p := s.open()
	var last uint64
	for i := range 50 {
		last = s.put(p, fmt.Sprint("r", i), "n", fmt.Sprint("v", i))
	}
	s.del(p, "r3", "n")
	if err := p.Close(s.ctx()); err != nil {
		t.Fatal(err)
	}
	q := s.Reopen(t)
	s.closeLater(q)
	got := s.list(q, providers.Filter{})
	if len(got) != 49 {
		t.Errorf("%d entries after reopening; want 49", len(got))
	}
	s.wantGet(q, "r7", "n", "v7")
	s.wantNone(q, "r3", "n")
	if rev := s.put(q, "r7", "n", "new"); rev <= last {
		t.Errorf("revision %d after reopening; it was %d before", rev, last)
	}
}

func testBound(t *testing.T, s *suite) {
	if s.OpenBounded == nil {
		t.Skip("no bound given")
	}
	const n = 5
	p := s.OpenBounded(t, n)
	s.closeLater(p)
	w := s.watch(p, providers.Filter{})
	state := map[providers.Key]string{}
	for i := range n {
		s.put(p, fmt.Sprint("r", i), "n", "v")
	}
	s.follow(w, state, func(providers.Event) bool { return len(state) == n })
	// Make 0 and 1 the most recently used: by a write and by a read.
	s.put(p, "r0", "n", "w")
	s.wantGet(p, "r1", "n", "v")

	_, err := p.Put(s.ctx(), providers.Key{Route: "new", Node: "n"}, []byte("v"))
	if !s.Evicts {
		s.wantErr("Put beyond the bound", err, providers.ErrFull)
		if st := p.Status(); st.Refused != 1 || st.Entries != n {
			t.Errorf("Status = %+v; want 1 refused and %d entries", st, n)
		}
		s.put(p, "r2", "n", "overwriting is possible")
		s.del(p, "r3", "n")
		s.put(p, "new", "n", "v")
		return
	}
	if err != nil {
		t.Fatalf("Put beyond the bound: %v", err)
	}
	s.wantNone(p, "r2", "n") // the oldest neither read nor written since
	s.follow(w, state, isDelete("r2", "n"))
	s.put(p, "new2", "n", "v")
	s.put(p, "new3", "n", "v") // r3 and r4 go; r0 and r1 stay
	for _, r := range []string{"r3", "r4"} {
		s.wantNone(p, r, "n")
	}
	s.wantGet(p, "r0", "n", "w")
	s.wantGet(p, "r1", "n", "v")
	if st := p.Status(); st.Evictions != 3 || st.Entries != n || st.MaxEntries != n {
		t.Errorf("Status = %+v; want 3 evictions and %d entries", st, n)
	}
}

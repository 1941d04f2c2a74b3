package scenarios

import (
	"context"
	"iter"
	"math/rand/v2"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/providers"
)

// exchange is what the nodes of a simulated fleet share state through: a bucket
// whose news reach each node late, or not at all.
type exchange struct {
	env   *sim.Env
	rand  *rand.Rand
	f     *Fleet
	nodes []*end
}

// end is the exchange as one node sees it.
type end struct {
	x     *exchange
	index int
	name  string
	seen  map[providers.Key]providers.Entry
	call  func(providers.Event)
	rev   uint64
	puts  int
}

var _ providers.Direct = (*end)(nil)

func newExchange(env *sim.Env, f *Fleet) *exchange {
	return &exchange{env: env, f: f, rand: rand.New(rand.NewPCG(env.Rand.Uint64(), 11))}
}

func (x *exchange) end(name string) *end {
	e := &end{x: x, index: len(x.nodes), name: name, seen: make(map[providers.Key]providers.Entry)}
	x.nodes = append(x.nodes, e)
	return e
}

// cut reports whether node i is cut off from the others now.
func (x *exchange) cut(i int) bool { return i == x.f.Cut.Node && x.f.Cut.During.Holds(seconds(x.env)) }

// Put implements [providers.Provider].
func (e *end) Put(_ context.Context, key providers.Key, value []byte) (uint64, error) {
	x := e.x
	e.rev++
	e.puts++
	entry := providers.Entry{Key: key, Value: value, Revision: e.rev}
	e.seen[key] = entry
	if x.cut(e.index) {
		return 0, providers.ErrUnavailable
	}
	for _, to := range x.nodes {
		if to == e || x.cut(to.index) || x.rand.Float64() < x.f.Loss {
			continue
		}
		delay := float64(x.f.Delay) * (0.5 + x.rand.Float64())
		x.env.At(x.env.Now()+int64(delay), func() { to.deliver(entry) })
	}
	return e.rev, nil
}

func (e *end) deliver(entry providers.Entry) {
	e.seen[entry.Key] = entry
	if e.call != nil {
		e.call(providers.Event{Kind: providers.Changed, Entry: entry})
	}
}

// Direct implements [providers.Direct].
func (e *end) Direct(call func(providers.Event)) { e.call = call }

// Get implements [providers.Provider].
func (e *end) Get(_ context.Context, key providers.Key) (providers.Entry, error) {
	if entry, ok := e.seen[key]; ok {
		return entry, nil
	}
	return providers.Entry{}, providers.ErrNotFound
}

// Delete implements [providers.Provider].
func (e *end) Delete(_ context.Context, key providers.Key) error {
	delete(e.seen, key)
	return nil
}

// List implements [providers.Provider].
func (e *end) List(_ context.Context, f providers.Filter) iter.Seq2[providers.Entry, error] {
	return func(yield func(providers.Entry, error) bool) {
		for _, n := range e.x.nodes { // in a fixed order
			for key, entry := range e.seen {
				if key.Node == n.name && f.Match(key) && !yield(entry, nil) {
					return
				}
			}
		}
	}
}

// Watch implements [providers.Provider]; it is never called where Direct is.
func (e *end) Watch(context.Context, providers.Filter) (providers.Watcher, error) {
	return nil, providers.ErrUnavailable
}

// Status implements [providers.Provider].
func (e *end) Status() providers.Status { return providers.Status{Ready: true} }

// Close implements [providers.Provider].
func (e *end) Close(context.Context) error { return nil }

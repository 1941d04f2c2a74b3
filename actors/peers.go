package actors

import (
	"context"
	"time"

	"github.com/atrion-io/atrion/internal/route"
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/providers"
)

// MaxPeers is how many other nodes a route listens to. What further ones say is
// counted and not heard.
const MaxPeers = 64

// peers is what other nodes last said of a route. Who reads it has a list that
// does not change; a change makes another.
type peers struct {
	said []physics.Peer
	from []speaker // of said, in the same order
	news bool      // something was said that the actor has not heard
}

type speaker struct {
	node      string
	life, seq uint64
}

// rank orders nodes for a route: FNV-1a of both names, mixed. Every node must
// come to the same order, so it depends on nothing else.
func rank(node, route string) uint64 {
	h := uint64(14695981039346656037)
	for _, part := range [...]string{node, "\x00", route} {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * 1099511628211
		}
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// hear takes in what another node said of the route, if it is later than what
// that node said before.
func (r *Route) hear(node string, e *envelope, st physics.State, heard int64) {
	r.box.mu.Lock()
	heardIt := r.note(node, e, st, heard)
	if heardIt && (r.box.running || !r.box.retired) {
		r.awaken(true)
		return
	}
	r.box.mu.Unlock()
	if !heardIt {
		r.sys.counters.unheard.Add(1)
	}
}

// note is hear for who holds the mailbox's lock, and wakes nobody.
func (r *Route) note(node string, e *envelope, st physics.State, heard int64) bool {
	old := r.peers
	if old == nil {
		old = &peers{}
	}
	at := len(old.from)
	for i := range old.from {
		if old.from[i].node == node {
			at = i
		}
	}
	if at == len(old.from) && (at == MaxPeers || st == nil) {
		return false
	}
	if at < len(old.from) && st != nil && !e.later(old.from[at].life, old.from[at].seq) {
		return false
	}
	next := &peers{news: true, said: append([]physics.Peer(nil), old.said...), from: append([]speaker(nil), old.from...)}
	if st == nil { // nothing is known of it any more
		next.said, next.from = append(next.said[:at], next.said[at+1:]...), append(next.from[:at], next.from[at+1:]...)
		r.peers = next
		return true
	}
	if at == len(next.from) {
		next.said, next.from = append(next.said, physics.Peer{}), append(next.from, speaker{})
	}
	next.said[at] = physics.Peer{Rank: rank(node, r.name), State: st, Heard: heard}
	next.from[at] = speaker{node, e.life, e.seq}
	r.peers = next
	return true
}

// heard takes in a change at the provider.
func (s *System) heard(e *providers.Entry) {
	own := e.Key.Node == s.cfg.Node
	if e.Key.Route == presenceRoute {
		s.present.note(e.Key.Node, e.Deleted)
		return
	}
	r := s.registry.table.get(e.Key.Route)
	if e.Deleted {
		if r != nil && !own {
			r.hear(e.Key.Node, nil, nil, 0)
		}
		return
	}
	env, err := openEnvelope(e.Value)
	if err != nil {
		s.counters.unheard.Add(1)
		return
	}
	if own {
		s.outlive(env.life, r, env.seq)
		return
	}
	// A route that nobody has asked about here finds what was said of it when
	// somebody does.
	if r == nil || len(env.share) == 0 {
		return
	}
	st, at, err := s.read(r.regimeOf(), &env, e.Age)
	if err != nil {
		s.counters.unheard.Add(1)
		return
	}
	s.counters.heard.Add(1)
	r.hear(e.Key.Node, &env, st, at)
}

// outlive makes this life later than one that is stored under this node's name:
// a former one, or that of another process which was given the same name.
func (s *System) outlive(life uint64, r *Route, seq uint64) {
	mine := s.life.Load()
	if life < mine || life == mine && (r == nil || r.pub.Load() == nil || seq <= r.pub.Load().Revision) {
		return
	}
	if s.life.CompareAndSwap(mine, life+1) && s.counters.saves.Load() > 0 {
		s.cfg.Logger.Warn("another process stores states under this node's name, or did before", "node", s.cfg.Node)
	}
	if r != nil && r.saved.Load() != nil {
		r.saved.Store(nil)
		s.saver.enqueue(r, 1)
	}
}

// gather is what others have said of a route, from the provider.
func (s *System) gather(ctx context.Context, name string, g *Regime, each func(node string, e *envelope, st physics.State, heard int64)) {
	if _, ok := g.blank.State.(physics.Shared); !ok {
		return
	}
	for e, err := range s.cfg.Provider.List(ctx, providers.Filter{Route: name}) {
		if err != nil {
			s.counters.loadErrors.Add(1)
			return
		}
		if e.Key.Node == s.cfg.Node {
			continue
		}
		if env, st, at, err := s.open(g, &e); err == nil && len(env.share) > 0 {
			each(e.Key.Node, &env, st, at)
		}
	}
}

// informed is first with what others have said of the route taken into account.
func (s *System) informed(name string, g *Regime, first *Published, said []physics.Peer) *Published {
	nodes := s.present.count()
	if len(said) == 0 && (nodes < 2 || first.Revision > 0) {
		return first
	}
	if _, ok := first.State.(physics.Shared); !ok {
		return first
	}
	b := s.batches.Get().(*physics.Batch)
	b.Reset()
	at := max(s.cfg.Clock.Now(), first.At)
	b.Time[0] = at
	s.address(b, name, said)
	b.Nodes = nodes
	next := g.law.NewState()
	next.Advance(first.State, b)
	b.Reset()
	s.batches.Put(b)
	p := s.published(next, first.Revision, at)
	if p.foreign = first.Revision == 0; !p.foreign {
		p.Revision++
	}
	return p
}

// address puts into b what other nodes said of the route of that name.
func (s *System) address(b *physics.Batch, name string, said []physics.Peer) {
	b.Peers, b.Rank, b.Every = said, rank(s.cfg.Node, name), int64(s.cfg.SaveInterval)
}

// add returns what notes things said in p, which nobody else knows yet.
func (p *peers) add(route string) func(node string, e *envelope, st physics.State, heard int64) {
	return func(node string, e *envelope, st physics.State, heard int64) {
		if len(p.said) < MaxPeers {
			p.said = append(p.said, physics.Peer{Rank: rank(node, route), State: st, Heard: heard})
			p.from = append(p.from, speaker{node, e.life, e.seq})
		}
	}
}

// Preview is what a route would begin with that this system does not have: what
// it stored of it before, and what other nodes say. nil: nobody knows anything.
// It leaves no trace.
func (s *System) Preview(name string) *Published {
	if route.Validate(name) != nil {
		return nil
	}
	first, known := s.recall(name)
	if first.Revision == 0 && (known == nil || len(known.said) == 0) {
		return nil
	}
	return first
}

// recallContext bounds the wait for what is stored of one route.
func (s *System) recallContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), max(s.cfg.LoadTimeout, time.Millisecond))
}

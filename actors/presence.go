package actors

import (
	"context"
	"sync"
	"time"

	"github.com/atrion-io/atrion/providers"
)

// presenceRoute is the key under which nodes say that they exist. No route can
// have that name.
const presenceRoute = "*"

// presenceEvery is how often a node says so again. What it says outlives it by
// the provider's time to live, which does little harm: see presence.
const (
	presenceEvery = 10 * time.Minute
	presenceRetry = time.Second
)

// presence is the nodes that share a provider. A route that nobody knows begins
// the more carefully the more there are; nothing else depends on it.
type presence struct {
	mu    sync.Mutex
	nodes map[string]struct{}
}

func (p *presence) note(node string, gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case gone:
		delete(p.nodes, node)
	case len(p.nodes) < 2*MaxPeers:
		if p.nodes == nil {
			p.nodes = make(map[string]struct{})
		}
		p.nodes[node] = struct{}{}
	}
}

func (p *presence) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.nodes)
}

// announce says that this node exists, and returns when to say it again.
func (s *System) announce(ctx context.Context) time.Duration {
	s.present.note(s.cfg.Node, false)
	if _, err := s.cfg.Provider.Put(ctx, providers.Key{Route: presenceRoute, Node: s.cfg.Node}, nil); err != nil {
		return presenceRetry
	}
	return presenceEvery
}

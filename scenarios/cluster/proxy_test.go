//go:build linux

package cluster

import (
	"net"
	"sync"
	"testing"
)

// proxies are the links between members where the machine has no namespaces for
// us: one for each pair and direction.
type proxies struct {
	t     *testing.T
	links map[[2]int]*proxy
}

// proxy is one link. While it is cut, what is sent into it is lost, and nobody
// is told.
type proxy struct {
	lis    net.Listener
	target string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

// throughProxies puts a proxy into every link of the fleet.
func (f *fleet) throughProxies() {
	f.t.Helper()
	f.links = &proxies{t: f.t, links: map[[2]int]*proxy{}}
	for i := range f.nodes {
		for j, target := range f.nodes {
			if i == j {
				continue
			}
			lis, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				f.t.Fatal(err)
			}
			p := &proxy{lis: lis, target: target.cluster, conns: map[net.Conn]bool{}}
			f.links.links[[2]int{i, j}] = p
			go p.serve()
			f.t.Cleanup(func() { lis.Close(); p.cut(true); p.cut(false) })
		}
	}
}

// addr is where node i finds node j.
func (p *proxies) addr(i, j int) string { return p.links[[2]int{i, j}].lis.Addr().String() }

// isolate cuts all links of node i, or heals them.
func (p *proxies) isolate(i int, down bool) {
	for pair, link := range p.links {
		if pair[0] == i || pair[1] == i {
			link.cut(down)
		}
	}
}

func (p *proxy) serve() {
	for {
		a, err := p.lis.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.conns[a] = true // held open and silent while the link is down
		down := p.down
		p.mu.Unlock()
		if down {
			continue
		}
		b, err := net.Dial("tcp", p.target)
		if err != nil {
			a.Close()
			continue
		}
		p.mu.Lock()
		p.conns[b] = true
		p.mu.Unlock()
		go p.pump(a, b)
		go p.pump(b, a)
	}
}

func (p *proxy) pump(from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		down := p.down
		p.mu.Unlock()
		if err == nil && !down {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			from.Close()
			to.Close()
			p.mu.Lock()
			delete(p.conns, from)
			delete(p.conns, to)
			p.mu.Unlock()
			return
		}
	}
}

// cut cuts the link, or heals it: a connection that has lost something is of no
// use then.
func (p *proxy) cut(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	if !down {
		for c := range p.conns {
			c.Close()
			delete(p.conns, c)
		}
	}
}

package natskv

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// gate is a connection's way to the server, which can be cut or held.
type gate struct {
	l      net.Listener
	target string

	mu     sync.Mutex
	cond   *sync.Cond
	closed bool // new connections are turned away
	frozen bool // nothing gets through, and nobody is told
	conns  map[net.Conn]bool
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{l: l, target: strings.TrimPrefix(target, "nats://"), conns: map[net.Conn]bool{}}
	g.cond = sync.NewCond(&g.mu)
	go g.accept()
	t.Cleanup(func() { l.Close(); g.thaw(); g.shut() })
	return g
}

func (g *gate) url() string { return "nats://" + g.l.Addr().String() }

func (g *gate) accept() {
	for {
		client, err := g.l.Accept()
		if err != nil {
			return
		}
		g.mu.Lock()
		closed := g.closed
		g.mu.Unlock()
		var server net.Conn
		if !closed {
			server, err = net.Dial("tcp", g.target)
		}
		if closed || err != nil {
			client.Close()
			continue
		}
		g.mu.Lock()
		g.conns[client], g.conns[server] = true, true
		g.mu.Unlock()
		go g.copy(client, server)
		go g.copy(server, client)
	}
}

func (g *gate) copy(dst, src net.Conn) {
	defer dst.Close()
	defer src.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := src.Read(b)
		if err != nil {
			return
		}
		g.mu.Lock()
		for g.frozen {
			g.cond.Wait()
		}
		g.mu.Unlock()
		if _, err := dst.Write(b[:n]); err != nil {
			return
		}
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for c := range g.conns {
		c.Close()
	}
	clear(g.conns)
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = true
}

func (g *gate) thaw() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = false
	g.cond.Broadcast()
}

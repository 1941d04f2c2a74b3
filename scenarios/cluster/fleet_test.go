//go:build linux

package cluster

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// node is a member in a process of its own.
type node struct {
	name    string
	url     string // for clients
	cluster string // host:port for the other members
	store   string
	netns   *namespace // nil: this machine's network

	mu    sync.Mutex
	cmd   *exec.Cmd // nil: not running
	ended chan struct{}
	fell  int64 // when it ended last, unix ns
	log   lockedBuffer
	conn  *nats.Conn // of the clients; it reconnects to this node for ever
}

// fleet is a cluster under test.
type fleet struct {
	t     *testing.T
	bin   string
	nodes []*node
	links *proxies // nil: members reach each other directly
	extra []string // arguments of every node
}

var build = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv(inNamespace); bin != "" {
		return bin, nil
	}
	dir, err := os.MkdirTemp("", "atrion-cluster-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "atrion-node")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/atrion-io/atrion/cmd/atrion-node").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	table.print()
	if os.Getenv(wanted) != "" && os.Getenv(inNamespace) == "" {
		if bin, err := build(); err == nil {
			os.RemoveAll(filepath.Dir(bin))
		}
	}
	os.Exit(code)
}

const wanted = "ATRION_CLUSTER"

// newFleet makes a fleet of that many nodes, none of which runs yet.
func newFleet(t *testing.T, size int) *fleet {
	t.Helper()
	if os.Getenv(wanted) == "" {
		t.Skip("takes minutes; set " + wanted + "=1")
	}
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, bin: bin}
	for i := range size {
		f.nodes = append(f.nodes, &node{
			name: fmt.Sprintf("n%d", i+1), url: "nats://" + freeAddr(t), cluster: freeAddr(t), store: t.TempDir(),
		})
	}
	t.Cleanup(func() {
		for _, n := range f.nodes {
			n.signal(syscall.SIGCONT)
			n.signal(syscall.SIGKILL)
			n.wait()
			if n.conn != nil {
				n.conn.Close()
			}
			if t.Failed() {
				t.Logf("the end of %s's log:\n%s", n.name, n.log.tail(4000))
			}
		}
	})
	return f
}

// freeAddr is an address that nobody listens on, below the ports that outgoing
// connections get: one of those could take it while its owner is down.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000))
		if lis, err := net.Listen("tcp", addr); err == nil {
			lis.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// start starts node i and does not wait for it.
func (f *fleet) start(i int) {
	f.t.Helper()
	n := f.nodes[i]
	routes := make([]string, len(f.nodes))
	for j, other := range f.nodes {
		routes[j] = "nats://" + other.cluster
		if f.links != nil && j != i {
			routes[j] = "nats://" + f.links.addr(i, j)
		}
	}
	args := []string{
		"--node", n.name, "--listen", strings.TrimPrefix(n.url, "nats://"), "--store-dir", n.store,
		"--cluster-name", "suite", "--cluster-listen", n.cluster, "--routes", strings.Join(routes, ","),
	}
	args = append(args, f.extra...)
	if f.links != nil {
		// Members tell each other where they are, and would go around the
		// proxies: nobody is at the address they tell.
		args = append(args, "--cluster-advertise", "127.0.0.1:1")
	}
	cmd := exec.Command(f.bin, args...)
	if n.netns != nil {
		args = append(args, "--listen-insecure")
		cmd = n.netns.command(f.bin, args)
	}
	cmd.Stderr = &n.log
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	if n.netns != nil {
		if err := n.netns.enter(cmd.Process.Pid); err != nil {
			f.t.Fatal(err)
		}
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	n.mu.Lock()
	n.cmd, n.ended = cmd, ended
	n.mu.Unlock()
	if n.conn == nil {
		conn, err := nats.Connect(n.url, nats.Name("client"), nats.RetryOnFailedConnect(true), nats.IgnoreDiscoveredServers(),
			nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0), nats.ReconnectBufSize(-1),
			nats.Timeout(time.Second), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			f.t.Fatal(err)
		}
		n.conn = conn
	}
}

func (f *fleet) startAll() {
	f.t.Helper()
	for i := range f.nodes {
		f.start(i)
	}
}

// signal sends a signal to the node's process, if it runs.
func (n *node) signal(s syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		_ = n.cmd.Process.Signal(s)
	}
}

// wait waits for the end of the process.
func (n *node) wait() {
	n.mu.Lock()
	ended := n.ended
	n.mu.Unlock()
	if ended != nil {
		<-ended
	}
	n.mu.Lock()
	n.cmd, n.ended, n.fell = nil, nil, time.Now().UnixNano()
	n.mu.Unlock()
}

// kill is kill -9.
func (n *node) kill() {
	n.signal(syscall.SIGKILL)
	n.wait()
}

// terminate is a graceful stop; the exit code must be 0 if it is wanted clean.
func (n *node) terminate() int {
	n.mu.Lock()
	cmd := n.cmd
	n.mu.Unlock()
	n.signal(syscall.SIGTERM)
	n.wait()
	return cmd.ProcessState.ExitCode()
}

// running are the nodes that have a process.
func (f *fleet) running() (alive []*node) {
	for _, n := range f.nodes {
		n.mu.Lock()
		if n.cmd != nil {
			alive = append(alive, n)
		}
		n.mu.Unlock()
	}
	return alive
}

// lockedBuffer keeps the last part of a log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() > 4<<20 {
		l.b.Reset()
	}
	return l.b.Write(p)
}

func (l *lockedBuffer) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.b.Bytes()
	return string(b[max(0, len(b)-n):])
}

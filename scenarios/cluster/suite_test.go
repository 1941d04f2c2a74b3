//go:build linux

package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/atrion-io/atrion/client"
)

const within = 90 * time.Second

// up starts a fleet, and traffic on it, and waits until the failing route is
// shed by every node.
func up(t *testing.T, f *fleet) *traffic {
	t.Helper()
	f.startAll()
	for _, n := range f.nodes {
		for end := time.Now().Add(within); !n.conn.IsConnected(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s is not up:\n%s", n.name, n.log.tail(2000))
			}
		}
	}
	tr := startTraffic(f)
	t.Cleanup(tr.end)
	t.Logf("up after %v", f.converge(f.nodes, within))
	for end := time.Now().Add(within); !tr.allJudged(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the failing route is not shed by every node")
		}
	}
	return tr
}

// but are the nodes without those.
func (f *fleet) but(out ...int) (rest []*node) {
next:
	for i, n := range f.nodes {
		for _, o := range out {
			if i == o {
				continue next
			}
		}
		rest = append(rest, n)
	}
	return rest
}

// restart starts node i again, whose first decisions are judged by themselves.
func (f *fleet) restart(tr *traffic, i int) {
	f.t.Helper()
	tr.anew(f.nodes[i].name, f.nodes[i].fell)
	f.start(i)
}

// finish ends the traffic and books what the fault has cost.
func (f *fleet) finish(tr *traffic, fault string, during, after time.Duration) {
	f.t.Helper()
	tr.end()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	r := row{
		fault: fault, asked: tr.asked.Load(), lost: tr.lost.Load(), retried: tr.retried.Load(),
		slowest: time.Duration(tr.slowest.Load()), reopened: tr.reopened, during: during, after: after,
	}
	table.add(r.String())
	f.t.Logf("%s; decisions by node %v; passed on the routes %v; %d reports; %d first answers after a restart judged", r, tr.by, tr.passed, tr.reports.Load(), tr.first)
	if r.lost != 0 || r.reopened != 0 {
		f.t.Errorf("%d decisions lost, %d wrong re-openings; want none", r.lost, r.reopened)
	}
	for _, n := range f.nodes {
		if log := n.log.tail(4 << 20); strings.Contains(log, "panic:") {
			f.t.Errorf("%s crashed:\n%s", n.name, log[strings.Index(log, "panic:"):])
		}
	}
	if r.asked < 100 {
		f.t.Errorf("only %d decisions: nothing was tested", r.asked)
	}
	// Clients that move to another node are load that it does not know yet.
	if p := tr.passed[wellRoute]; 2*p[0] < p[1] {
		f.t.Errorf("%d of %d passed on the route that is well", p[0], p[1])
		for _, n := range f.running() {
			var x client.Explanation
			f.t.Logf("%v %s", n.request("explain."+wellRoute, &x), x.Text)
		}
	}
}

// TestSmoke is the suite in a minute: the leader of three dies.
func TestSmoke(t *testing.T) {
	f := newFleet(t, 3)
	tr := up(t, f)
	leader := f.leader()
	tr.mark(t)
	f.nodes[leader].kill()
	f.finish(tr, "3 nodes, smoke: kill -9 of the stream leader", f.converge(f.but(leader), within), 0)
}

func TestKillLeader(t *testing.T) {
	f := newFleet(t, 3)
	tr := up(t, f)
	leader := f.leader()
	tr.mark(t)
	f.nodes[leader].kill()
	during := f.converge(f.but(leader), within)
	f.restart(tr, leader)
	f.finish(tr, "3 nodes: kill -9 of the stream leader, restart", during, f.converge(f.nodes, within))
}

// TestKillAndRestart: whoever is back at once still knows what was tripped.
func TestKillAndRestart(t *testing.T) {
	f := newFleet(t, 3)
	tr := up(t, f)
	tr.mark(t)
	var longest, last time.Duration
	for i, n := range f.nodes {
		n.kill()
		f.restart(tr, i)
		last = f.converge(f.nodes, within)
		longest = max(longest, last)
	}
	f.finish(tr, "3 nodes: kill -9 and restart at once, one after the other", longest, last)
}

func TestKillTwoOfFive(t *testing.T) {
	f := newFleet(t, 5)
	f.extra = []string{"--state-replicas", "5"} // two of three replicas gone would be no quorum
	tr := up(t, f)
	leader := f.leader()
	other := (leader + 1) % 5
	tr.mark(t)
	f.nodes[leader].kill()
	f.nodes[other].kill()
	during := f.converge(f.but(leader, other), within)
	f.restart(tr, leader)
	f.restart(tr, other)
	f.finish(tr, "5 nodes, 5 replicas: kill -9 of two, the stream leader among them, restart", during, f.converge(f.nodes, within))
}

func TestStop(t *testing.T) {
	f := newFleet(t, 3)
	tr := up(t, f)
	leader := f.leader()
	tr.mark(t)
	f.nodes[leader].signal(syscall.SIGSTOP)
	during := f.converge(f.but(leader), within)
	tr.anew(f.nodes[leader].name, 0)
	f.nodes[leader].signal(syscall.SIGCONT)
	f.finish(tr, "3 nodes: SIGSTOP of the stream leader, SIGCONT", during, f.converge(f.nodes, within))
}

func TestRollingRestart(t *testing.T) {
	f := newFleet(t, 3)
	tr := up(t, f)
	tr.mark(t)
	var longest, last time.Duration
	for i, n := range f.nodes {
		if code := n.terminate(); code != 0 {
			t.Errorf("%s: exit %d", n.name, code)
		}
		f.restart(tr, i)
		last = f.converge(f.nodes, within)
		longest = max(longest, last)
	}
	f.finish(tr, "3 nodes: rolling restart", longest, last)
}

// TestLinksCut isolates the stream leader from the other members; its clients
// still reach it. In namespaces of its own where the machine lets us, else, and
// also then, through proxies.
func TestLinksCut(t *testing.T) {
	f := newFleet(t, 3)
	switch bin := os.Getenv(inNamespace); {
	case bin != "":
		f.separate()
	default:
		if err := networkAllowed(); err != nil {
			t.Skipf("no network namespaces here, TestLinksCutByProxy does without: %v", err)
		}
		rerun(t, f.bin)
		return
	}
	tr := up(t, f)
	leader := f.leader()
	tr.mark(t)
	ns := f.nodes[leader].netns
	if err := ns.cut(true); err != nil {
		t.Fatal(err)
	}
	during := f.converge(f.but(leader), within)
	f.wantDegraded(leader)
	if err := ns.cut(false); err != nil {
		t.Fatal(err)
	}
	f.finish(tr, "3 nodes: links of the stream leader cut (namespaces), healed", during, f.converge(f.nodes, within))
}

func TestLinksCutByProxy(t *testing.T) {
	f := newFleet(t, 3)
	f.throughProxies()
	tr := up(t, f)
	leader := f.leader()
	tr.mark(t)
	f.links.isolate(leader, true)
	during := f.converge(f.but(leader), within)
	f.wantDegraded(leader)
	f.links.isolate(leader, false)
	f.finish(tr, "3 nodes: links of the stream leader cut (proxies), healed", during, f.converge(f.nodes, within))
}

// wantDegraded waits until the node says that it is.
func (f *fleet) wantDegraded(i int) {
	f.t.Helper()
	var health struct{ Status string }
	for end := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		if err := f.nodes[i].request("health", &health); err == nil && health.Status == "degraded" {
			return
		}
		if time.Now().After(end) {
			f.t.Errorf("%s is %q while it should be degraded", f.nodes[i].name, health.Status)
			return
		}
	}
}

func TestFullDisk(t *testing.T) {
	f := newFleet(t, 3)
	const sick = 0
	if err := syscall.Mount("tmpfs", f.nodes[sick].store, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(f.nodes[sick].store, syscall.MNT_DETACH) })
	tr := up(t, f)
	tr.mark(t)
	ballast, err := os.Create(filepath.Join(f.nodes[sick].store, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	during := f.converge(f.but(sick), within)
	time.Sleep(5 * time.Second) // on the full disk
	if err := os.Remove(ballast.Name()); err != nil {
		t.Fatal(err)
	}
	ballast.Close()
	f.nodes[sick].terminate()
	f.restart(tr, sick)
	f.finish(tr, "3 nodes: disk of one full, room made, restart", during, f.converge(f.nodes, within))
}

// TestCorruptStore damages the store of a killed node. What its store had is there
// again in the end, read from that very store.
func TestCorruptStore(t *testing.T) {
	f := newFleet(t, 3)
	tr := up(t, f)
	sick := f.leader()
	for i := range 200 { // more than one block's last entries, to have something to damage
		tr.report(fmt.Sprintf("suite/old%d", i), slices.Repeat([]client.Sample{failure}, 8)...)
	}
	f.converge(f.nodes, within)
	tr.mark(t)
	f.nodes[sick].kill()
	during := f.converge(f.but(sick), within)
	blocks, err := filepath.Glob(filepath.Join(f.nodes[sick].store, "jetstream", "*", "streams", "KV_"+stateBucket, "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks to damage: %v", err)
	}
	for _, name := range blocks {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := len(b) / 2; i < min(len(b)/2+64, len(b)); i++ {
			b[i] ^= 0xff
		}
		if err := os.WriteFile(name, b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	before, err := f.but(sick)[0].keys()
	if err != nil {
		t.Fatal(err)
	}
	f.restart(tr, sick)
	f.finish(tr, "3 nodes: the bucket of a killed node damaged, restart", during, f.converge(f.nodes, within))
	f.lead(sick)
	after, err := f.nodes[sick].keys()
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for _, key := range before {
		if !slices.Contains(after, key) {
			missing++
		}
	}
	t.Logf("%d blocks damaged; %d of %d keys missing in that store", len(blocks), missing, len(before))
	if missing > 0 {
		t.Errorf("%d keys are lost with the damaged blocks", missing)
	}
}

//go:build linux

package cluster

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atrion-io/atrion/client"
	"github.com/atrion-io/atrion/physics"
)

// How the clients ask; see the package comment.
const (
	attemptTimeout = 200 * time.Millisecond
	requestTimeout = 3 * time.Second
	askers         = 6
	askPause       = 5 * time.Millisecond
	reportPause    = 10 * time.Millisecond
	openWindow     = 20 // decisions in a row

	// A route remembers failure for a second or so. Who was away for longer than
	// this may have forgotten it, and has to be told by its first calls.
	memory = 2 * time.Second
)

// The two routes of the traffic.
const (
	wellRoute    = "suite/well"
	failingRoute = "suite/failing"
)

// How calls end, on the one and on the other.
var failure = client.Sample{Latency: 50 * time.Millisecond, Outcome: physics.Error}

var outcome = map[string]client.Sample{wellRoute: {Latency: 5 * time.Millisecond}, failingRoute: failure}

// traffic asks and reports until it is stopped.
type traffic struct {
	fleet *fleet
	stop  context.CancelFunc
	wg    sync.WaitGroup

	asked, retried, lost, reports atomic.Int64
	slowest                       atomic.Int64 // ns, of those that were answered

	mu       sync.Mutex
	opening  map[string]*window // of the failing route, by node
	reopened int
	first    int               // first answers of restarted nodes that were judged
	passed   map[string][2]int // route: allowed, of
	by       map[string]int    // decisions by node
}

// window is what a node said lately about the failing route.
type window struct {
	judged       bool  // it has shed the route, so that opening it would be wrong
	fell         int64 // when it ended, unix ns, if it was restarted and not asked since
	asked, allow int
}

func startTraffic(f *fleet) *traffic {
	ctx, stop := context.WithCancel(context.Background())
	tr := &traffic{fleet: f, stop: stop, opening: map[string]*window{}, passed: map[string][2]int{}, by: map[string]int{}}
	for i := range askers {
		tr.wg.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				tr.ask(ctx, []string{wellRoute, failingRoute}[n%2])
				time.Sleep(askPause)
			}
		})
	}
	// Others fail as well: often enough that every node remembers little else of
	// the route.
	tr.wg.Go(func() {
		failed := slices.Repeat([]client.Sample{failure}, 8)
		for ctx.Err() == nil {
			tr.report(failingRoute, failed...)
			time.Sleep(reportPause)
		}
	})
	return tr
}

// end stops the traffic and waits for what is under way.
func (tr *traffic) end() {
	tr.stop()
	tr.wg.Wait()
}

// report tells what others saw of a route, through the first node, from a random
// one on, that takes it. Whoever was allowed to call tells the node that said so.
func (tr *traffic) report(route string, s ...client.Sample) {
	first := rand.IntN(len(tr.fleet.nodes))
	for i := range tr.fleet.nodes {
		n := tr.fleet.nodes[(first+i)%len(tr.fleet.nodes)]
		if n.conn != nil && n.conn.IsConnected() && client.New(n.conn).Report(route, s...) == nil {
			tr.reports.Add(1)
			return
		}
	}
}

// ask is one request, sent to one node after the other until it is answered.
func (tr *traffic) ask(ctx context.Context, route string) {
	nodes := tr.fleet.nodes
	begin := time.Now()
	at := rand.IntN(len(nodes))
	for attempt := 0; ; at++ {
		n := nodes[at%len(nodes)]
		if n.conn == nil || !n.conn.IsConnected() {
			if time.Since(begin) > requestTimeout {
				break
			}
			if at%len(nodes) == 0 {
				time.Sleep(time.Millisecond) // nobody may be there
			}
			continue
		}
		bound, cancel := context.WithTimeout(context.Background(), attemptTimeout)
		d, err := client.New(n.conn).Decide(bound, route, client.Request{Hold: true})
		cancel()
		took := time.Since(begin)
		if err == nil {
			tr.asked.Add(1)
			if attempt > 0 {
				tr.retried.Add(1)
			}
			for slowest := tr.slowest.Load(); int64(took) > slowest && !tr.slowest.CompareAndSwap(slowest, int64(took)); {
				slowest = tr.slowest.Load()
			}
			tr.answered(route, d)
			if d.Allow {
				end := outcome[route]
				time.Sleep(end.Latency) // the call
				end.Permit = d.Permit
				if client.New(n.conn).Report(route, end) == nil {
					tr.reports.Add(1)
				}
			}
			return
		}
		attempt++
		if took > requestTimeout {
			break
		}
		if err != nil && took < time.Millisecond {
			time.Sleep(time.Millisecond) // refused at once: do not spin
		}
	}
	if ctx.Err() == nil {
		tr.asked.Add(1)
		tr.lost.Add(1)
	}
}

func (tr *traffic) answered(route string, d client.Decision) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.by[d.Node]++
	p := tr.passed[route]
	if d.Allow {
		p[0]++
	}
	p[1]++
	tr.passed[route] = p
	if route != failingRoute {
		return
	}
	w := tr.opening[d.Node]
	if w == nil {
		w = &window{}
		tr.opening[d.Node] = w
	}
	if w.fell != 0 && time.Since(time.Unix(0, w.fell)) < memory {
		tr.first++
		if d.Mode != "circuit_breaker" {
			tr.reopened++ // it has forgotten that the route was tripped
		}
	}
	w.fell = 0
	w.asked++
	if d.Allow {
		w.allow++
	}
	if w.asked < openWindow {
		return
	}
	if open := w.allow > openWindow/2; open && w.judged {
		tr.reopened++
	} else if !open {
		w.judged = true
	}
	w.asked, w.allow = 0, 0
}

// allJudged reports whether every node has shed the failing route.
func (tr *traffic) allJudged() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, n := range tr.fleet.nodes {
		if w := tr.opening[n.name]; w == nil || !w.judged {
			return false
		}
	}
	return true
}

// anew begins a new window for a node that comes back; fell is when it ended, 0
// if it did not.
func (tr *traffic) anew(name string, fell int64) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if w := tr.opening[name]; w != nil {
		w.fell, w.asked, w.allow = fell, 0, 0
	}
}

// mark begins to count, at the time of a fault: what was before it was the start
// of the fleet. It fails if a node has not shed the failing route, for then nothing
// could be wrong.
func (tr *traffic) mark(t *testing.T) {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, c := range []*atomic.Int64{&tr.asked, &tr.retried, &tr.lost, &tr.reports, &tr.slowest} {
		c.Store(0)
	}
	tr.reopened = 0
	clear(tr.by)
	clear(tr.passed)
	for _, n := range tr.fleet.running() {
		w := tr.opening[n.name]
		if w == nil || !w.judged {
			t.Errorf("%s has not shed the failing route before the fault", n.name)
			continue
		}
		w.asked, w.allow = 0, 0
	}
}

package scenarios

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/internal/vtime"
	"github.com/atrion-io/atrion/physics"
)

// Fleet is several gateways before one callee, each with an engine of its own,
// that exchange state in the product's own way. The zero value of a field means
// what its comment says.
type Fleet struct {
	Nodes    int           // 0: 3
	Alone    bool          // they do not exchange anything
	Interval time.Duration // least time between two things that a node says of a route; 0: 100 ms
	Delay    time.Duration // mean time that what is said is on its way, half as much more or less; 0: 2 ms
	Loss     float64       // share of what is said that does not reach a node
	Shares   []float64     // of the traffic, by node; nil: all the same
	Cut      Cut           // a node that cannot be reached, nor reach anybody, for a time
	Bad      Bad           // nodes whose own path to the callee fails
	Log      *FleetLog     // filled by the run; nil: nothing is recorded
}

// FleetLog is what happened at each node, second by second.
type FleetLog struct {
	Asked, Passed, Served [][]int // [node][second] attempts
	Told                  []int   // states that the node wrote
}

// Cut is a node that is cut off for a time.
type Cut struct {
	Node   int
	During sim.Interval
	Dead   bool // it is not there at all: the balancer sends it nothing
}

// Bad is nodes that have a fault of their own for a time, such as their network:
// that share of their calls fails, and answers take so much longer to reach them.
type Bad struct {
	Nodes  []int
	During sim.Interval
	Fails  float64
	Slow   time.Duration
}

// Arm returns the fleet as an arm under law (nil: the default).
func (f Fleet) Arm(law physics.Law) sim.Factory {
	return func(env *sim.Env) sim.Controller {
		if f.Nodes == 0 {
			f.Nodes = 3
		}
		if f.Interval == 0 {
			f.Interval = 100 * time.Millisecond
		}
		if f.Delay == 0 {
			f.Delay = 2 * time.Millisecond
		}
		g := &gateways{f: &f, env: env, rand: rand.New(rand.NewPCG(env.Rand.Uint64(), 7))}
		x := newExchange(env, &f)
		for i := range f.Nodes {
			c := atrion.Config{Law: law, Clock: env.Loop.(*vtime.Loop), Random: env.Rand.Float64, SaveInterval: f.Interval}
			if !f.Alone {
				c.Node = fmt.Sprintf("node-%d", i)
				e := x.end(c.Node)
				c.Provider = e
				g.ends = append(g.ends, e)
			}
			g.nodes = append(g.nodes, engine(c))
		}
		return g
	}
}

// gateways is a fleet at work.
type gateways struct {
	f       *Fleet
	env     *sim.Env
	rand    *rand.Rand
	nodes   []*product
	ends    []*end
	tickets sim.Tickets[passed]
}

// passed is a call under way through a node.
type passed struct {
	node   int
	ticket sim.Ticket
}

// Admit asks one of the nodes, as a balancer would choose it.
func (g *gateways) Admit(a sim.Attempt) (sim.Ticket, bool) {
	i := g.choose()
	if g.f.Log != nil {
		g.f.Log.count(&g.f.Log.Asked, i, g.second())
	}
	t, ok := g.nodes[i].Admit(a)
	if g.f.Log != nil && ok {
		g.f.Log.count(&g.f.Log.Passed, i, g.second())
	}
	if !ok {
		return 0, false
	}
	return g.tickets.Put(passed{i, t}), true
}

func (g *gateways) choose() int {
	i := g.draw()
	for c := &g.f.Cut; c.Dead && i == c.Node && c.During.Holds(seconds(g.env)); {
		i = g.draw()
	}
	return i
}

func (g *gateways) draw() int {
	if g.f.Shares == nil {
		return g.rand.IntN(len(g.nodes))
	}
	u := g.rand.Float64()
	for i, s := range g.f.Shares {
		if u -= s; u < 0 {
			return i
		}
	}
	return len(g.nodes) - 1
}

// Done ends the permit at the node that gave it.
func (g *gateways) Done(t sim.Ticket, latency float64, k sim.Kind) {
	p := g.tickets.Take(t)
	bad := slices.Contains(g.f.Bad.Nodes, p.node) && g.f.Bad.During.Holds(seconds(g.env))
	if bad && g.f.Bad.Fails > 0 && g.rand.Float64() < g.f.Bad.Fails {
		k = sim.Fail
	}
	if bad && g.f.Bad.Slow > 0 {
		g.env.At(g.env.Now()+int64(g.f.Bad.Slow), func() { g.nodes[p.node].Done(p.ticket, latency, k) })
		return
	}
	if g.f.Log != nil && k == sim.OK {
		g.f.Log.count(&g.f.Log.Served, p.node, g.second())
	}
	g.nodes[p.node].Done(p.ticket, latency, k)
}

// Inspect shows the first node.
func (g *gateways) Inspect() sim.Gauge { return g.nodes[0].Inspect() }

// Close closes the engines.
func (g *gateways) Close() {
	for _, n := range g.nodes {
		n.Close()
	}
	if g.f.Log != nil {
		for _, e := range g.ends {
			g.f.Log.Told = append(g.f.Log.Told, e.puts)
		}
	}
}

func (g *gateways) second() int { return int(seconds(g.env)) }

// seconds is how long the run has been going on.
func seconds(env *sim.Env) float64 { return float64(env.Now()-vtime.Start) / 1e9 }

func (l *FleetLog) count(of *[][]int, node, second int) {
	for len(*of) <= node {
		*of = append(*of, nil)
	}
	for len((*of)[node]) <= second {
		(*of)[node] = append((*of)[node], 0)
	}
	(*of)[node][second]++
}

// Sum adds up a node's seconds from one to another.
func Sum(of [][]int, node, from, to int) (n int) {
	if node < len(of) {
		for s := from; s < to && s < len(of[node]); s++ {
			n += of[node][s]
		}
	}
	return n
}

package bus_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/client"
	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/natskv"
)

// TestAffinityMeasured prints what it costs and gives when any node of a fleet
// decides a request (a queue group, as on a NATS that nodes have joined), the node
// that its client is connected to (as in an embedded cluster), and the one node of
// its route (affinity). The cluster has three servers with a node each, which share
// what they learn through a bucket. It judges nothing.
//
//	ATRION_MEASURE=1 go test ./bus -run AffinityMeasured -v
func TestAffinityMeasured(t *testing.T) {
	if os.Getenv("ATRION_MEASURE") == "" {
		t.Skip("set ATRION_MEASURE=1")
	}
	for range 2 {
		for _, mode := range []string{"any", "local", "affinity"} {
			f := cluster(t, mode)
			t.Log(mode)
			f.latency()
			f.throughput()
			f.overload(10 * time.Second)
			f.killOwner()
			f.close()
		}
	}
}

// clustered is a fleet whose nodes have a server each.
type clustered struct {
	*fleet
	urls    []string
	servers []*bus.Embedded
}

var three = []string{"a", "b", "c"}

func cluster(t *testing.T, mode string) *clustered {
	t.Helper()
	var ports []int
	var routes []string
	for range three {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		routes = append(routes, "nats://"+l.Addr().String())
		l.Close()
	}
	f := &clustered{fleet: &fleet{t: t, nodes: map[string]*fleetNode{}}}
	for i, name := range three {
		s, err := bus.StartEmbedded(bus.EmbeddedConfig{
			Port: -1, StoreDir: t.TempDir(), ServerName: name, Affinity: mode == "affinity",
			Cluster: &bus.ClusterConfig{Name: "c", Host: "127.0.0.1", Port: ports[i], Routes: routes},
		})
		if err != nil {
			t.Fatal(err)
		}
		f.servers, f.urls = append(f.servers, s), append(f.urls, s.ClientURL())
	}
	f.eventually("the cluster has a quorum", func() bool {
		return f.servers[0].Trouble() == "" && f.servers[1].Trouble() == "" && f.servers[2].Trouble() == ""
	})
	for i, name := range three {
		f.url = f.urls[i]
		f.fleet.nc = f.dial()
		f.fleet.state = func() providers.Provider {
			kv, err := natskv.Open(context.Background(), f.dial(), natskv.Config{Bucket: "STATE", Memory: true, Replicas: 3, TTL: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			return kv
		}
		f.start(name, mode == "affinity")
		if mode == "local" {
			if err := f.servers[i].Localize(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if mode == "affinity" {
		f.alone(three...)
	}
	f.ask = client.New(f.fleet.nc)
	f.eventually("all nodes can be asked", func() bool {
		seen := map[string]bool{}
		for _, c := range f.clients(30) {
			d, err := c.Decide(context.Background(), fmt.Sprint("warm", rand.IntN(100)), client.Request{})
			seen[d.Node] = err == nil
		}
		return len(seen) == 3
	})
	return f
}

func (f *clustered) close() {
	for _, name := range three {
		f.stop(name)
	}
	for _, s := range f.servers {
		_ = s.Close()
	}
}

// clients are connections to each of the servers in turn.
func (f *clustered) clients(n int) (cs []*client.Client) {
	for i := range n {
		nc, err := nats.Connect(f.urls[i%len(f.urls)])
		if err != nil {
			f.t.Fatal(err)
		}
		f.t.Cleanup(nc.Close)
		cs = append(cs, client.New(nc))
	}
	return cs
}

// latency asks one thing after the other, from each server.
func (f *clustered) latency() {
	var took []time.Duration
	cs := f.clients(3)
	for i := range 9000 {
		began := time.Now()
		if _, err := cs[i%3].Decide(context.Background(), someRoutes[i%len(someRoutes)], client.Request{Voltage: 100}); err != nil {
			f.t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	f.t.Logf("one at a time: p50 %v, p99 %v", took[len(took)/2], took[len(took)*99/100])
}

// throughput asks with 96 callers, five times: other work on the machine shows.
func (f *clustered) throughput() {
	const callers, each = 96, 500
	cs := f.clients(callers)
	var rates []int
	for range 5 {
		var wg sync.WaitGroup
		began := time.Now()
		for g, c := range cs {
			wg.Go(func() {
				for i := range each {
					if _, err := c.Decide(context.Background(), someRoutes[(g*7+i)%len(someRoutes)], client.Request{Voltage: 100}); err != nil {
						f.t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		rates = append(rates, int(callers*each/time.Since(began).Seconds()))
	}
	slices.Sort(rates)
	f.t.Logf("%d callers: %d decisions/s", callers, rates)
}

// overload asks three times what a callee of 16 servers of 20 ms can do, with
// permits, and looks at the route's resistance at each node that decides it.
func (f *clustered) overload(length time.Duration) {
	const servers, work, callers = 16, 20 * time.Millisecond, 240
	route := "overloaded"
	seats := make(chan struct{}, servers)
	var good, late, shed atomic.Uint64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, c := range f.clients(callers) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				tier := []string{"critical", "normal", "bulk"}[rand.IntN(3)]
				d, err := c.Decide(context.Background(), route, client.Request{Tier: tier, Hold: true})
				if err != nil {
					f.t.Error(err)
					return
				}
				if !d.Allow {
					shed.Add(1)
					time.Sleep(time.Duration(50+rand.IntN(100)) * time.Millisecond)
					continue
				}
				began := time.Now()
				seats <- struct{}{}
				time.Sleep(time.Duration(rand.ExpFloat64() * float64(work)))
				<-seats
				took := time.Since(began)
				if took < time.Second {
					good.Add(1)
				} else {
					late.Add(1)
				}
				_ = c.Report(route, client.Sample{Permit: d.Permit, Latency: took})
			}
		})
	}
	time.Sleep(length / 2)
	g0 := good.Load()
	var spread, mean float64
	n := 0
	limits := map[string]float64{}
	for end := time.Now().Add(length / 2); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		low, high := math.Inf(1), 0.0
		for _, name := range three {
			x, err := f.nodes[name].eng.Explain(route, 1e-3)
			if err != nil || x.Limit == 0 {
				continue // this node does not decide it
			}
			limits[name] = math.Round(x.Limit)
			low, high = min(low, x.Decision.Resistance), max(high, x.Decision.Resistance)
		}
		spread, mean, n = spread+high-low, mean+high, n+1
	}
	rate := float64(good.Load()-g0) / (length.Seconds() / 2)
	close(stop)
	wg.Wait()
	unknown, expired := uint64(0), uint64(0)
	for _, node := range f.nodes {
		st := node.service.Stats()
		unknown, expired = unknown+st.UnknownPermits, expired+st.HoldsExpired
	}
	f.t.Logf("overload: goodput %.0f/s of %.0f, late %d, shed %d; R %.3g ohm on average at the highest node, %.3g between highest and lowest; limits %v; %d permits reported to a node that did not give them, %d expired",
		rate, float64(servers)*float64(time.Second/work), late.Load(), shed.Load(), mean/float64(n), spread/float64(n), limits, unknown, expired)
}

// killOwner kills the node of a route and sees how long it is not decided, for a
// client of the house and for one that does not ask elsewhere.
func (f *clustered) killOwner() {
	route := "orphan"
	who := f.owner(route)
	i := (slices.Index(three, who) + 1) % 3
	nc, err := nats.Connect(f.urls[i])
	if err != nil {
		f.t.Fatal(err)
	}
	defer nc.Close()
	c := client.New(nc)
	f.kill(who)
	began := time.Now()
	var silent, worst time.Duration
	nobody, asked, plain, lost := 0, 0, 0, 0
	for time.Since(began) < 5*time.Second {
		at := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
		d, err := c.Decide(ctx, route, client.Request{})
		cancel()
		asked++
		worst = max(worst, time.Since(at))
		if err != nil || d.Node == who {
			nobody++
		}
		if _, err := nc.Request("atrion.route."+route, nil, 250*time.Millisecond); err != nil {
			if errors.Is(err, nats.ErrNoResponders) {
				plain++
			} else {
				lost++
			}
			silent = time.Since(began)
		}
		time.Sleep(time.Millisecond)
	}
	f.t.Logf("node of a route killed: package client: %d of %d not answered, slowest %v; plain requests: %d of %d told that nobody is there and %d not answered in 250 ms, the last after %v", nobody, asked, worst.Round(time.Microsecond), plain, asked, lost, silent.Round(time.Millisecond))
}

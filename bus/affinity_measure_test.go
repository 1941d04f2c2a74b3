package bus_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/client"
)

// TestAffinityMeasured prints what the queue group and affinity cost and give, on
// a cluster of three servers with a node each. It judges nothing.
//
//	ATRION_MEASURE=1 go test ./bus -run AffinityMeasured -v
func TestAffinityMeasured(t *testing.T) {
	if os.Getenv("ATRION_MEASURE") == "" {
		t.Skip("set ATRION_MEASURE=1")
	}
	for _, affinity := range []bool{false, true, false, true} {
		t.Run(fmt.Sprintf("affinity=%v", affinity), func(t *testing.T) {
			f := cluster(t, affinity)
			f.latency()
			f.throughput()
			f.overload(10 * time.Second)
			f.killOwner()
		})
	}
}

// clustered is a fleet whose nodes have a server each.
type clustered struct {
	*fleet
	urls []string
}

var three = []string{"a", "b", "c"}

func cluster(t *testing.T, affinity bool) *clustered {
	t.Helper()
	var ports []int
	for range three {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		l.Close()
	}
	f := &clustered{fleet: &fleet{t: t, nodes: map[string]*fleetNode{}}}
	for i, name := range three {
		s, err := bus.StartEmbedded(bus.EmbeddedConfig{
			Port: -1, StoreDir: t.TempDir(), ServerName: name, Affinity: affinity,
			Configure: func(o *server.Options) {
				o.JetStream, o.Cluster.Name, o.Cluster.Host, o.Cluster.Port = false, "c", "127.0.0.1", ports[i]
				for _, p := range ports {
					o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", p)})
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		f.urls = append(f.urls, s.ClientURL())
	}
	for i, name := range three {
		f.url = f.urls[i]
		f.fleet.nc = f.dial()
		f.start(name, affinity)
	}
	if affinity {
		f.alone(three...)
	}
	f.ask = client.New(f.fleet.nc)
	f.eventually("all nodes can be asked", func() bool {
		seen := map[string]bool{}
		for i := range 60 {
			seen[f.owner(fmt.Sprint("warm", i))] = true
		}
		return len(seen) == 3
	})
	return f
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

// throughput asks with 96 callers.
func (f *clustered) throughput() {
	const callers, each = 96, 1500
	var wg sync.WaitGroup
	began := time.Now()
	for g, c := range f.clients(callers) {
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
	f.t.Logf("%d callers: %.0f decisions/s", callers, callers*each/time.Since(began).Seconds())
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
		low, high := 0.0, 0.0
		for i, name := range three {
			x, err := f.nodes[name].eng.Explain(route, 1e-3)
			if err != nil {
				continue // this node does not decide it
			}
			limits[name] = math.Round(x.Limit)
			if r := x.Decision.Resistance; i == 0 || len(limits) == 1 {
				low, high = r, r
			} else {
				low, high = min(low, r), max(high, r)
			}
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

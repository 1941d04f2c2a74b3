package node

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/client"
)

// clusterConfigs are the configurations of n members on free ports.
func clusterConfigs(t *testing.T, n int) []Config {
	t.Helper()
	routes := make([]string, n)
	configs := make([]Config, n)
	for i := range n {
		addr := freeAddr(t)
		routes[i] = "nats://" + addr
		configs[i] = testConfig(t)
		configs[i].Node = fmt.Sprintf("n%d", i+1)
		configs[i].Monitor = "127.0.0.1:0"
		configs[i].Cluster.Name, configs[i].Cluster.Listen = "test", addr
	}
	for i := range configs {
		configs[i].Cluster.Routes = routes
	}
	return configs
}

// startAll starts nodes at the same time.
func startAll(t *testing.T, configs []Config) []*Node {
	t.Helper()
	nodes := make([]*Node, len(configs))
	errs := make([]error, len(configs))
	var wg sync.WaitGroup
	for i, c := range configs {
		wg.Go(func() { nodes[i], errs[i] = Start(context.Background(), c, slog.New(slog.DiscardHandler)) })
	}
	wg.Wait()
	for i, n := range nodes {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		t.Cleanup(func() { stop(t, n) })
	}
	return nodes
}

// stop stops a node, if it has not been stopped. A cluster that is being taken
// apart has nobody left to write states to.
func stop(t *testing.T, n *Node) {
	t.Helper()
	if n.ready.Load() {
		if err := n.Stop(); err != nil {
			t.Logf("Stop: %v", err)
		}
	}
}

func status(t *testing.T, n *Node) (status, mode, degraded string) {
	t.Helper()
	code, v := get(t, "http://"+n.monitor.addr()+"/healthz")
	if code != 200 {
		t.Fatalf("healthz: %d", code)
	}
	return v["status"].(string), v["mode"].(string), fmt.Sprint(v["degraded"])
}

func connectTo(t *testing.T, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// A cluster of three makes one bucket of three replicas, however many of them
// try at once; with one member left there is no quorum, the member says so and
// goes on deciding, and takes its bucket up again when another comes back.
func TestCluster(t *testing.T) {
	t.Parallel() // most of it is waiting
	configs := clusterConfigs(t, 3)
	nodes := startAll(t, configs)
	for _, n := range nodes {
		waitFor(t, "all members well", func() bool {
			s, mode, _ := status(t, n)
			return s == "ok" && mode == "cluster"
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nc := connectTo(t, nodes[0].URL())
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, "KV_ATRION_STATE")
	if err != nil {
		t.Fatal(err)
	}
	if info := stream.CachedInfo(); info.Config.Replicas != 3 || info.Config.Storage != jetstream.FileStorage {
		t.Errorf("bucket %+v", info.Config)
	}
	for _, n := range nodes { // a client is answered where it is connected
		for range 10 {
			d, err := client.New(connectTo(t, n.URL())).Decide(ctx, "where", client.Request{})
			if err != nil || d.Node != n.cfg.Node {
				t.Fatalf("a client of %s was answered by %s, %v", n.cfg.Node, d.Node, err)
			}
		}
	}
	// What one member learned is written; each can be asked alone, through any.
	for range 60 {
		if err := client.New(nc).Report("r", client.Sample{Latency: 900 * time.Millisecond, ErrorRate: 0.5, Saturation: 0.9}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		var health bus.Health
		ask(t, nc, "atrion.node."+n.cfg.Node+".health", &health)
		if health.Node != n.cfg.Node || health.Mode != "cluster" {
			t.Errorf("asked %s: %+v", n.cfg.Node, health)
		}
	}
	waitFor(t, "something is stored", func() bool {
		info, err := stream.Info(ctx)
		return err == nil && info.State.Msgs > 0
	})

	stop(t, nodes[1])
	stop(t, nodes[2])
	waitFor(t, "degraded without a quorum", func() bool {
		s, _, why := status(t, nodes[0])
		return s == "degraded" && strings.Contains(why, "no quorum") && strings.Contains(why, "1 of 3 members")
	})
	out, errs, code := cli(t, "", "ask", "another", "-s", nodes[0].URL())
	if code != exitOK {
		t.Errorf("a decision without a quorum: %q %q %d", out, errs, code)
	}
	again := startAll(t, configs[1:2])[0]
	for _, n := range []*Node{nodes[0], again} {
		waitFor(t, "well with two of three", func() bool { s, _, _ := status(t, n); return s == "ok" })
	}
	cli(t, "", "report", "late", "--error-rate", "1", "--count", "60", "-s", nodes[0].URL())
	waitFor(t, "written again", func() bool {
		return nodes[0].engine.Stats().SaveQueue == 0 && again.engine.Stats().SaveQueue == 0
	})
}

func ask(t *testing.T, nc *nats.Conn, subject string, v any) {
	t.Helper()
	m, err := nc.Request(subject, nil, 5*time.Second)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	if err := json.Unmarshal(m.Data, v); err != nil {
		t.Fatal(err)
	}
}

// A member alone, before any other was ever there, serves within the bound.
func TestClusterMemberAlone(t *testing.T) {
	t.Parallel() // most of it is waiting
	c := clusterConfigs(t, 3)[0]
	before := time.Now()
	n := startAll(t, []Config{c})[0]
	if d := time.Since(before); d < joinTimeout || d > 6*joinTimeout {
		t.Errorf("ready after %v; want the bound of %v and not much more", d, joinTimeout)
	}
	if _, errs, code := cli(t, "", "ask", "r", "-s", n.URL()); code != exitOK {
		t.Errorf("ask: %q %d", errs, code)
	}
	if s, mode, why := status(t, n); s != "degraded" || mode != "cluster" || !strings.Contains(why, "no quorum") {
		t.Errorf("%s %s %s", s, mode, why)
	}
}

func TestModeErrors(t *testing.T) {
	alone := startNode(t, testConfig(t))
	store := alone.cfg.StoreDir
	if err := alone.Stop(); err != nil {
		t.Fatal(err)
	}
	routes := "nats://" + freeAddr(t)
	member := []string{"--listen", "127.0.0.1:-1", "--cluster-name", "c", "--cluster-listen", freeAddr(t), "--routes", routes}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"store of another mode": {append(member, "--store-dir", store), "was written in mode standalone, which a server in mode cluster would destroy"},
		"no name":               {[]string{"--cluster-listen", "127.0.0.1:0", "--routes", routes}, `cluster.name is ""`},
		"no address":            {[]string{"--cluster-name", "c", "--routes", routes}, `cluster.listen is ""`},
		"no routes":             {[]string{"--cluster-name", "c", "--cluster-listen", "127.0.0.1:6222"}, "cluster.routes is empty"},
		"two modes":             {append(member, "--nats", routes), "nats and cluster are set together"},
		"leaf of nothing":       {[]string{"--leaf-remotes", "hub", "--listen", "127.0.0.1:-1", "--store-dir", t.TempDir()}, `"hub"`},
		"cluster port taken":    {[]string{"--listen", "127.0.0.1:-1", "--store-dir", t.TempDir(), "--cluster-name", "c", "--cluster-listen", taken(t), "--routes", routes}, "another with --cluster-listen"},
		"open cluster address":  {[]string{"--listen", "127.0.0.1:-1", "--store-dir", t.TempDir(), "--cluster-name", "c", "--cluster-listen", "0.0.0.0:6222", "--routes", routes}, "without authentication"},
		"password in a route":   {[]string{"--listen", "127.0.0.1:-1", "--store-dir", t.TempDir(), "--cluster-name", "c", "--cluster-listen", freeAddr(t), "--routes", "nats://u:MARKER@127.0.0.1:1"}, "password"},
	} {
		_, errs, code := cli(t, "", append([]string{"serve"}, c.args...)...)
		lines := strings.Split(strings.TrimSpace(errs), "\n")
		if last := lines[len(lines)-1]; code != exitFail || !strings.HasPrefix(last, "atrion-node serve: ") || !strings.Contains(last, c.want) || strings.Contains(errs, "MARKER") {
			t.Errorf("%s: exit %d, %q lacks %q", name, code, errs, c.want)
		}
	}
}

// taken is an address that somebody listens on.
func taken(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	return lis.Addr().String()
}

// hub is somebody's NATS system with room for leaves; domain "" is one without
// JetStream.
func hub(t *testing.T, leafPort int, store, domain string) *server.Server {
	t.Helper()
	return hubOf(t, func(o *server.Options) {
		o.LeafNode.Port, o.JetStream, o.StoreDir, o.JetStreamDomain = leafPort, domain != "", store, domain
	})
}

func hubOf(t *testing.T, configure func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStreamMaxMemory: 1 << 28, JetStreamMaxStore: 4 << 30}
	o.LeafNode.Host = "127.0.0.1"
	configure(o)
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the hub is not ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func leafNode(t *testing.T, name, hubAddr string) Config {
	c := testConfig(t)
	c.Node, c.Monitor = name, "127.0.0.1:0"
	c.Leaf.Remotes = []string{"nats-leaf://" + hubAddr}
	return c
}

// Leaves keep their states in the hub's JetStream, where all of them are seen,
// answer their own clients themselves, and go on alone when the hub is away.
func TestLeaf(t *testing.T) {
	t.Parallel() // most of it is waiting
	addr, store := freeAddr(t), t.TempDir()
	_, port, err := splitAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	h := hub(t, port, store, "hub")
	nodes := startAll(t, []Config{leafNode(t, "l1", addr), leafNode(t, "l2", addr)})
	for _, n := range nodes {
		waitFor(t, "leaf well", func() bool { s, mode, _ := status(t, n); return s == "ok" && mode == "leaf" })
		nc := connectTo(t, n.URL())
		for i := range 20 {
			d, err := client.New(nc).Decide(t.Context(), fmt.Sprintf("local%d", i), client.Request{})
			if err != nil || d.Node != n.cfg.Node {
				t.Fatalf("a client of %s was answered by %s, %v", n.cfg.Node, d.Node, err)
			}
		}
		for range 60 {
			if err := client.New(nc).Report("r", client.Sample{ErrorRate: 1, Saturation: 0.9, Latency: time.Second}); err != nil {
				t.Fatal(err)
			}
		}
	}
	js, err := jetstream.New(connectTo(t, h.ClientURL()))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "both leaves' states in the hub's bucket", func() bool {
		kv, err := js.KeyValue(t.Context(), "ATRION_STATE")
		if err != nil {
			return false
		}
		keys, err := kv.Keys(t.Context())
		return err == nil && strings.Contains(fmt.Sprint(keys), "r.l1") && strings.Contains(fmt.Sprint(keys), "r.l2")
	})

	h.Shutdown()
	h.WaitForShutdown()
	for _, n := range nodes {
		waitFor(t, "degraded without the hub", func() bool {
			s, _, why := status(t, n)
			return s == "degraded" && strings.Contains(why, "cut off from its hub")
		})
		if out, errs, code := cli(t, "", "ask", "r", "-s", n.URL()); code != exitShed {
			t.Errorf("a tripped route without the hub: %q %q %d", out, errs, code)
		}
	}
	hub(t, port, store, "hub")
	for _, n := range nodes {
		waitFor(t, "well again", func() bool { s, _, _ := status(t, n); return s == "ok" })
	}
}

// A hub without JetStream: the leaf works alone and says what is missing; with
// its own domain named it keeps its state itself.
func TestLeafKeepsItsOwn(t *testing.T) {
	t.Parallel() // most of it is waiting
	addr := freeAddr(t)
	_, port, err := splitAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	hub(t, port, t.TempDir(), "")
	c := leafNode(t, "l.1", addr)
	n := startAll(t, []Config{c})[0]
	if s, _, why := status(t, n); s != "degraded" || !strings.Contains(why, "state.domain") {
		t.Errorf("%s, %s", s, why)
	}
	stop(t, n)
	c.Domain = c.leafDomain()
	n = startAll(t, []Config{c})[0]
	waitFor(t, "well with its own bucket", func() bool { s, _, _ := status(t, n); return s == "ok" })
	if _, _, code := cli(t, "", "report", "r", "--error-rate", "1", "--latency", "1s", "--count", "60", "-s", n.URL()); code != exitOK {
		t.Error("report")
	}
	waitFor(t, "stored here", func() bool { return n.engine.Stats().Saves > 0 })
	if found, _ := filepath.Glob(filepath.Join(c.StoreDir, "jetstream", "*", "streams", "KV_ATRION_STATE")); len(found) != 1 {
		t.Errorf("no bucket under %s: %v", c.StoreDir, found)
	}
}

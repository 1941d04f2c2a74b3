package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion"
)

// pair is two members of a cluster, each with a service of its own.
func pair(t *testing.T) (members [2]*Embedded, services [2]*Service) {
	t.Helper()
	var ports [2]int
	var routes []string
	for i := range ports {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = lis.Addr().(*net.TCPAddr).Port
		routes = append(routes, "nats://"+lis.Addr().String())
		lis.Close()
	}
	for i := range members {
		members[i] = startTest(t, EmbeddedConfig{
			Port: -1, ServerName: fmt.Sprintf("m%d", i), StoreDir: t.TempDir(),
			Cluster: &ClusterConfig{Name: "pair", Host: "127.0.0.1", Port: ports[i], Routes: routes},
		})
	}
	for i, e := range members {
		eng, err := atrion.New(atrion.Config{})
		if err != nil {
			t.Fatal(err)
		}
		telemetry, err := e.Connect("telemetry")
		if err != nil {
			t.Fatal(err)
		}
		decisions, err := e.Connect("decisions")
		if err != nil {
			t.Fatal(err)
		}
		if services[i], err = Serve(telemetry, decisions, eng, Options{Node: fmt.Sprintf("$1 m.%d", i)}); err != nil { // a name that a mapping could misread
			t.Fatal(err)
		}
		t.Cleanup(func() { services[i].Drain(context.Background()); eng.Close(context.Background()) })
	}
	return members, services
}

// answers are who answered n requests of a client of e.
func answers(t *testing.T, nc *nats.Conn, n int) map[string]int {
	t.Helper()
	by := map[string]int{}
	for range n {
		m, err := nc.Request("atrion.route.a.b", []byte("{}"), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var d struct{ Node, Route string }
		if err := json.Unmarshal(m.Data, &d); err != nil || d.Route != "a.b" {
			t.Fatalf("%s, %v", m.Data, err)
		}
		by[d.Node]++
	}
	return by
}

// Clients of a member are answered and heard by its own node, until it is about
// to stop: then by the other one.
func TestLocalize(t *testing.T) {
	members, services := pair(t)
	nc, err := nats.Connect(members[0].ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	both := func() {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); len(answers(t, nc, 50)) != 2; {
			if time.Now().After(end) {
				t.Fatal("the members share no requests")
			}
		}
	}
	both()
	for i, e := range members {
		if err := e.Localize(fmt.Sprintf("$1 m.%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if by := answers(t, nc, 50); by["$1 m.0"] != 50 {
		t.Errorf("answered by %v; want m.0 alone", by)
	}
	before := services[1].Stats().TelemetryMessages
	for range 50 {
		if err := nc.Publish("atrion.telemetry.a.b", []byte(`{"latencyMs":5}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); services[0].Stats().TelemetrySamples < 50; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("m.0 heard %d of 50 reports", services[0].Stats().TelemetrySamples)
		}
	}
	if n := services[1].Stats().TelemetryMessages; n != before {
		t.Errorf("m.1 heard %d reports of m.0's client", n-before)
	}
	members[0].Delocalize()
	both()
	if err := services[0].Drain(within(t)); err != nil {
		t.Fatal(err)
	}
	if by := answers(t, nc, 50); by["$1 m.1"] != 50 {
		t.Errorf("answered by %v while m.0 stops; want m.1 alone", by)
	}
}

func TestClusterRefusesConfig(t *testing.T) {
	good := ClusterConfig{Name: "c", Host: "127.0.0.1", Port: -1, Routes: []string{"nats://127.0.0.1:1"}}
	with := func(change func(*EmbeddedConfig, *ClusterConfig)) EmbeddedConfig {
		cluster := good
		c := EmbeddedConfig{Port: -1, StoreDir: t.TempDir(), Cluster: &cluster}
		change(&c, &cluster)
		return c
	}
	for _, c := range []struct {
		change func(*EmbeddedConfig, *ClusterConfig)
		says   string
	}{
		{func(_ *EmbeddedConfig, c *ClusterConfig) { c.Name = "" }, "Cluster.Name"},
		{func(_ *EmbeddedConfig, c *ClusterConfig) { c.Port = 0 }, "Cluster.Port is 0; allowed: 1..65535"},
		{func(_ *EmbeddedConfig, c *ClusterConfig) { c.Routes = nil }, "Cluster.Routes is empty"},
		{func(_ *EmbeddedConfig, c *ClusterConfig) { c.Routes = []string{"here"} }, `Cluster.Routes has "here"; allowed: scheme://host:port`},
		{func(_ *EmbeddedConfig, c *ClusterConfig) { c.Routes = []string{"nats://u:MARKER@h:1"} }, "Cluster.Routes has a password in"},
		{func(_ *EmbeddedConfig, c *ClusterConfig) { c.Routes = []string{"nats://u:MARKER@h:no port"} }, "Cluster.Routes has"},
		{func(_ *EmbeddedConfig, c *ClusterConfig) { c.Host = "0.0.0.0" }, `Cluster.Host is "0.0.0.0" without authentication`},
		{func(_ *EmbeddedConfig, c *ClusterConfig) { c.Host = "" }, `Cluster.Host is "" without authentication`},
		{func(_ *EmbeddedConfig, c *ClusterConfig) { c.TLS.Cert = "x" }, "both, or neither"},
		{func(e *EmbeddedConfig, _ *ClusterConfig) { e.DontListen = true }, "DontListen is true; allowed: false in a cluster"},
		{func(e *EmbeddedConfig, _ *ClusterConfig) { e.Memory, e.StoreDir = true, "" }, "Memory is true; allowed: false in a cluster"},
		{func(e *EmbeddedConfig, _ *ClusterConfig) { e.Leaf = &LeafConfig{} }, "one of the two"},
		{func(e *EmbeddedConfig, _ *ClusterConfig) { e.Cluster, e.Leaf = nil, &LeafConfig{Domain: "d"} }, "Leaf.Remotes is empty"},
		{func(e *EmbeddedConfig, _ *ClusterConfig) { e.Cluster, e.Leaf = nil, &LeafConfig{Remotes: good.Routes} }, "Leaf.Domain"},
		{func(e *EmbeddedConfig, _ *ClusterConfig) {
			e.Cluster, e.Leaf = nil, &LeafConfig{Remotes: good.Routes, Domain: "a.b"}
		}, "Leaf.Domain"},
	} {
		config := with(c.change)
		wantError(t, config, c.says)
		if _, err := StartEmbedded(config); err != nil && strings.Contains(err.Error(), "MARKER") {
			t.Errorf("%v shows a password", err)
		}
	}
}

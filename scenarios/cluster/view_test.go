//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion/client"
)

const stateBucket = "ATRION_STATE"

// converge waits until the nodes agree, and returns how long that took. What
// they still disagree about at the end fails the test.
func (f *fleet) converge(nodes []*node, within time.Duration) time.Duration {
	f.t.Helper()
	begin := time.Now()
	probe := fmt.Sprintf("suite/probe%d", begin.UnixNano())
	var why string
	for time.Since(begin) < within {
		if why = f.disagree(nodes, probe); why == "" {
			return time.Since(begin)
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.t.Errorf("not converged within %v: %s", within, why)
	return time.Since(begin)
}

// disagree says what is missing before the nodes have converged; "" for nothing.
func (f *fleet) disagree(nodes []*node, probe string) string {
	// Everybody hears of the new route, often enough that each node has some of
	// it to write.
	for i := range 40 * len(nodes) {
		n := nodes[i%len(nodes)]
		if n.conn.IsConnected() {
			_ = client.New(n.conn).Report(probe, failure)
		}
	}
	for _, n := range nodes {
		var health struct {
			Status   string
			Degraded []string
		}
		if err := n.request("health", &health); err != nil {
			return fmt.Sprintf("%s: %v", n.name, err)
		}
		if health.Status != "ok" {
			return fmt.Sprintf("%s: %s: %v", n.name, health.Status, health.Degraded)
		}
		for route, well := range map[string]bool{wellRoute: true, failingRoute: false} {
			var x client.Explanation
			if err := n.request("explain."+route, &x); err != nil {
				return fmt.Sprintf("%s on %s: %v", n.name, route, err)
			}
			if tripped := x.Mode == "circuit_breaker"; tripped == well {
				return fmt.Sprintf("%s: %s is %s", n.name, route, x.Mode)
			}
		}
	}
	token := strings.ReplaceAll(probe, "/", "=2F")
	for _, n := range nodes {
		keys, err := n.keys()
		if err != nil {
			return fmt.Sprintf("the bucket through %s: %v", n.name, err)
		}
		for _, other := range nodes {
			if !slices.Contains(keys, token+"."+other.name) {
				return fmt.Sprintf("the bucket through %s lacks what %s wrote", n.name, other.name)
			}
		}
	}
	return ""
}

// request asks the node for itself, through its own server.
func (n *node) request(what string, v any) error {
	if !n.conn.IsConnected() {
		return fmt.Errorf("not connected")
	}
	m, err := n.conn.Request("atrion.node."+n.name+"."+what, nil, time.Second)
	if err != nil {
		return err
	}
	if text := m.Header.Get("Nats-Service-Error"); text != "" {
		return fmt.Errorf("%s", text)
	}
	return json.Unmarshal(m.Data, v)
}

// keys are the bucket's, read through the node.
func (n *node) keys() ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	js, err := jetstream.New(n.conn)
	if err != nil {
		return nil, err
	}
	kv, err := js.KeyValue(ctx, stateBucket)
	if err != nil {
		return nil, err
	}
	return kv.Keys(ctx)
}

// lead makes node i the leader of the bucket's stream: what is read then is what
// its own store has.
func (f *fleet) lead(i int) {
	f.t.Helper()
	for end := time.Now().Add(within); f.leader() != i; time.Sleep(time.Second) {
		if time.Now().After(end) {
			f.t.Errorf("%s does not become the leader", f.nodes[i].name)
			return
		}
		_, _ = f.nodes[i].conn.Request("$JS.API.STREAM.LEADER.STEPDOWN.KV_"+stateBucket, fmt.Appendf(nil, `{"placement":{"preferred":%q}}`, f.nodes[i].name), 2*time.Second)
	}
}

// leader is the node that leads the bucket's stream.
func (f *fleet) leader() int {
	f.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		js, err := jetstream.New(f.nodes[0].conn)
		if err == nil {
			if stream, e := js.Stream(ctx, "KV_"+stateBucket); e == nil && stream.CachedInfo().Cluster != nil {
				for i, n := range f.nodes {
					if n.name == stream.CachedInfo().Cluster.Leader {
						cancel()
						return i
					}
				}
			}
		}
		cancel()
	}
	f.t.Fatal("the bucket has no leader")
	return 0
}

package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
)

// Of several nodes in one queue group, the one that is named answers.
func TestAskOneNode(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{Node: "n1"})
	eng, _ := r.serve(atrion.Config{}, bus.Options{Node: "a.b c", Mode: "cluster", Trouble: func() string { return "the moon is full" }})
	if err := eng.Observe("only/here", atrion.Telemetry{ErrorRate: 1}); err != nil {
		t.Fatal(err)
	}
	for range 20 { // the queue group would answer half of them wrongly
		if v := r.ask("atrion.node.a%2Eb%20c.explain.only/here", ""); v["node"] != "a.b c" || v["route"] != "only/here" {
			t.Fatalf("%v", v)
		}
		if v := r.ask("atrion.node.n1.explain.only/here", ""); v["code"] != 404.0 {
			t.Fatalf("n1 knows what it was not told: %v", v)
		}
	}
	if v := r.ask("atrion.node.n1.health", ""); v["node"] != "n1" || v["status"] != "ok" {
		t.Errorf("%v", v)
	}
	v := r.ask("atrion.node.a%2Eb%20c.health", "")
	if why, _ := v["degraded"].([]any); v["mode"] != "cluster" || v["status"] != "degraded" || len(why) != 1 || why[0] != "the moon is full" {
		t.Errorf("%v", v)
	}
}

// A node may be asked while it starts: for everything, and at once.
func TestAskedWhileStarting(t *testing.T) {
	r := newRig(t, atrion.Config{}, bus.Options{Node: "first"})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for _, subject := range []string{"atrion.node.n1.health", "atrion.node.n1.route.r", "$SRV.STATS.atrion", "atrion.node.n1.telemetry.r"} {
				_ = r.nc.PublishRequest(subject, "inbox", nil)
			}
			_ = r.nc.Flush()
		}
	}()
	for range 30 {
		_, s := r.serve(atrion.Config{}, bus.Options{Node: "n1"})
		drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := s.Drain(drain); err != nil {
			t.Error(err)
		}
		cancel()
	}
	stop()
	<-done
}

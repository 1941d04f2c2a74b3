package bus_test

import (
	"testing"

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

package client

import (
	"fmt"
	"testing"
	"time"
)

func TestMemory(t *testing.T) {
	now := time.Unix(0, 0)
	m := NewMemory(nil, MemoryOptions{Routes: 2})
	m.now = func() time.Time { return now }
	knows := func(route string, r Request) bool {
		_, ok := m.remembered(route, &r)
		return ok
	}
	shed := func(route string, r float64, retry uint64) {
		m.remember(route, &Decision{Route: route, Voltage: 20, Resistance: r, Reason: "insufficient_voltage", RetryAfterMs: retry})
	}
	if knows("r", Request{Voltage: 1}) {
		t.Error("sheds what it knows nothing about")
	}
	shed("r", 50, 60)
	for _, x := range []struct {
		r    Request
		want bool
	}{
		{Request{Voltage: 20}, true}, {Request{Voltage: 47.8}, true},
		{Request{Voltage: 48.5}, false}, // in the band of the price
		{Request{Voltage: 51}, false}, {Request{}, false}, {Request{Tier: "bulk"}, false},
		{Request{Voltage: 20, Subject: "a"}, false}, {Request{Voltage: 20, Telemetry: &Sample{}}, false},
	} {
		if got := knows("r", x.r); got != x.want {
			t.Errorf("%+v shed unasked: %v, want %v", x.r, got, x.want)
		}
	}
	if knows("other", Request{Voltage: 1}) {
		t.Error("one route's price counts for another")
	}
	now = now.Add(40 * time.Millisecond)
	if d, ok := m.remembered("r", &Request{Voltage: 5}); !ok || d.RetryAfterMs != 20 || d.Voltage != 5 || d.Allow {
		t.Errorf("%+v, %v", d, ok)
	}
	// It expires with what the node said, or with the time to live.
	now = now.Add(20 * time.Millisecond)
	if knows("r", Request{Voltage: 5}) {
		t.Error("a stale price sheds")
	}
	shed("r", 50, 10_000)
	now = now.Add(101 * time.Millisecond)
	if knows("r", Request{Voltage: 5}) {
		t.Error("a price outlives the time to live")
	}
	// Who passes with more says nothing about the price, who passes with less ends it.
	shed("r", 50, 60)
	m.remember("r", &Decision{Allow: true, Voltage: 100, Resistance: 0, Reason: "allowed"})
	if !knows("r", Request{Voltage: 5}) {
		t.Error("forgotten because somebody bid more")
	}
	m.remember("r", &Decision{Allow: true, Voltage: 20, Resistance: 10, Reason: "allowed"})
	if knows("r", Request{Voltage: 5}) {
		t.Error("the price stays although somebody passed below it")
	}
	for i := range 10 {
		shed(fmt.Sprint(i), 50, 60)
	}
	if len(m.known) != 2 {
		t.Errorf("%d routes remembered, want 2", len(m.known))
	}
}

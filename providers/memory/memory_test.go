package memory_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/memory"
	"github.com/atrion-io/atrion/providers/providertest"
)

func open(t testing.TB, c memory.Config) *memory.Provider {
	t.Helper()
	p, err := memory.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConformance(t *testing.T) {
	providertest.Run(t, providertest.Options{
		Open:        func(t *testing.T) providers.Provider { return open(t, memory.Config{}) },
		OpenBounded: func(t *testing.T, n int) providers.Provider { return open(t, memory.Config{MaxEntries: n}) },
		Evicts:      true,
	})
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		config memory.Config
		want   string
	}{
		{memory.Config{MaxEntries: -1}, "MaxEntries -1; allowed: 1.."},
		{memory.Config{MaxValue: -5}, "MaxValue -5; allowed: 1.."},
	} {
		_, err := memory.New(c.config)
		if !errors.Is(err, memory.ErrInvalidConfig) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%+v): %v; want %q", c.config, err, c.want)
		}
	}
	if n := open(t, memory.Config{}).Status().MaxEntries; n != memory.DefaultMaxEntries {
		t.Errorf("default MaxEntries = %d", n)
	}
}

func TestClock(t *testing.T) {
	now := time.Unix(1000, 0)
	p := open(t, memory.Config{Now: func() time.Time { return now }})
	ctx := context.Background()
	k := providers.Key{Route: "r", Node: "n"}
	if _, err := p.Put(ctx, k, nil); err != nil {
		t.Fatal(err)
	}
	if e, err := p.Get(ctx, k); err != nil || !e.Time.Equal(now) {
		t.Errorf("Get = %+v, %v; want time %v", e, err, now)
	}
}

// The hottest entry must outlive any number of cold ones, whether it is only
// written or only read.
func TestHottestStays(t *testing.T) {
	ctx := context.Background()
	written, read := providers.Key{Route: "written", Node: "n"}, providers.Key{Route: "read", Node: "n"}
	p := open(t, memory.Config{MaxEntries: 4})
	p.Put(ctx, read, []byte("v"))
	for i := range 1000 {
		if _, err := p.Put(ctx, written, fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Get(ctx, read); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		p.Put(ctx, providers.Key{Route: fmt.Sprint("cold", i), Node: "n"}, nil)
	}
	if e, err := p.Get(ctx, written); err != nil || string(e.Value) != "999" {
		t.Errorf("Get = %+v, %v", e, err)
	}
	if n := p.Status().Entries; n != 4 {
		t.Errorf("%d entries; want 4", n)
	}
}

// A consumer that never reads must not make the provider grow with every key
// there ever was.
func TestUnreadWatcherIsBounded(t *testing.T) {
	ctx := context.Background()
	p := open(t, memory.Config{MaxEntries: 100})
	defer p.Close(ctx)
	if _, err := p.Watch(ctx, providers.Filter{}); err != nil {
		t.Fatal(err)
	}
	churn := func(from, n int) uint64 {
		for i := range n {
			p.Put(ctx, providers.Key{Route: fmt.Sprint("r", from+i), Node: "n"}, []byte("some value"))
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := churn(0, 2000)
	after := churn(2000, 200_000)
	if after > before+2<<20 {
		t.Errorf("heap grew from %d to %d bytes", before, after)
	}
}

func BenchmarkPut(b *testing.B) {
	ctx := context.Background()
	p := open(b, memory.Config{})
	k := providers.Key{Route: "r", Node: "n"}
	v := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		p.Put(ctx, k, v)
	}
}

func BenchmarkGet(b *testing.B) {
	ctx := context.Background()
	p := open(b, memory.Config{})
	k := providers.Key{Route: "r", Node: "n"}
	p.Put(ctx, k, make([]byte, 64))
	b.ReportAllocs()
	for b.Loop() {
		p.Get(ctx, k)
	}
}

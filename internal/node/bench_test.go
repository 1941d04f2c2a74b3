package node

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/natskv"
)

// BenchmarkRestart is the time from the start of a node, embedded NATS and all,
// to serving with so many stored routes, and until all of them are loaded.
func BenchmarkRestart(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			if testing.Short() && n > 100_000 {
				b.Skip("short")
			}
			c := DefaultConfig()
			c.Node, c.Listen, c.StoreDir = "n1", "127.0.0.1:-1", b.TempDir()
			quiet := slog.New(slog.DiscardHandler)
			node, err := Start(context.Background(), c, quiet)
			if err != nil {
				b.Fatal(err)
			}
			store(b, node, n)
			if err := node.Stop(); err != nil {
				b.Fatal(err)
			}
			var loaded time.Duration
			for b.Loop() {
				begin := time.Now()
				node, err := Start(context.Background(), c, quiet)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				for node.engine.Stats().Routes != int64(n) {
					if time.Since(begin) > time.Minute {
						b.Fatalf("%d routes loaded, want %d", node.engine.Stats().Routes, n)
					}
					time.Sleep(time.Millisecond)
				}
				loaded += time.Since(begin)
				if err := node.Stop(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s-to-serving")
			b.ReportMetric(loaded.Seconds()/float64(b.N), "s-to-loaded")
		})
	}
}

// store writes the states of n scarred routes to the node's bucket.
func store(b *testing.B, node *Node, n int) {
	b.Helper()
	law, err := classic.New(classic.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	batch := physics.NewBatch()
	for i := range 30 {
		batch.Add(&physics.Sample{Time: int64(i) * int64(time.Second), Latency: 50, ErrorRate: 0.3, Saturation: 0.5})
	}
	state := law.NewState()
	state.Advance(law.NewState(), batch)
	value := state.AppendState(nil, 30*int64(time.Second))

	js, err := jetstream.New(node.conns[2], jetstream.WithPublishAsyncMaxPending(4000))
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		key := providers.Key{Route: fmt.Sprintf("service-%d/endpoint-%d", i%97, i), Node: "n1"}
		subject := "$KV." + node.cfg.Bucket + "." + natskv.FormatKey(key)
		for {
			if _, err := js.PublishAsync(subject, value); err == nil {
				break
			}
			time.Sleep(time.Millisecond) // 4000 are on their way
		}
	}
	<-js.PublishAsyncComplete()
}

package ohmic

import (
	"fmt"
	"testing"

	"github.com/atrion-io/atrion/physics"
)

func BenchmarkDecision(b *testing.B) {
	law, _ := New(DefaultConfig())
	s := law.NewState().(*State)
	s.demand = new(demand)
	s.price = tabled(map[float64]uint32{100: 20, 50: 50, 20: 30})
	s.rate, s.slow, s.supply.known, s.supply.lnT, s.supply.limit, s.supply.hold = 1000, 900, true, 4, 40, 40
	s.seal()
	q := physics.Query{Voltage: 50, Inflight: 10, U: 0.3}
	full := q
	full.Inflight = 44
	b.Run("Allow/free", func(b *testing.B) {
		for b.Loop() {
			s.Allow(q)
		}
	})
	b.Run("Allow/priced", func(b *testing.B) {
		for b.Loop() {
			s.Allow(full)
		}
	})
	b.Run("Decide/priced", func(b *testing.B) {
		for b.Loop() {
			s.Decide(full)
		}
	})
	b.Run("Note", func(b *testing.B) {
		for b.Loop() {
			s.Note(q, true, true)
		}
	})
}

func BenchmarkTable(b *testing.B) {
	d := new(demand)
	t := tabled(map[float64]uint32{100: 20, 50: 50, 20: 30})
	for b.Loop() {
		d.arrive(band(100), 20)
		d.arrive(band(50), 50)
		t, _ = t.next(d, 0.95)
	}
}

func BenchmarkAdvance(b *testing.B) {
	law, _ := New(DefaultConfig())
	for _, n := range []int{1, 16, 64, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			batch := physics.NewBatch()
			now := int64(1e9)
			var s physics.State = law.NewState()
			for b.Loop() {
				batch.Reset()
				for range n {
					now += 100_000
					batch.Add(&physics.Sample{Time: now, Latency: 20, Inflight: 10, Epoch: 1})
				}
				next := law.NewState()
				next.Advance(s, batch)
				s = next
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/sample")
		})
	}
}

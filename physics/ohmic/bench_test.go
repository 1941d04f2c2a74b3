package ohmic

import (
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

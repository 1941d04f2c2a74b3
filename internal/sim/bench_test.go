package sim

import "testing"

// BenchmarkRun plays a collapse, where there are most events a second.
func BenchmarkRun(b *testing.B) {
	s := plain(0, 30)
	s.Clients.Load = Steps(Point{0, .6}, Point{10, 5}, Point{20, .6})
	s.Backend.Slow = .5
	events := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		events += mustStart(b, s, newOpen, Options{}).loop.Fired()
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

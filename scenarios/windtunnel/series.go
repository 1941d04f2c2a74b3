package windtunnel

import (
	"math"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics"
)

// series is a trace with few enough points for a plot. Rates are per second.
type series struct {
	step                         float64 // s
	offered, capacity            []float64
	good                         [sim.Classes][]float64
	admitted, rejected           []float64 // attempts
	base, pressure, moment, scar []float64 // ohms; empty: the controller shows nothing of itself
	tripped                      []float64 // share of the step that the route was tripped
	inflight, limit              []float64 // limit 0: not known
}

// points is how many a plot has at most.
const points = 200

// newSeries joins bins of the trace until few enough are left. Nil: the trace
// is empty.
func newSeries(t *sim.Trace) *series {
	n := len(t.Attempts)
	if n == 0 || !(t.Step > 0) {
		return nil
	}
	group := (n + points - 1) / points
	s := &series{step: float64(group) * t.Step}
	rate := func(of func(i int) float64) []float64 { return join(n, group, t.Step, of) }
	s.offered = rate(func(i int) float64 {
		sum := 0.0
		for c := range t.Offered {
			sum += float64(t.Offered[c][i])
		}
		return sum
	})
	s.capacity = rate(func(i int) float64 { return float64(t.Capacity[i]) })
	for c := range s.good {
		s.good[c] = rate(func(i int) float64 { return float64(t.Good[c][i]) })
	}
	s.admitted = rate(func(i int) float64 { return float64(t.Admitted[i]) })
	s.rejected = rate(func(i int) float64 { return float64(t.Rejected[i]) })
	if len(t.Gauges) != n {
		return s
	}
	level := func(of func(g *sim.Gauge) float64) []float64 {
		return join(n, group, 1, func(i int) float64 { return of(&t.Gauges[i]) })
	}
	s.base = level(func(g *sim.Gauge) float64 { return g.Base })
	s.pressure = level(func(g *sim.Gauge) float64 { return g.Pressure })
	s.moment = level(func(g *sim.Gauge) float64 { return g.Momentum })
	s.scar = level(func(g *sim.Gauge) float64 { return g.Scar })
	s.tripped = level(func(g *sim.Gauge) float64 {
		if g.Mode == physics.CircuitBreaker.String() {
			return 1
		}
		return 0
	})
	s.inflight = level(func(g *sim.Gauge) float64 { return g.N })
	s.limit = level(func(g *sim.Gauge) float64 { return g.L })
	return s
}

// join returns the means of groups of n numbers, each divided by the step. What
// is no finite number counts as 0.
func join(n, group int, step float64, of func(i int) float64) []float64 {
	joined := make([]float64, 0, (n+group-1)/group)
	for i := 0; i < n; i += group {
		end := min(i+group, n)
		sum := 0.0
		for k := i; k < end; k++ {
			if x := of(k); !math.IsNaN(x) && !math.IsInf(x, 0) {
				sum += x
			}
		}
		joined = append(joined, sum/(float64(end-i)*step))
	}
	return joined
}

// peak returns the highest value of several series.
func peak(all ...[]float64) float64 {
	most := 0.0
	for _, values := range all {
		for _, v := range values {
			most = max(most, v)
		}
	}
	return most
}

// stack returns the sums of series, each of which may be shorter than the
// first.
func stack(all ...[]float64) []float64 {
	sum := make([]float64, len(all[0]))
	for _, values := range all {
		for i := range values {
			sum[i] += values[i]
		}
	}
	return sum
}

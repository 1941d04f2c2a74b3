package stories

import (
	"math"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// closed plays a story that is one backend behind one gate with the simulator,
// and returns what happened over time, too.
func (s *story) closed(sc sim.Scenario, arm scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, *sim.Trace, error) {
	if o.Trace == nil {
		o.Trace = new(sim.Trace)
	}
	sc.Name = s.name
	r, err := sim.Run(&sc, arm.Name, arm.Factory, seed, o)
	return scenarios.Outcome{Result: r}, o.Trace, err
}

func at(t, v float64) sim.Point { return sim.Point{T: t, V: v} }

// during returns the curve that is usual except from one second to another.
func during(usual, then, from, to float64) sim.Curve {
	return sim.Steps(at(0, usual), at(from, then), at(to, usual))
}

// total adds up counts of a trace from one second to another.
func total(counts []uint32, from, to float64) float64 {
	n := 0.0
	for i := int(from*10 + .5); i < min(int(to*10+.5), len(counts)); i++ {
		n += float64(counts[i])
	}
	return n
}

// shedShare returns the share of the attempts from one second to another that
// were turned away.
func shedShare(t *sim.Trace, from, to float64) float64 {
	return ratio(total(t.Rejected, from, to), total(t.Attempts, from, to))
}

// allOf returns the sum of the classes' counts, per tenth of a second.
func allOf(counts [sim.Classes][]uint32) []float64 {
	sum := make([]float64, len(counts[0]))
	for _, of := range counts {
		for i, n := range of {
			sum[i] += float64(n)
		}
	}
	return sum
}

// possible returns what could have succeeded per tenth of a second: what was
// offered, or what the backend could serve of it.
func possible(t *sim.Trace) []float64 {
	p := allOf(t.Offered)
	// A tenth of a second is short against the swings of arrivals: judge by the
	// second.
	for i := 0; i < len(p); i += 10 {
		j := min(i+10, len(p))
		offered, room := 0.0, 0.0
		for k := i; k < j; k++ {
			offered += p[k]
			room += float64(t.Capacity[k])
		}
		for k := i; k < j; k++ {
			p[k] = math.Min(offered, room) / float64(j-i)
		}
	}
	return p
}

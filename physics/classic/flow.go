package classic

import (
	"math"

	"github.com/atrion-io/atrion/physics"
)

// Flow is Ohm's law with a switch (RFC-0001 4.2): a request of v volts passes
// a route of r ohms if and only if the route is not tripped and v > r. The
// inequality is strict. NaN never passes.
//
// Known fault, corrected, as no decision depends on it: the original reports
// "OK" as the reason for rejecting a NaN voltage.
func Flow(m physics.Mode, v, r float64) (allow bool, reason physics.Reason) {
	switch {
	case m == physics.CircuitBreaker:
		return false, physics.Tripped
	case v > r:
		return true, physics.Allowed
	}
	return false, physics.InsufficientVoltage
}

// Conductor is a route as [SelectRoute] sees it.
type Conductor struct {
	Mode       physics.Mode
	Resistance float64 // ohms
}

// SelectRoute draws one of routes with the softmax of its conductance, leaving
// out tripped ones (RFC-0001 5), and returns its index, -1 where all are
// tripped. beta is in 1/ohm: 0 draws evenly, more prefers low resistances. u
// is uniform in [0,1).
//
//	p_i = e^(-beta*R_i) / sum_j e^(-beta*R_j)
//
// Known fault, kept: the exponentials are not taken relative to the lowest
// resistance. Above 745/beta ohms all of them are 0, the probabilities NaN and
// the last route is drawn every time, be it the worst.
func SelectRoute(routes []Conductor, beta, u float64) int {
	total := conductance(routes, beta)
	sum, last := 0.0, -1
	for i, r := range routes {
		if r.Mode == physics.CircuitBreaker {
			continue
		}
		last = i
		sum += math.Exp(-beta*r.Resistance) / total
		if u <= sum {
			return i
		}
	}
	return last
}

// Probabilities appends to dst the probability of each route that is not
// tripped, in order, and returns the extended slice. It allocates only what
// append must.
func Probabilities(dst []float64, routes []Conductor, beta float64) []float64 {
	total := conductance(routes, beta)
	for _, r := range routes {
		if r.Mode != physics.CircuitBreaker {
			dst = append(dst, math.Exp(-beta*r.Resistance)/total)
		}
	}
	return dst
}

func conductance(routes []Conductor, beta float64) (total float64) {
	for _, r := range routes {
		if r.Mode != physics.CircuitBreaker {
			total += math.Exp(-beta * r.Resistance)
		}
	}
	return total
}

package ohmic

import (
	"math"

	"github.com/atrion-io/atrion/vec"
)

// supply is what the callee can do: a(N) = (L/T) max(0, 1 + (1 - N/L)/h) (4), by
// Little's law L/T a second when L are in flight, more when fewer are, and
// nothing at (1+h) L: price, drain, reserve for higher bids and hard cap in one.
type supply struct {
	limit float64 // L, learned concurrency at the knee, calls
	hold  float64 // what is held now: L, or theta L in a dip
	rate  float64 // hold/T, 1/s; +Inf while T is not known

	lnT     float64 // T, present latency, ln ms (7)
	lnT0    float64 // T0, unloaded latency, ln ms (9, 10)
	knownT0 float64 // completions behind T0, at most 400; 0: none
	known   bool    // T is known
}

// at is a(N) for n calls in flight, 1/s.
func (p *supply) at(n, headroom float64) float64 {
	room := 1 + (1-n/p.hold)/headroom
	if room <= 0 {
		return 0
	}
	return p.rate * room
}

// seal makes rate follow from hold and T.
func (p *supply) seal() {
	p.rate = math.Inf(1)
	if p.known {
		p.rate = p.hold / vec.Exp1(p.lnT) * 1000
	}
}

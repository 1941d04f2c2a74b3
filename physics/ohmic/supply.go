package ohmic

import "github.com/atrion-io/atrion/vec"

// boundless is more than any rate of arrivals, and finite.
const boundless = 1e100

// supply is what the callee can do: a(N) = (L/T) max(0, 1 + (1 - N/L)/h) (4), by
// Little's law L/T a second when L are in flight, more when fewer are, and
// nothing at (1+h) L: price, drain, reserve for higher bids and hard cap in one.
type supply struct {
	limit float64 // L, learned concurrency at the knee, calls
	hold  float64 // what is held now: L, or theta L in a dip
	rate  float64 // hold/T, 1/s; boundless while T is not known
	most  float64 // a(0), 1/s
	slope float64 // by which a call in flight lessens it, 1/s

	lnT     float64 // T, present latency, ln ms (7)
	lnT0    float64 // T0, unloaded latency, ln ms (9, 10)
	knownT0 float64 // completions behind T0, at most 400; 0: none
	known   bool    // T is known
}

// at is a(N) for n calls in flight, 1/s; not positive from the cap on.
func (p *supply) at(n int64) float64 { return p.most - float64(float64(n)*p.slope) }

// seal makes what decisions read follow from hold and T.
func (p *supply) seal(headroom float64) {
	p.rate = boundless
	if p.known {
		p.rate = p.hold / vec.Exp1(p.lnT) * 1000
	}
	p.most = p.rate * (1 + 1/headroom)
	p.slope = p.rate / (headroom * p.hold)
}

package ohmic

import (
	"math"

	"github.com/atrion-io/atrion/vec"
)

// overdraft is by how many standard deviations.
const overdraft = 2

// boundless is more than any rate of arrivals, and finite.
const boundless = 1e100

// supply is what the callee can do: a(N) = (L/T) (1 + (1 - N/L)/h) (4), by
// Little's law L/T a second when L are in flight, more when fewer are, and
// nothing at (1+h) L: price, drain and hard cap in one.
//
// Those whose whole band is covered, with all that bids more, by a safe share of
// what the callee really completes, eta L/S, need not share the slope with the
// marginal band: they pass up to the cap.
type supply struct {
	limit float64 // L, learned concurrency at the knee, calls
	hold  float64 // what is held now: L, or less in a dip

	known   bool    // T is known
	lnT     float64 // T, present latency of successes, ln ms (7)
	lnT0    float64 // T0, unloaded latency, ln ms (9, 10)
	knownT0 float64 // completions behind T0, at most 400; 0: none
	busy    float64 // S, mean time a call holds its seat, ms; 0: not known

	// What decisions read, from the above.
	rate    float64 // hold/T, 1/s; boundless while T is not known
	most    float64 // a(0), 1/s
	slope   float64 // by which a call in flight lessens it, 1/s
	cap     float64 // (1+h) hold, calls
	brim    float64 // up to which covered bands pass, calls; cap, for a fleet of one
	covered float64 // eta hold/S, 1/s
}

// at is a(N) for n calls in flight, 1/s, and what is reserved then for bands
// that are covered.
func (p *supply) at(n int64) (supply, reserve float64) {
	if float64(n) >= p.cap {
		if float64(n) < p.brim {
			return 0, p.covered
		}
		return 0, 0
	}
	return p.most - float64(float64(n)*p.slope), p.covered
}

// seal makes what decisions read follow from what was learned; w is the share of
// the limit that is this node's.
func (p *supply) seal(c *Config, w float64, starting bool) {
	p.rate = boundless
	if p.known {
		p.rate = p.hold / vec.Exp1(p.lnT) * 1000
	}
	p.most = p.rate * (1 + 1/c.Headroom)
	p.slope = p.rate / (c.Headroom * p.hold * w)
	p.cap = (1 + c.Headroom) * p.hold * w
	// A share of the limit is a smaller number, and what arrives by chance varies
	// more against it than against the whole. What is covered may overdraw it.
	p.brim = p.cap
	if w < 1 {
		p.cap -= 0.5 // to the nearest whole number, not the next: there are several
		if !starting {
			p.brim += float64(overdraft * math.Sqrt(max(p.cap, 0)*(1-w)))
		}
	}
	p.covered = 0
	if p.busy > 0 {
		p.covered = min(c.Reserve*p.hold/p.busy*1000, boundless)
	}
}

// learnLatency moves T and S towards those of a window (7): ln T <- ln T +
// n/(n+64) (mean ln latency - ln T), over successes; S likewise, over all that
// held a seat, as they held it.
func (p *supply) learnLatency(w *window) {
	if w.held > 0 {
		mean := w.seatTime / w.held
		if p.busy == 0 {
			p.busy = mean
		}
		p.busy += float64(w.held / (w.held + 64) * (mean - p.busy))
	}
	if w.timed > 0 {
		mean := w.lnLatency / w.timed
		if !p.known {
			p.lnT, p.known = mean, true
		}
		p.lnT += float64(w.timed / (w.timed + 64) * (mean - p.lnT))
	}
}

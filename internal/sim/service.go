package sim

import "math"

// Service is the distribution of the time that an attempt keeps a server busy.
type Service interface {
	// Mean returns the expected time in ms.
	Mean() float64
	draw(d *dice) float64
}

// Exponential is memoryless service of the given mean in ms.
type Exponential float64

// Mean returns the mean.
func (e Exponential) Mean() float64 { return float64(e) }

func (e Exponential) draw(d *dice) float64 { return float64(e) * d.exponential() }

// Lognormal is service whose logarithm is normal with standard deviation
// Sigma: nearly constant for a small one, with a long tail for a large one.
type Lognormal struct {
	Average float64 // ms
	Sigma   float64
}

// Mean returns Average.
func (l Lognormal) Mean() float64 { return l.Average }

func (l Lognormal) draw(d *dice) float64 {
	// Box and Muller's method; its second normal is not used.
	r := math.Sqrt(-2 * ln(d.float()))
	z := r * cosTurn(d.float())
	return l.Average * exp(float64(l.Sigma*z)-float64(l.Sigma*l.Sigma)/2)
}

// Mixture is service of two kinds.
type Mixture struct {
	Share    float64 // of Rare, in [0, 1]
	Rare     Service
	Ordinary Service
}

// Mean returns the weighted mean of both kinds.
func (m Mixture) Mean() float64 {
	return float64(m.Share*m.Rare.Mean()) + float64((1-m.Share)*m.Ordinary.Mean())
}

func (m Mixture) draw(d *dice) float64 {
	if d.float() < m.Share {
		return m.Rare.draw(d)
	}
	return m.Ordinary.draw(d)
}

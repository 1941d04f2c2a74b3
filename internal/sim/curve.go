package sim

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// Curve is a function of time. The zero value is no curve; fields of type
// Curve say what that means for them.
type Curve struct {
	points []Point // in the order of T
	shape  shape
	period float64
}

// Point says that a curve has the value V at second T.
type Point struct{ T, V float64 }

type shape uint8

const (
	unset shape = iota
	steps
	lines
	wave
)

// Const returns the curve that is v always.
func Const(v float64) Curve { return Steps(Point{0, v}) }

// Steps returns the curve that takes the value of each point from its instant
// on, and the first one's before.
func Steps(points ...Point) Curve { return Curve{points: points, shape: steps} }

// Lines returns the curve that runs straight from point to point, and stays
// where it is before the first and after the last. Two points of one instant
// make a jump.
func Lines(points ...Point) Curve { return Curve{points: points, shape: lines} }

// Wave returns the curve mean - swing cos(2 pi t/period): at its lowest at the
// start.
func Wave(mean, swing, period float64) Curve {
	return Curve{points: []Point{{0, mean}, {0, swing}}, shape: wave, period: period}
}

func (c *Curve) or(v float64) {
	if c.shape == unset {
		*c = Const(v)
	}
}

// At returns the value at second t.
func (c Curve) At(t float64) float64 {
	switch p := c.points; c.shape {
	case unset:
		return 0
	case wave:
		return p[0].V - float64(p[1].V*cosTurn(t/c.period))
	default:
		if len(p) == 1 {
			return p[0].V
		}
		i := 0 // points up to t
		for i < len(p) && p[i].T <= t {
			i++
		}
		switch {
		case i == 0:
			return p[0].V
		case i == len(p) || c.shape == steps:
			return p[i-1].V
		}
		a, b := p[i-1], p[i]
		return a.V + float64((b.V-a.V)*((t-a.T)/(b.T-a.T)))
	}
}

// max returns the highest value.
func (c Curve) max() float64 {
	switch c.shape {
	case unset:
		return 0
	case wave:
		return c.points[0].V + math.Abs(c.points[1].V)
	default:
		return slices.MaxFunc(c.points, func(a, b Point) int { return cmp.Compare(a.V, b.V) }).V
	}
}

// min returns the lowest value.
func (c Curve) min() float64 {
	switch c.shape {
	case unset:
		return 0
	case wave:
		return c.points[0].V - math.Abs(c.points[1].V)
	default:
		return slices.MinFunc(c.points, func(a, b Point) int { return cmp.Compare(a.V, b.V) }).V
	}
}

// constant returns the value of a curve that has only one, so that the hot
// path need not look it up.
func (c Curve) constant() (float64, bool) {
	if c.shape == unset || c.shape == wave || len(c.points) > 1 {
		return 0, false
	}
	return c.points[0].V, true
}

var errCurve = errors.New("sim: a curve needs points in the order of time, finite and not negative")

// check reports a curve that is out of order or leaves [0, highest].
func (c Curve) check(highest float64) error {
	if c.shape == unset {
		return nil
	}
	if len(c.points) == 0 || c.shape == wave && !(c.period > 0) {
		return errCurve
	}
	for i, p := range c.points {
		if i > 0 && p.T < c.points[i-1].T || math.IsNaN(p.V) || math.IsNaN(p.T) {
			return errCurve
		}
	}
	if !(c.min() >= 0) || !(c.max() <= highest) {
		return errCurve
	}
	return nil
}

// stepped reports whether the curve only ever jumps.
func (c *Curve) stepped() bool { return c.shape != lines && c.shape != wave }

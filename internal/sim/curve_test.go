package sim

import (
	"math"
	"testing"
)

func TestCurves(t *testing.T) {
	ramp := Lines(Point{0, .3}, Point{120, 3}, Point{120, .5})
	step := Steps(Point{0, .6}, Point{20, 5}, Point{45, .6})
	for _, c := range []struct {
		curve   Curve
		t, want float64
	}{
		{Const(7), 1e9, 7},
		{step, 0, .6}, {step, 19.999, .6}, {step, 20, 5}, {step, 44.9, 5}, {step, 45, .6}, {step, 99, .6},
		{ramp, -1, .3}, {ramp, 0, .3}, {ramp, 60, 1.65}, {ramp, 120, .5}, {ramp, 500, .5},
		{Wave(.9, .6, 120), 0, .3}, {Wave(.9, .6, 120), 60, 1.5}, {Wave(.9, .6, 120), 150, .9},
		{Curve{}, 3, 0},
	} {
		if got := c.curve.At(c.t); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v at %v: %v, want %v", c.curve, c.t, got, c.want)
		}
	}
	if step.max() != 5 || step.min() != .6 || Wave(.9, .6, 120).max() != 1.5 {
		t.Error("wrong extremes")
	}
	for _, bad := range []Curve{Steps(), Lines(Point{1, 1}, Point{0, 1}), Const(-1), Const(math.NaN()), Wave(1, 2, 10), Wave(1, 1, 0), Const(2)} {
		if bad.check(1.5) == nil {
			t.Errorf("%v passes", bad)
		}
	}
}

func TestServiceMeans(t *testing.T) {
	for _, s := range []Service{
		Exponential(50),
		Lognormal{50, 1.2},
		Lognormal{50, .25},
		Mixture{.1, Lognormal{400, .25}, Exponential(15)},
	} {
		const n = 400000
		sum := 0.0
		var d dice
		d.roll(1, service, 2)
		for range n {
			x := s.draw(&d)
			if !(x > 0) {
				t.Fatalf("%v: drew %v", s, x)
			}
			sum += x
		}
		if got := sum / n; math.Abs(got/s.Mean()-1) > .01 {
			t.Errorf("%v: mean %v, want %v", s, got, s.Mean())
		}
	}
}

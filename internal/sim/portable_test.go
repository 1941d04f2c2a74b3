package sim

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestPortableFunctionsAreRight(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100000 {
		x := math.Exp(80 * (rnd.Float64() - .5))
		near(t, "ln", x, ln(x), math.Log(x), 4e-16*math.Max(1, math.Abs(math.Log(x))))
		y := 100 * (rnd.Float64() - .5)
		near(t, "exp", y, exp(y), math.Exp(y), 1e-14*math.Exp(y))
		z := 4 * (rnd.Float64() - .5)
		near(t, "cosTurn", z, cosTurn(z), math.Cos(2*math.Pi*z), 2e-15)
	}
	for turns, want := range map[float64]float64{0: 1, .25: 0, .5: -1, .75: 0, 1: 1, -.5: -1} {
		near(t, "cosTurn", turns, cosTurn(turns), want, 1e-16)
	}
	if got := power(.5, 3); got != .125 {
		t.Errorf("power(.5, 3) = %v", got)
	}
}

func near(t *testing.T, what string, x, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Fatalf("%s(%v) = %v, want %v", what, x, got, want)
	}
}

func TestDiceStreamsDiffer(t *testing.T) {
	seen := map[float64]bool{}
	sum := 0.0
	const seeds, keys = 20, 500
	for seed := range uint64(seeds) {
		for s := arrivals; s <= controller; s++ {
			for key := range uint64(keys) {
				var d dice
				d.roll(seed, s, key)
				u := d.float()
				if seen[u] {
					t.Fatalf("number %v twice", u)
				}
				seen[u] = true
				sum += u
			}
		}
	}
	if mean := sum / float64(len(seen)); math.Abs(mean-.5) > .005 {
		t.Errorf("first numbers average %v, want .5", mean)
	}
}

package stories

import (
	"math"
	"slices"
)

// tally counts something over time, in tenths of a second.
type tally struct {
	w   *world
	bin []float64
}

func (w *world) tally() *tally { return &tally{w: w, bin: make([]float64, int(math.Ceil(w.end*10))+1)} }

// add counts x now.
func (t *tally) add(x float64) { t.put(t.w.now(), x) }

// put counts x at second at.
func (t *tally) put(at, x float64) { t.bin[min(max(int(at*10), 0), len(t.bin)-1)] += x }

// sum returns what was counted from one second up to, not including, another.
func (t *tally) sum(from, to float64) float64 { return sum(t.bin, from, to) }

func sum(bin []float64, from, to float64) float64 {
	s := 0.0
	for i := max(int(from*10+.5), 0); i < min(int(to*10+.5), len(bin)); i++ {
		s += bin[i]
	}
	return s
}

// reaches returns how long after second from it takes until three seconds in a
// row have counted the share of want, less two standard deviations of as many
// Poisson arrivals; all the time up to second to if it never happens.
func (t *tally) reaches(want *tally, share, from, to float64) float64 {
	return reaches(t.bin, want.bin, share, from, to)
}

func reaches(got, want []float64, share, from, to float64) float64 {
	const calm = 3
	for i := int(from*10 + .5); i+calm*10 <= int(to*10+.5); i++ {
		good := true
		for k := 0; k < calm && good; k++ {
			at := float64(i)/10 + float64(k)
			w := sum(want, at, at+1)
			good = sum(got, at, at+1) >= float64(share*w)-float64(2*math.Sqrt(w))
		}
		if good {
			return float64(i)/10 - from
		}
	}
	return to - from
}

// longest returns the longest stretch (s) from one second to another without a
// count.
func (t *tally) longest(from, to float64) float64 {
	most, run := 0, 0
	for i := int(from*10 + .5); i < int(to*10+.5); i++ {
		if t.bin[i] > 0 {
			run = 0
		} else if run++; run > most {
			most = run
		}
	}
	return float64(most) / 10
}

// quantile returns the value that the share q of the values does not exceed, and
// NaN if there are none. It sorts them.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return nan
	}
	slices.Sort(values)
	return values[min(max(int(math.Ceil(q*float64(len(values))))-1, 0), len(values)-1)]
}

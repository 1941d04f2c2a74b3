package ohmic

import "math"

// Voltages are told apart by bands a sixteenth of an octave (4.4 %) wide, from
// 2^-18 to 2^30 volts: only ratios matter, so that any scale will do. A band
// holds its upper edge and not its lower one: of a request in it, V > lower is
// true and V > upper is not.
const (
	perOctave = 16
	octaves   = 48
	lowest    = -18 // log2 of the lowest edge
	bands     = octaves * perOctave
)

// steps are 2^(i/16), from square roots: those are rounded alike everywhere,
// which Exp2 is not. They are kept to 20 bits, so that differences of prices,
// and the sums of those, are exact.
var steps = func() (s [perOctave]float64) {
	s[0] = 1
	root := 2.0
	for width := perOctave / 2; width > 0; width /= 2 {
		root = math.Sqrt(root)
		for i := 0; i < perOctave; i += 2 * width {
			s[i+width] = short(s[i] * root)
		}
	}
	return s
}()

// short rounds x down to 20 significant bits.
func short(x float64) float64 {
	return math.Float64frombits(math.Float64bits(x) &^ (1<<33 - 1))
}

// edge is the lower edge of band b and the upper one of the band below, in volts.
func edge(b int) float64 { return math.Ldexp(steps[b&(perOctave-1)], b>>4+lowest) }

// band is the band of a voltage above 0. Those beyond the ends are in the last.
func band(v float64) int {
	word := math.Float64bits(v)
	mantissa := math.Float64frombits(word&(1<<52-1) | 1023<<52) // in [1, 2)
	i := -1                                                     // the last step below the mantissa
	for width := perOctave / 2; width > 0; width /= 2 {
		if steps[i+width] < mantissa {
			i += width
		}
	}
	if i == perOctave-2 && steps[perOctave-1] < mantissa {
		i++
	}
	return min(max((int(word>>52)-1023-lowest)*perOctave+i, 0), bands-1)
}

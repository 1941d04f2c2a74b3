package windtunnel

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A plot's curves are drawn in a box of their own, one unit wide for each step
// and so many units high, and stretched to its place: the paths stay short.
const height = 1000

// plot is one set of axes.
type plot struct {
	Arm    string
	Column int    // of the arm in the plan
	Absent string // why there is nothing to see; empty: there is

	Width  int // of the curves' box
	Max    float64
	Step   float64 // s
	Curves []curve
	Rules  []rule // levels across the plot
	Fault  *span
	Trips  []span // when the route was tripped
	X, Y   []tick
}

// curve is a line, or the border of an area above 0.
type curve struct {
	Class, Name string
	Area        bool
	D           string
}

type rule struct {
	Name string
	Y    float64 // in the curves' box
}

type span struct{ From, Length float64 } // in the curves' box

// tick is a mark at an axis; At is its place as percentage.
type tick struct {
	At   float64
	Text string
}

// layer is a series to be drawn.
type layer struct {
	class, name string
	values      []float64
}

// stacked draws layers on top of each other, the first at the bottom. The
// whole pile is drawn first, and every border in front of those above it.
func (p *plot) stacked(layers ...layer) {
	for k := len(layers); k > 0; k-- {
		values := make([][]float64, k)
		for i := range values {
			values[i] = layers[i].values
		}
		l := layers[k-1]
		p.Curves = append(p.Curves, curve{l.class, l.name, true, p.path(stack(values...)) + fmt.Sprintf("V%dH0z", height)})
	}
}

func (p *plot) line(l layer) {
	p.Curves = append(p.Curves, curve{l.class, l.name, false, p.path(l.values)})
}

// trips marks where a series is over one half.
func (p *plot) trips(values []float64) {
	since := -1
	for i := 0; i <= len(values); i++ {
		switch on := i < len(values) && values[i] > .5; {
		case on && since < 0:
			since = i
		case !on && since >= 0:
			p.Trips = append(p.Trips, span{float64(since), float64(min(i, p.Width) - since)})
			since = -1
		}
	}
}

// path returns the points as a path with relative steps.
func (p *plot) path(values []float64) string {
	var b strings.Builder
	last := 0
	for i, v := range values {
		y := p.y(v)
		switch i {
		case 0:
			fmt.Fprintf(&b, "M0 %dl", y)
		default:
			b.WriteByte('1')
			if y >= last {
				b.WriteByte(' ') // else the minus separates them
			}
			b.WriteString(strconv.Itoa(y - last))
			if i < len(values)-1 {
				b.WriteByte(' ')
			}
		}
		last = y
	}
	return b.String()
}

// y returns the place of a value; what is higher than the plot is cut off.
func (p *plot) y(v float64) int {
	share := min(max(v/p.Max, 0), 1)
	return int(math.Round(height * (1 - share)))
}

// newPlot returns a plot of n steps up to at least the given value.
func newPlot(n int, step, most float64) plot {
	p := plot{Width: max(n-1, 1), Step: step, Max: most}
	unit := nice(most / 3)
	p.Max = math.Max(unit, unit*math.Ceil(most/unit-1e-9))
	for v := 0.0; v <= p.Max+unit/2; v += unit {
		p.Y = append(p.Y, tick{100 * (1 - v/p.Max), strconv.FormatFloat(v, 'f', -1, 64)})
	}
	length := float64(p.Width) * step
	unit = nice(length / 5)
	for t := 0.0; t <= length*1.0001; t += unit {
		p.X = append(p.X, tick{100 * t / length, strconv.FormatFloat(t, 'f', -1, 64)})
	}
	return p
}

// nice returns the least of 1, 2, 5, 10, ... times a power of ten that is not
// less than x.
func nice(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, f := range []float64{1, 2, 5, 10} {
		if f*power >= x*(1-1e-9) {
			return f * power
		}
	}
	return 10 * power
}

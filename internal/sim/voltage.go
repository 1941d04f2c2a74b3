package sim

import "fmt"

// Voltages is what the attempts of each class bid. A request keeps its voltage
// over all its tries.
type Voltages [Classes]Band

// Band is the range of a class. If Low is less than High, the voltage of a
// request is drawn from it, every ratio alike (log-uniform).
type Band struct{ Low, High float64 }

// Scales that users could have chosen. A law that only looks at the order of
// voltages gives the same results on the first three.
var (
	Standard = Voltages{{100, 100}, {50, 50}, {20, 20}}
	Decades  = Voltages{{1000, 1000}, {10, 10}, {1, 1}}
	Small    = Voltages{{3, 3}, {2, 2}, {1, 1}}
	// Continuous gives nearly every request a voltage of its own. The bands
	// are equally wide by ratio and do not touch, so that classes stay ordered.
	Continuous = Voltages{{80, 125}, {40, 62.5}, {16, 25}}
)

func (v *Voltages) check() error {
	for _, b := range v {
		if !(b.Low > 0 && b.Low <= b.High && b.High < 1e9) {
			return fmt.Errorf("sim: invalid option: voltages %v", *v)
		}
	}
	return nil
}

// discrete tells whether each class has one voltage, higher than the next
// one's.
func (v *Voltages) discrete() bool {
	for c, b := range v {
		if b.Low != b.High || c > 0 && b.High >= v[c-1].Low {
			return false
		}
	}
	return true
}

func (b Band) draw(d *dice) float64 {
	if b.Low == b.High {
		return b.Low
	}
	return b.Low * exp(d.float()*ln(b.High/b.Low))
}

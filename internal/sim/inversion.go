package sim

import "slices"

// inversion counts, per bin, the admitted attempts that would have to change
// places with rejected ones of higher voltage to put the bin in order.
type inversion struct {
	ranked   bool // the voltage follows from the class
	classes  [2][Classes]int
	voltages [2][]float64
}

func (v *inversion) note(q *request, admitted bool) {
	side := 0
	if admitted {
		side = 1
	}
	if v.ranked {
		v.classes[side][q.class]++
	} else {
		v.voltages[side] = append(v.voltages[side], q.voltage)
	}
}

// close returns the count of the bin that is over. The highest rejected bid is
// exchanged for the lowest admitted one, and so on while that raises what was
// admitted.
func (v *inversion) close() (swaps int) {
	if v.ranked {
		rejected, admitted := &v.classes[0], &v.classes[1]
		high, low := VIP, Background
		for high < low {
			n := min(rejected[high], admitted[low])
			swaps += n
			rejected[high] -= n
			admitted[low] -= n
			if rejected[high] == 0 {
				high++
			} else {
				low--
			}
		}
		v.classes = [2][Classes]int{}
		return swaps
	}
	rejected, admitted := v.voltages[0], v.voltages[1]
	slices.Sort(rejected)
	slices.Sort(admitted)
	for swaps < min(len(rejected), len(admitted)) && rejected[len(rejected)-1-swaps] > admitted[swaps] {
		swaps++
	}
	v.voltages = [2][]float64{rejected[:0], admitted[:0]}
	return swaps
}

package ohmic

import "math/bits"

// table is the demand curve (3): which share of the arrivals bids at or above
// a voltage. It is immutable. Only bands that somebody bids in have an entry.
//
//	above_b = sum_{j>b} H_j / sum_j H_j,   own_b = H_b / sum_j H_j
type table struct {
	listed [bands / 64]uint64 // a bit a band
	below  [bands / 64]uint16 // listed bands below the word's first
	entry  []entry            // by band, ascending
	lanes  lanes              // with what each asks for; nil: none
}

type entry struct {
	heat  float64 // H_b, decayed arrivals
	above float64
	own   float64
	band  int
}

// forgotten is the share of the demand under which a band is dropped.
const forgotten = 1e-4

// next is the table after what d counted, with the old arrivals kept by that
// share (1): H_b <- H_b e^(-dt/tau_H) + n_b. It empties d's counters and also
// returns how many arrivals they held.
func (t *table) next(d *demand, keep float64) (out *table, arrived float64) {
	out = &table{entry: make([]entry, 0, len(t.entry)+2)}
	old, total := t.entry, 0.0
	for o := range d.octave {
		page := d.octave[o].Load()
		if page == nil && (len(old) == 0 || old[0].band >= (o+1)*perOctave) {
			continue
		}
		for i := range perOctave {
			b, heat := o*perOctave+i, 0.0
			if page != nil && page[i].Load() > 0 {
				heat = float64(page[i].Swap(0))
				arrived += heat
			}
			if len(old) > 0 && old[0].band == b {
				heat += float64(old[0].heat * keep)
				old = old[1:]
			}
			if heat > 0 {
				out.entry = append(out.entry, entry{heat: heat, band: b})
				total += heat
			}
		}
	}
	out.rank(total)
	return out, arrived
}

// rank drops what is forgotten and fills in everything but bands and heat.
func (t *table) rank(total float64) {
	kept := t.entry[:0]
	for _, e := range t.entry {
		if e.heat > forgotten*total {
			t.listed[e.band/64] |= 1 << (e.band % 64)
			e.own = e.heat / total
			kept = append(kept, e)
		}
	}
	t.entry = kept
	above := 0.0
	for i := len(kept) - 1; i >= 0; i-- {
		kept[i].above = above
		above += kept[i].own
	}
	listed := 0
	for w := range t.listed {
		t.below[w] = uint16(listed)
		listed += bits.OnesCount64(t.listed[w])
	}
}

// position is d(V)/lambda, the share of the demand at or above the request of
// band b and draw u (3). Inside one band the draw orders, so that a class can
// be cut in parts; a band nobody was seen in ranks with the next one above.
func (t *table) position(b int, u float64) (x, end float64) {
	i := int(t.below[b/64]) + bits.OnesCount64(t.listed[b/64]&(1<<(b%64)-1))
	if i >= len(t.entry) {
		if i == 0 {
			return u, 1 // nothing is known: all bid the same
		}
		return 0, 0
	}
	return t.entry[i].at(u)
}

// at is where a request of that draw stands, and where its band ends.
func (e *entry) at(u float64) (x, end float64) { return e.above + float64(u*e.own), e.above + e.own }

// price is D^-1: the upper edge in volts of the highest band whose requests of
// draw u do not pass, 0 if all do. pass must hold up to some position and not
// beyond. If nobody passes the price is above band b as well.
func (t *table) price(b int, u float64, pass func(position, end float64) bool) float64 {
	if len(t.entry) == 0 {
		if pass(u, 1) {
			return 0
		}
		return edge(b + 1)
	}
	low, high := -1, len(t.entry)-1 // entries up to low fail, those above high pass
	for low < high {
		mid := int(uint(low+high+1) / 2)
		if pass(t.entry[mid].at(u)) {
			high = mid - 1
		} else {
			low = mid
		}
	}
	top := -1
	if low >= 0 {
		top = t.entry[low].band
	}
	if low == len(t.entry)-1 && !pass(0, 0) {
		top = max(top, b)
	}
	if top < 0 {
		return 0
	}
	return edge(top + 1)
}

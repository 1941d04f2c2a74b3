package ohmic

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
)

// Lane is a range of voltages with a floor: what is kept for those who bid in it,
// whatever those above them bid.
//
// A request belongs to the lane of the band its voltage is in, so that the ends
// of a lane are exact to 4.4 %.
type Lane struct {
	// Above and UpTo are the range in volts, the one not in it and the other in
	// it. Range: 0 to 1e9, UpTo more than 4.4 % above Above.
	Above, UpTo float64
	// Floor is the least share of what the callee serves that the lane gets
	// while it asks for so much. What it does not ask for goes to the others.
	// Range: above 0, at most 0.9, all lanes together.
	Floor float64
}

// MaxLanes is the most lanes a law can have. Decisions look at those up to their
// own.
const MaxLanes = 32

const mostReserved = 0.9

// lane is a Lane in bands, both ends in it, and, in a price table, the share of
// the demand that bids above it, and in it.
type lane struct {
	low, high  int
	floor      float64
	above, own float64
}

// lanes are those of a law, or of a table made under one, by band, ascending.
type lanes []lane

// newLanes are the lanes of a configuration; the error names everything wrong
// with them.
func newLanes(config []Lane) (ls lanes, err error) {
	var errs []error
	wrong := func(i int, field string, v any, allowed string) {
		errs = append(errs, fmt.Errorf("ohmic: Lanes[%d].%s is %v, allowed %s", i, field, v, allowed))
	}
	if len(config) > MaxLanes {
		return nil, fmt.Errorf("ohmic: Lanes has %d, allowed 0 to %d", len(config), MaxLanes)
	}
	sum := 0.0
	for i, c := range config {
		if !(c.Above >= 0 && c.Above <= 1e9) {
			wrong(i, "Above", c.Above, "0 to 1e+09")
		}
		if !(c.UpTo > 0 && c.UpTo <= 1e9) {
			wrong(i, "UpTo", c.UpTo, "above 0 to 1e+09")
		}
		if !(c.Floor > 0 && c.Floor <= mostReserved) {
			wrong(i, "Floor", c.Floor, "above 0 to 0.9")
		}
		l := lane{high: band(c.UpTo), floor: c.Floor}
		if c.Above > 0 {
			l.low = band(c.Above) + 1
		}
		if l.low > l.high {
			wrong(i, "UpTo", c.UpTo, fmt.Sprintf("more than 4.4 %% above Above, %v", c.Above))
		}
		sum += c.Floor
		ls = append(ls, l)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if sum > mostReserved+1e-9 {
		return nil, fmt.Errorf("ohmic: the floors of Lanes add up to %v, allowed up to %v", sum, mostReserved)
	}
	slices.SortFunc(ls, func(a, b lane) int { return cmp.Compare(a.low, b.low) })
	for i := range ls[:max(len(ls)-1, 0)] {
		if ls[i].high >= ls[i+1].low {
			return nil, fmt.Errorf("ohmic: Lanes overlap between %v and %v volts, allowed: each voltage in one", edge(ls[i+1].low), edge(ls[i].high+1))
		}
	}
	return ls, nil
}

// place notes in a new price table what the lanes of the law ask for.
func (t *table) place(ls lanes) {
	if len(ls) == 0 || len(t.entry) == 0 {
		return
	}
	t.lanes = slices.Clone(ls)
	for i := range t.lanes {
		l := &t.lanes[i]
		l.above = t.beyond(l.high)
		l.own = t.beyond(l.low-1) - l.above
	}
}

// beyond is the share of the demand that bids above band b.
func (t *table) beyond(b int) float64 {
	i := sort.Search(len(t.entry), func(i int) bool { return t.entry[i].band > b })
	if i == len(t.entry) {
		return 0
	}
	return t.entry[i].above + t.entry[i].own
}

// carries reports whether the load lets a request of band b pass, which stands
// at position x of the demand in a band that ends at end: by the price, for which
// it must do without what lanes below it hold and ask for, or by what its own
// lane holds, for which only the demand of its lane counts.
//
//	d(V) < a(N) - sum over lanes below of min(f a(N), lambda_lane)
//	d(V) - d(top of the lane) < f a(N)
//
// Each holds for whole bands up to the hard cap as well, with the reserve for
// bands that are covered in the place of a(N).
func (s *State) carries(m *market, b int, x, end float64) bool {
	if s.price.lanes == nil {
		return m.load(x, end)
	}
	return s.carriesInLane(m, b, x, end)
}

func (s *State) carriesInLane(m *market, b int, x, end float64) bool {
	if m.free {
		return true
	}
	supply, reserve := m.supply, m.reserve
	for i := range s.price.lanes {
		l := &s.price.lanes[i]
		if l.low > b {
			break
		}
		if l.high >= b {
			// A band nobody was seen in ranks with one above, perhaps beyond the lane.
			ahead, whole := max(x-l.above, 0), max(end-l.above, 0)
			if float64(m.rate*ahead) < float64(l.floor*m.supply) || float64(m.rate*whole) < float64(l.floor*m.reserve) {
				return true
			}
			break
		}
		asked := float64(m.rate * l.own)
		supply -= min(float64(l.floor*m.supply), asked)
		reserve -= min(float64(l.floor*m.reserve), asked)
	}
	return float64(m.rate*x) < supply || float64(m.rate*end) < reserve
}

// loadPrice is D^-1 for a request of band b: the upper edge in volts of the
// highest band whose requests of its draw do not pass, among those of its lane
// and, if all of its lane pass that bid no more, those below it.
func (s *State) loadPrice(b int, m *market) float64 {
	if s.price.lanes == nil {
		return s.price.price(b, m.u, m.load)
	}
	x, end := s.price.position(b, m.u)
	if !s.carries(m, b, x, end) {
		_, high := s.price.lanes.around(b)
		return edge(max(b, s.stopped(b+1, high, m)) + 1)
	}
	for high := b - 1; high >= 0; {
		low, _ := s.price.lanes.around(high)
		if top := s.stopped(low, high, m); top >= 0 {
			return edge(top + 1)
		}
		high = low - 1
	}
	return 0
}

// around is the widest range of bands about b that are in one lane, or in none.
func (ls lanes) around(b int) (low, high int) {
	low, high = 0, bands-1
	for i := range ls {
		switch l := &ls[i]; {
		case l.high < b:
			low = l.high + 1
		case l.low <= b:
			return l.low, l.high
		default:
			return low, l.low - 1
		}
	}
	return low, high
}

// stopped is the highest band from low to high in which somebody bids and that
// the load does not let pass; -1 if there is none. They must be of one lane, in
// which who bids more passes first.
func (s *State) stopped(low, high int, m *market) int {
	entries := s.price.entry
	from := sort.Search(len(entries), func(i int) bool { return entries[i].band >= low })
	n := sort.Search(len(entries)-from, func(i int) bool {
		e := &entries[from+i]
		if e.band > high {
			return true
		}
		x, end := e.at(m.u)
		return s.carries(m, e.band, x, end)
	})
	if n == 0 {
		return -1
	}
	return entries[from+n-1].band
}

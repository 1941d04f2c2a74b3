package ohmic

import "sync/atomic"

// demand counts what asks for the route between two price tables. It is the
// one thing that successive states share: whoever decides adds to it, the
// actor takes from it. Octaves nobody bids in hold no counters.
type demand struct {
	octave   [octaves]atomic.Pointer[[perOctave]atomic.Uint32]
	shed     atomic.Uint32    // rejected for the load, ever; wraps
	admitted [2]atomic.Uint32 // into the open cohort; see cohort
	lent     atomic.Uint32    // admitted without a seat, ever; wraps
	ledger   *ledger          // of those; nil until somebody reports one
}

// arrive counts weight arrivals in band b (1).
func (d *demand) arrive(b int, weight uint32) {
	page := d.octave[b/perOctave].Load()
	if page == nil {
		d.octave[b/perOctave].CompareAndSwap(nil, new([perOctave]atomic.Uint32))
		page = d.octave[b/perOctave].Load()
	}
	page[b%perOctave].Add(weight)
}

// cohort is the counter of the admissions into the cohort of that epoch. Epochs
// of cohorts are two apart, and neighbours have a counter each: who is late
// counts into his own.
func (d *demand) cohort(own uint32) *atomic.Uint32 { return &d.admitted[own>>1&1] }

package sim

// Trace is what happened over time, one entry per tenth of a second.
type Trace struct {
	Step     float64           `json:"step_s"`
	Offered  [Classes][]uint32 `json:"offered"` // logical requests
	Good     [Classes][]uint32 `json:"good"`    // logical successes
	Attempts []uint32          `json:"attempts"`
	Admitted []uint32          `json:"admitted"`
	Rejected []uint32          `json:"rejected"`
	Dropped  []uint32          `json:"dropped"`
	Capacity []Number          `json:"capacity"` // what the oracle could serve
	Gauges   []Gauge           `json:"gauges"`   // of the controller; empty if it shows nothing
}

func (t *Trace) note(c Controller) {
	if i, ok := c.(Inspector); ok {
		t.Gauges = append(t.Gauges, i.Inspect())
	}
}

func (t *Trace) close(l *ledger) {
	t.Step = 1.0 / perSecond
	for i := range l.bins {
		b := &l.bins[i]
		for c := range b.offered {
			t.Offered[c] = append(t.Offered[c], b.offered[c])
			t.Good[c] = append(t.Good[c], b.good[c])
		}
		t.Attempts = append(t.Attempts, b.attempts)
		t.Admitted = append(t.Admitted, b.admitted)
		t.Rejected = append(t.Rejected, b.rejected)
		t.Dropped = append(t.Dropped, b.dropped)
		t.Capacity = append(t.Capacity, rounded(l.capacity[i]))
	}
}

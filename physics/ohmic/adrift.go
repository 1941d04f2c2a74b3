package ohmic

// adrift counts the calls in flight that hold no seat: those of callers who ask
// whether they may, and report what came of it without saying of which call.
//
// Admissions are entered by when they were, in slots of one refresh each; a
// report strikes one off the slot in which its call began by its latency, or the
// nearest with any, older ones first. What nobody reports within lease is struck
// off by itself. So a lost report costs a seat for that long and no longer.
type adrift struct {
	told bool    // somebody reports
	lent uint32  // of demand.lent, at the last refresh
	out  float64 // calls in flight then
}

const (
	slots = 64
	lease = 40 * refreshEvery // 2 s
)

// ledger is the slots. It is the actor's own and not part of what is published.
type ledger struct {
	open    [slots]int32   // admitted in the slot and not yet reported
	lnSeats [slots]float64 // calls in flight at its end
	upTo    int64          // the slot that is being filled
}

func slotAt(t int64) int64 { return t / refreshEvery }

// strike books a report of a call that began at start and returns the slot it
// was found in.
func (l *ledger) strike(start int64) int64 {
	from := slotAt(start)
	if from >= l.upTo { // admitted since the last refresh: not entered yet
		l.open[l.upTo%slots]--
		return l.upTo
	}
	for s := from; s > l.upTo-slots && s >= 0; s-- {
		if l.open[s%slots] > 0 {
			l.open[s%slots]--
			return s
		}
	}
	for s := max(from, l.upTo-slots, -1) + 1; s < l.upTo; s++ {
		if l.open[s%slots] > 0 {
			l.open[s%slots]--
			return s
		}
	}
	l.open[l.upTo%slots]--
	return l.upTo
}

// enter books n admissions up to t, strikes off what is over, and returns how
// many are in flight.
func (l *ledger) enter(t int64, n int32) (out float64) {
	l.open[l.upTo%slots] += n
	now := slotAt(t)
	for s := max(l.upTo, now-slots) + 1; s <= now; s++ {
		l.open[s%slots] = 0
	}
	l.upTo = max(l.upTo, now)
	for s := max(0, l.upTo-slots+1); s <= l.upTo; s++ {
		if s < now-lease/refreshEvery {
			l.open[s%slots] = 0
		}
		out += float64(l.open[s%slots])
	}
	return max(out, 0)
}

// since is the number in flight now, when that many were lent so far.
func (a *adrift) since(lent uint32) int64 { return int64(a.out) + int64(lent-a.lent) }

// report books the completion of a call that held no seat, if such calls are
// lent at all, and completes it with the calls in flight when it began.
func (s *State) report(t int64, c *completion) {
	d := s.demand
	if d.ledger == nil {
		if d.lent.Load() == 0 {
			return // nobody asks: these are observations of others' calls
		}
		d.ledger = &ledger{upTo: slotAt(t)}
		s.adrift = adrift{told: true, lent: d.lent.Load()}
	}
	slot := d.ledger.strike(c.start)
	s.adrift.out = max(0, s.adrift.out-1)
	c.counted, c.lnSeats = true, d.ledger.lnSeats[slot%slots]
	c.inflight = s.adrift.out
}

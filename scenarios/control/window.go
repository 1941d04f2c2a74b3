package control

// window counts two things over the last so many seconds, in slots of one
// second each; the oldest slot is forgotten as a whole.
type window struct {
	slots []tally
	total tally
	slot  int64 // the present one, since the beginning of time
}

type tally struct{ all, some int }

const slotLength = int64(1e9)

func newWindow(seconds int) window { return window{slots: make([]tally, seconds)} }

// roll forgets what is too old at instant now.
func (w *window) roll(now int64) {
	n := int64(len(w.slots))
	slot := now / slotLength
	for s := max(w.slot+1, slot-n+1); s <= slot; s++ {
		old := &w.slots[s%n]
		w.total.all -= old.all
		w.total.some -= old.some
		*old = tally{}
	}
	w.slot = max(w.slot, slot)
}

func (w *window) add(now int64, all, some int) {
	w.roll(now)
	s := &w.slots[w.slot%int64(len(w.slots))]
	s.all += all
	s.some += some
	w.total.all += all
	w.total.some += some
}

func (w *window) reset() { *w = newWindow(len(w.slots)) }

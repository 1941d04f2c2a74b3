// Package hold keeps the seats of callers who ask for decisions and report
// later, in messages that may be late or lost: a decision is a seat lent under a
// name, which the report that names it returns, or time does.
package hold

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"github.com/atrion-io/atrion"
)

// ErrFull: there are as many holds as there may be.
var ErrFull = errors.New("too many permits held")

// Table is the holds of one service. All live equally long, so the order in
// which they were given is the order in which they expire. Its methods are safe
// for concurrent use.
type Table struct {
	prefix string
	limit  int
	ttl    int64

	mu    sync.Mutex
	next  uint64
	first uint64 // no live hold has a lower number
	live  map[uint64]held
}

type held struct {
	permit  *atrion.Permit
	expires int64
}

// New returns a table of at most limit holds that live for ttl (ns).
func New(limit int, ttl int64) *Table {
	// The random part tells this run's permits from those of an earlier one,
	// whose holders may still report.
	prefix := fmt.Sprintf("%08x-", rand.Uint32())
	return &Table{prefix: prefix, limit: limit, ttl: ttl, live: map[uint64]held{}}
}

// Add takes over an admitted permit at instant now and returns its name. If
// there is no room it drops the permit: ErrFull.
func (h *Table) Add(now int64, p *atrion.Permit) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.live) >= h.limit {
		p.Drop()
		return "", fmt.Errorf("%w: %d", ErrFull, h.limit)
	}
	n := h.next
	h.next++
	h.live[n] = held{p, now + h.ttl}
	return fmt.Sprintf("%s%x", h.prefix, n), nil
}

// End ends the hold of that name with what was observed, and reports whether
// there was one. What the law learns as the call's latency is how long the seat
// was held, the way of the report included: that is the latency which belongs to
// the number of seats.
func (h *Table) End(name string, t atrion.Telemetry) bool {
	number, ours := strings.CutPrefix(name, h.prefix)
	n, err := strconv.ParseUint(number, 16, 64)
	if !ours || err != nil || strconv.FormatUint(n, 16) != number {
		return false // a permit has one name
	}
	h.mu.Lock()
	e, ok := h.live[n]
	delete(h.live, n)
	h.mu.Unlock()
	if ok {
		t.Latency, t.Age = 0, 0
		e.permit.Report(t)
	}
	return ok
}

// Expire drops the holds whose time is up at now and returns how many.
func (h *Table) Expire(now int64) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ; h.first < h.next; h.first++ {
		e, ok := h.live[h.first]
		if !ok {
			continue
		}
		if now < e.expires {
			return n
		}
		e.permit.Drop()
		delete(h.live, h.first)
		n++
	}
	return n
}

// DropAll drops every hold.
func (h *Table) DropAll() { h.Expire(1<<63 - 1) }

// Count returns the number of holds.
func (h *Table) Count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.live)
}

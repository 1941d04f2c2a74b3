package bus

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/atrion-io/atrion"
)

var errTooManyHolds = errors.New("bus: too many permits held")

// holds are the seats that remote callers hold, by permit. All live equally
// long, so the order in which they were given is the order in which they
// expire.
type holds struct {
	prefix string
	limit  int
	ttl    time.Duration

	mu    sync.Mutex
	next  uint64
	first uint64 // no live hold has a lower number
	live  map[uint64]held
}

type held struct {
	permit  *atrion.Permit
	expires time.Time
}

func newHolds(limit int, ttl time.Duration) *holds {
	// The random part tells this run's permits from those of an earlier one,
	// whose holders may still report.
	prefix := fmt.Sprintf("%08x-", rand.Uint32())
	return &holds{prefix: prefix, limit: limit, ttl: ttl, live: map[uint64]held{}}
}

// add takes over an admitted permit and returns its name on the wire.
func (h *holds) add(p *atrion.Permit) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.live) >= h.limit {
		p.Drop()
		return "", fmt.Errorf("%w: %d (limit MaxHolds)", errTooManyHolds, h.limit)
	}
	n := h.next
	h.next++
	h.live[n] = held{p, time.Now().Add(h.ttl)}
	return fmt.Sprintf("%s%x", h.prefix, n), nil
}

// end ends the hold of that name with what was observed, and reports whether
// there was one.
func (h *holds) end(name string, t atrion.Telemetry) bool {
	number, ours := strings.CutPrefix(name, h.prefix)
	n, err := strconv.ParseUint(number, 16, 64)
	if !ours || err != nil {
		return false
	}
	h.mu.Lock()
	e, ok := h.live[n]
	delete(h.live, n)
	h.mu.Unlock()
	if ok {
		e.permit.Report(t)
	}
	return ok
}

// expire drops the holds whose time is up and returns how many.
func (h *holds) expire(now time.Time) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ; h.first < h.next; h.first++ {
		e, ok := h.live[h.first]
		if !ok {
			continue
		}
		if now.Before(e.expires) {
			return n
		}
		e.permit.Drop()
		delete(h.live, h.first)
		n++
	}
	return n
}

func (h *holds) dropAll() {
	h.expire(time.Now().Add(h.ttl + time.Hour))
}

func (h *holds) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.live)
}

// expireHolds returns the seats of holders that were never heard of again.
func (s *Service) expireHolds() {
	defer s.loops.Done()
	t := time.NewTicker(max(s.opts.HoldTTL/8, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			s.counters.holdsExpired.Add(uint64(s.holds.expire(now)))
		case <-s.stop:
			return
		}
	}
}

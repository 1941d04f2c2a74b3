package atrion_test

import (
	"sync/atomic"
	"time"
)

// hand is a clock that a test sets.
type hand struct{ now atomic.Int64 }

func newHand() *hand {
	h := new(hand)
	h.now.Store(int64(time.Hour))
	return h
}

func (h *hand) Now() int64           { return h.now.Load() }
func (h *hand) pass(d time.Duration) { h.now.Add(int64(d)) }

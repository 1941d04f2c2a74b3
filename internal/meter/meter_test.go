package meter

import (
	"sync"
	"sync/atomic"
	"testing"
)

// A burst passes, then one for every period that goes by.
func TestRate(t *testing.T) {
	m := New(64)
	const key, every = 42 << 8, 100
	passed := 0
	for range 10 {
		if m.Take(key, 1000, every, 3) {
			passed++
		}
	}
	if passed != 3 {
		t.Fatalf("%d of a burst passed, want 3", passed)
	}
	for now := int64(1000); now < 2000; now += 10 {
		if m.Take(key, now, every, 3) {
			passed++
		}
	}
	if passed != 3+9 {
		t.Errorf("%d passed in a second and a burst, want 12", passed)
	}
	if !m.Take(43<<8, 1999, every, 1) {
		t.Error("another identity pays for the first")
	}
}

// However many identities come, one that keeps overstepping stays known.
func TestBounded(t *testing.T) {
	m := New(64)
	const bad = 1 << 40
	now, refused := int64(1), 0
	for i := range uint64(100_000) {
		now += 10
		m.Take(i<<8|1<<50, now, 20, 1)
		if i%4 == 0 && !m.Take(bad, now, 1000, 100) {
			refused++
		}
	}
	if refused < 20_000 {
		t.Errorf("%d of 25000 events at 25 times the rate refused", refused)
	}
}

func TestConcurrent(t *testing.T) {
	m := New(4)
	m.Take(7<<8, 0, 1, 1)
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if m.Take(7<<8, 0, 1000, 500) {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	// The first event was booked at 1 ns an event.
	if n := passed.Load(); n != 499 && n != 500 {
		t.Errorf("%d passed, want 500", n)
	}
}

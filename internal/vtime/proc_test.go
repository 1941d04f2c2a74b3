package vtime

import (
	"math"
	"runtime"
	"testing"
	"time"
)

func TestCoroutinesSleep(t *testing.T) {
	l := New()
	d := &diary{l: l}
	l.Go(func() {
		d.note("a begins")
		l.Go(func() { d.note("b begins"); l.Sleep(5, nil); d.note("b ends") })
		l.Sleep(10, nil)
		d.note("a ends")
	})
	l.At(Start+5, func() { d.note("event"); l.Go(func() { d.note("c") }) })
	l.Run(Start + 20)
	// The event of 5 was asked for before the sleep of b began.
	d.want(t, "0 a begins", "0 b begins", "5 event", "5 c", "5 b ends", "10 a ends")
}

func TestWakeEndsSleep(t *testing.T) {
	l := New()
	d := &diary{l: l}
	name := make(chan struct{})
	l.Go(func() {
		l.Sleep(100, name)
		d.note("woken")
		l.Sleep(100, name)
		d.note("timer") // at 110: the alarm of the first sleep, due at 100, is void
	})
	l.At(Start+10, func() { l.Wake(name); l.Wake(name); d.note("wake") })
	l.Run(Start + 300)
	d.want(t, "10 wake", "10 woken", "110 timer")
	if len(l.asleep) != 0 {
		t.Error("a name is left behind")
	}
	l.Wake(name) // nobody sleeps
	l.Run(Start + 400)
	d.want(t, "10 wake", "10 woken", "110 timer")
}

func TestWakeIsNotRemembered(t *testing.T) {
	l := New()
	d := &diary{l: l}
	name := make(chan struct{})
	l.Wake(name)
	l.Go(func() { l.Sleep(7, name); d.note("awake") })
	l.Run(Start + 20)
	d.want(t, "7 awake")
}

// TestOneNameTwoSleepers: the first sleeper's timer must not take the name
// from the second.
func TestOneNameTwoSleepers(t *testing.T) {
	l := New()
	d := &diary{l: l}
	name := make(chan struct{})
	l.Go(func() { l.Sleep(5, name); d.note("first") })
	l.Go(func() { l.Sleep(50, name); d.note("second") })
	l.At(Start+10, func() { l.Wake(name) })
	l.Run(Start + 100)
	d.want(t, "5 first", "10 second")
}

func TestSleepForEver(t *testing.T) {
	l := New()
	d := &diary{l: l}
	name := make(chan struct{})
	l.Go(func() { l.Sleep(math.MaxInt64, name); d.note("awake") })
	l.Run(Start + int64(time.Hour))
	d.want(t)
	l.At(0, func() { l.Wake(name) })
	l.Run(l.Now())
	d.want(t, "3600000000000 awake")
}

func TestManyTurnsOfOneInstant(t *testing.T) {
	l := New()
	turns := 0
	for range 10 {
		l.Go(func() {
			for range 100 {
				l.Sleep(0, nil)
				turns++
			}
		})
	}
	l.Run(Start)
	if turns != 1000 || l.Now() != Start {
		t.Errorf("%d turns until %d", turns, l.Now()-Start)
	}
}

func TestCloseEndsSleepers(t *testing.T) {
	before := runtime.NumGoroutine()
	l := New()
	d := &diary{l: l}
	name := make(chan struct{})
	for _, what := range []string{"a", "b"} {
		l.Go(func() {
			defer d.note(what + " deferred")
			defer func() {
				if recover() != nil {
					t.Error("Close panics in the coroutine")
				}
			}()
			l.Sleep(math.MaxInt64, name)
			d.note(what + " went on")
		})
	}
	l.Go(func() { d.note("c ends") })
	l.Run(Start + 10)
	l.Go(func() { d.note("never began") })
	l.At(Start+20, func() { d.note("never happened") })
	l.Close()
	l.Go(func() { d.note("came too late") })
	l.Run(Start + 30)
	d.want(t, "0 c ends", "10 b deferred", "10 a deferred")
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i == 1000 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestSleepOutsideACoroutinePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New().Sleep(1, nil)
}

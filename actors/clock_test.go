package actors

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion/physics"
)

func TestCoarseClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCoarse(Monotonic)
		defer c.close()
		check := func(when string) {
			t.Helper()
			if lag := Monotonic.Now() - c.Now(); lag < 0 || lag > int64(coarseTick) {
				t.Errorf("%s: %v behind the clock, want 0 to %v", when, time.Duration(lag), coarseTick)
			}
		}
		check("first read")
		for range 1000 {
			time.Sleep(300 * time.Microsecond)
			check("while ticking")
		}
		if c.now.Load() == 0 {
			t.Error("not ticking although read")
		}
		time.Sleep(2 * coarseQuiet * coarseTick)
		synctest.Wait()
		if c.now.Load() != 0 {
			t.Error("still ticking although nobody reads")
		}
		check("after it went to sleep")
		time.Sleep(5 * time.Millisecond)
		check("after it woke")
		c.close()
		c.close()
		synctest.Wait()
		check("after close")
		if c.now.Load() != 0 {
			t.Error("ticking after close")
		}
	})
}

func TestMonotoneTimes(t *testing.T) {
	b := physics.NewBatch()
	for _, at := range []int64{5, 3, 9, 8, 10} {
		s := *sample(0, 0)
		s.Time = at
		b.Add(&s)
	}
	if last := monotone(b, 6); last != 10 {
		t.Errorf("last = %d, want 10", last)
	}
	for i, want := range []int64{6, 6, 9, 9, 10} {
		if b.Time[i] != want {
			t.Errorf("time %d = %d, want %d", i, b.Time[i], want)
		}
	}
}

package tunnel

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/zeromicro/go-zero/core/load"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/internal/vtime"
)

// The load shedders act on the processor's load, not on the traffic alone.
func TestShedWhenBusy(t *testing.T) {
	for _, name := range []string{"gozero-shedder", "kratos-bbr"} {
		t.Run(name, func(t *testing.T) {
			onBed(t, name, 1, func(t *testing.T, b *bed) {
				b.busy = 0.5
				b.play(10*time.Second, 200)
				all, _ := b.play(5*time.Second, 2000)
				wantShare(t, "idle", all, 1, 1)
			})
			onBed(t, name, 1, func(t *testing.T, b *bed) {
				b.busy = 0.5
				b.play(10*time.Second, 200)
				b.busy = 1
				b.wait = time.Second
				all, _ := b.play(5*time.Second, 2000)
				wantShare(t, "busy", all, 0.01, 0.8)
				b.busy, b.wait = 0.5, 50*time.Millisecond
				b.rest(3 * time.Second)
				all, _ = b.play(5*time.Second, 200)
				wantShare(t, "after", all, 1, 1)
			})
		})
	}
}

// The law of the shedder decides as the library does. The library's reading of
// the processor cannot be set, but beside a threshold far below any reading it
// means "full, a tenth left", and below a threshold of all of it "idle".
func TestShedderIsTheLibrary(t *testing.T) {
	const hot, cold = -1 << 40, 1000
	synctest.Test(t, func(t *testing.T) {
		dice := rand.New(rand.NewPCG(1, 2))
		loop := vtime.New()
		cpu := int64(0)
		env := &sim.Env{Now: loop.Now, At: loop.At, Rand: dice}
		ours := makeShedder(env, func() int64 { return cpu })
		theirs := load.NewAdaptiveShedder()
		threshold := (*int64)(unsafe.Pointer(
			reflect.ValueOf(theirs).Elem().FieldByName("cpuThreshold").UnsafeAddr()))

		drops, passes := 0, 0
		for range 200_000 {
			loop.Run(loop.Now() + int64(dice.ExpFloat64()*float64(time.Millisecond)))
			if dice.IntN(1000) == 0 {
				if cpu = 1000 - cpu; cpu == 0 {
					*threshold = cold
				} else {
					*threshold = hot
				}
			}
			ours.Advance(loop.Now())
			ticket, ok := ours.Admit(sim.Attempt{})
			promise, err := theirs.Allow()
			if ok != (err == nil) {
				t.Fatalf("after %d drops and %d passes: admitted %v, by the library %v", drops, passes, ok, err == nil)
			}
			if !ok {
				drops++
				continue
			}
			passes++
			kind := sim.OK
			if dice.IntN(10) == 0 {
				kind = sim.Timeout
			}
			loop.At(loop.Now()+int64(dice.ExpFloat64()*float64(50*time.Millisecond)), func() {
				ours.Advance(loop.Now())
				ours.Done(ticket, 0, kind)
				if kind == sim.OK {
					promise.Pass()
				} else {
					promise.Fail()
				}
			})
		}
		if drops < 10_000 || passes < 10_000 {
			t.Errorf("%d drops, %d passes: not much of a test", drops, passes)
		}
	})
}

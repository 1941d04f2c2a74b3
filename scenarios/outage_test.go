package scenarios

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion"
)

// The outage: 100 requests a second to a backend that answers in 23 ms; it
// fails every call from second 30 to second 50 and is well again. A health
// check calls five times a second, whatever the controller says.
const (
	pace       = 10 * time.Millisecond
	service    = 23 * time.Millisecond
	faultFrom  = 30 * time.Second
	faultTo    = 50 * time.Second
	end        = 110 * time.Second
	checkEvery = 200 * time.Millisecond
	checkShift = 1500 * time.Microsecond
)

// The numbers are chosen so that nothing happens at the instant at which
// something else does: virtual time is exact, but the order of goroutines that
// wake at the same instant is the scheduler's.

var errBackend = errors.New("backend down")

// outcome is what a controller made of the outage.
type outcome struct {
	failing   int           // calls admitted into the fault
	offered   int           // calls offered in the fault
	protected time.Duration // from the fault to the first second with under 10 % admitted; 0: never
	recovered time.Duration // from its end to the first second with over 95 % admitted, if it protected; 0: never
}

// wants is the verdict, one line a promise.
var wants = []struct {
	promise string
	kept    func(outcome) bool
}{
	{"at most 5 % of the fault's calls reach the backend", func(o outcome) bool { return 20*o.failing <= o.offered }},
	{"protected within 2 s", func(o outcome) bool { return o.protected > 0 && o.protected <= 2*time.Second }},
	{"having protected, 95 % admitted again within 45 s", func(o outcome) bool { return o.recovered > 0 && o.recovered <= 45*time.Second }},
}

func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := playOutage(newGuarded(t))
		t.Logf("classic: %+v", o)
		for _, w := range wants {
			if !w.kept(o) {
				t.Errorf("classic: not kept: %s", w.promise)
			}
		}
	})
}

// TestOutageDoingNothingFails: a verdict that doing nothing passes is none.
func TestOutageDoingNothingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := playOutage(none{})
		t.Logf("none: %+v", o)
		for _, w := range wants {
			if w.kept(o) {
				t.Errorf("doing nothing keeps: %s", w.promise)
			}
		}
	})
}

// TestOutageReplays: the same story gives the same outcome, to the call.
func TestOutageReplays(t *testing.T) {
	var first outcome
	for i := range 3 {
		synctest.Test(t, func(t *testing.T) {
			o := playOutage(newGuarded(t))
			if i == 0 {
				first = o
			} else if o != first {
				t.Errorf("run %d: %+v, the first was %+v", i, o, first)
			}
		})
	}
}

func playOutage(c controller) (o outcome) {
	begin := time.Now()
	down := func() bool { at := time.Since(begin); return at >= faultFrom && at < faultTo }
	call := func() error {
		failed := down()
		time.Sleep(service)
		if failed || down() {
			return errBackend
		}
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		time.Sleep(checkShift)
		for time.Since(begin) < end {
			start := time.Now()
			err := call()
			c.observe(time.Since(start), err)
			time.Sleep(checkEvery - service)
		}
	})
	for second := time.Duration(0); second < end; second += time.Second {
		admitted := 0
		for range int(time.Second / pace) {
			faulty := down()
			done, ok := c.acquire(atrion.DefaultVoltage)
			if ok {
				admitted++
				wg.Go(func() { done(call()) })
			}
			if faulty {
				o.offered++
				if ok {
					o.failing++
				}
			}
			time.Sleep(pace)
		}
		share := float64(admitted) * float64(pace) / float64(time.Second)
		if second >= faultFrom && second < faultTo && share < 0.1 && o.protected == 0 {
			o.protected = second + time.Second - faultFrom
		}
		if second >= faultTo && o.protected > 0 && o.recovered == 0 && share > 0.95 {
			o.recovered = second + time.Second - faultTo
		}
	}
	wg.Wait()
	return o
}

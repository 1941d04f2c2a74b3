package stories

import (
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// Microservices is the domino stopper: A calls B, B calls C, and C fails for half
// a minute, slowly: it takes 2 s for every error. A also calls X, which has
// nothing to do with C. In the original the guard never let anybody through again
// and that counted as success.
//
// Model: 400 threads in A, 300 in B, 64 servers in C and in X, service of 20 ms on
// average. 300 requests a second to A for B, and 300 for X, 5 % of which fail
// anyway; clients give up after 5 s, and do not try again. A thread is held from
// the request to its answer; who finds none waits in line until its deadline. B
// guards C, A guards B and X, each with a route of its own; a rejection is an
// answer, an error that takes no time, and A does not take B's rejection for a
// failure of B.
//
// Oracle: serves all of X and, while C is well, all of B.
//
// Promises: thread-seconds spent on calls that end in an error are at most .02 of
// those without a guard, while C fails; X keeps .99 of its goodput; calls for B
// are back at .95 within 2 s after C is well, and a healthy C is never locked.
func Microservices() scenarios.Scenario {
	s := &story{
		name:  "microservices",
		about: "A calls B calls C, and C fails slowly; A calls X, too",
		promises: []promise{
			atMost(.02, "waste", "thread-seconds wasted, of those without a guard"),
			atLeast(.99, "unrelated", "goodput of X while C fails, of what could succeed"),
			atMost(2, "recover_s", "calls for B back"),
			atMost(0, "lockout_s", "longest time without any success after C is well, beyond 1 s"),
			atMost(.01, "false_shed", "turned away without need"),
		},
	}
	s.play = func(arm scenarios.Arm, seed uint64, _ sim.Options) (scenarios.Outcome, error) {
		out := s.outcome(arm, seed)
		c, err := playChain(arm, seed)
		if err != nil {
			return out, err
		}
		open, err := playChain(scenarios.Arm{Name: "none", Factory: openGate}, seed)
		if err != nil {
			return out, err
		}
		const from, to, end = chainFrom, chainTo, chainEnd
		put(&out, "waste", ratio(c.wasted, open.wasted), "1")
		put(&out, "unrelated", ratio(c.x.good.sum(from, to), .95*c.x.offered.sum(from, to)), "1")
		put(&out, "recover_s", c.b.good.reaches(c.b.offered, .95, to, end), "s")
		put(&out, "lockout_s", max(0, c.b.good.longest(to, end)-1), "s")
		put(&out, "false_shed", ratio(
			c.b.shed.sum(0, from)+c.b.shed.sum(to+2, end)+c.x.shed.sum(0, end),
			c.b.offered.sum(0, from)+c.b.offered.sum(to+2, end)+c.x.offered.sum(0, end)), "1")
		setResult(&out, nan)
		out.Lockout = out.Measure("lockout_s")
		put(&out, "wasted", c.wasted/(to-from), "threads")
		put(&out, "wasted_open", open.wasted/(to-from), "threads")
		return out, nil
	}
	return s
}

// openGate is a gate that is always open: what there is without a guard.
func openGate(*sim.Env) sim.Controller { return opened{} }

type opened struct{}

func (opened) Admit(sim.Attempt) (sim.Ticket, bool) { return 0, true }
func (opened) Done(sim.Ticket, float64, sim.Kind)   {}

const (
	chainRate          = 300
	chainFrom, chainTo = 15, 45
	chainEnd           = 60
	chainPatience      = 5000 // ms
)

// chain is one run.
type chain struct {
	w      *world
	gate   gate
	a, bb  *pool // threads of A and of B
	c, xs  *pool
	b, x   traffic
	wasted float64 // thread-seconds in A and B, in the fault, of calls that end in an error
}

type traffic struct{ offered, good, shed *tally }

func (w *world) traffic() traffic { return traffic{w.tally(), w.tally(), w.tally()} }

func playChain(arm scenarios.Arm, seed uint64) (*chain, error) {
	w := newWorld(seed, chainEnd)
	defer w.loop.Close()
	c := &chain{w: w, a: w.pool(400), bb: w.pool(300), c: w.pool(64), xs: w.pool(64), b: w.traffic(), x: w.traffic()}
	g, err := w.gate(arm, setup{caps: map[string]float64{"a-b": 64, "b-c": 64, "a-x": 64}})
	if err != nil {
		return nil, err
	}
	c.gate = g
	w.poisson(1, chainRate, constant(chainRate), func(id uint64) { c.arrive(&c.b, id, c.callB) })
	w.poisson(2, chainRate, constant(chainRate), func(id uint64) { c.arrive(&c.x, id, c.callX) })
	w.run()
	c.gate.close()
	return c, nil
}

// answer is how a call ended.
type answer struct {
	kind sim.Kind
	shed bool // by a gate: no time was lost
}

// arrive is a request to A: it wants a thread, asks call, and is gone with the
// answer or after its deadline.
func (c *chain) arrive(t *traffic, id uint64, call func(id uint64, back func(answer))) {
	born := c.w.now()
	t.offered.add(1)
	late := func() bool { return (c.w.now()-born)*1000 >= chainPatience }
	c.thread(c.a, born, func(done func(answer)) { call(id, done) }, func(r answer) {
		switch {
		case r.kind == sim.OK && !late():
			t.good.put(born, 1)
		case r.shed:
			t.shed.add(1)
		}
	})
}

// thread runs work on a thread of a pool, for a request that arrived there at
// second born, and books its time if it ends in an error.
func (c *chain) thread(p *pool, born float64, work func(done func(answer)), back func(answer)) {
	answered := false
	leave, _ := p.take(func(release func()) {
		begun := c.w.now()
		work(func(r answer) {
			release()
			if t := c.w.now(); r.kind != sim.OK && t >= chainFrom && begun < chainTo {
				c.wasted += min(t, chainTo) - max(begun, chainFrom)
			}
			if !answered {
				answered = true
				back(r)
			}
		})
	})
	c.w.at(born+chainPatience/1000., func() {
		if !answered && leave != nil {
			answered = true
			leave()
			back(answer{kind: sim.Timeout})
		}
	})
}

// guarded makes a call behind the gate of a route.
func (c *chain) guarded(route string, call func(back func(answer)), back func(answer)) {
	end, ok := c.gate.admit(bid{route: route})
	if !ok {
		back(answer{kind: sim.Fail, shed: true})
		return
	}
	call(func(r answer) {
		if r.shed {
			end(sim.OK) // the callee answered, and at once: it is well
		} else {
			end(r.kind)
		}
		back(r)
	})
}

func (c *chain) callB(id uint64, back func(answer)) {
	c.guarded("a-b", func(back func(answer)) {
		c.thread(c.bb, c.w.now(), func(done func(answer)) {
			c.guarded("b-c", func(back func(answer)) { c.callC(id, back) }, done)
		}, back)
	}, back)
}

// callC takes its time and, in the fault, fails.
func (c *chain) callC(id uint64, back func(answer)) {
	if t := c.w.now(); t >= chainFrom && t < chainTo {
		c.w.after(2000, func() { back(answer{kind: sim.Fail}) })
		return
	}
	c.c.serve(c.w.dice(3, id).exponential(20), func() { back(answer{kind: sim.OK}) })
}

func (c *chain) callX(id uint64, back func(answer)) {
	c.guarded("a-x", func(back func(answer)) {
		d := c.w.dice(4, id)
		work, kind := d.exponential(20), sim.OK
		if d.float() < .05 {
			kind = sim.Fail
		}
		c.xs.serve(work, func() { back(answer{kind: kind}) })
	}, back)
}

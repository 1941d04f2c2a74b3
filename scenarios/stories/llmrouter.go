package stories

import (
	"math"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics/ohmic"
	"github.com/atrion-io/atrion/scenarios"
	"github.com/atrion-io/atrion/vec"
)

// LLMRouter chooses between a good, dear model and a cheap, lesser one. The good
// one fails for 40 s. In the original its usual slowness was held against it:
// after 14 prompts it was never asked again.
//
// Model: gpt4, 120 at a time, 500 to 2000 ms each, quality .95, 0.03 dollars per
// 1000 tokens; llama3, 320 at a time, 50 to 200 ms, quality .85, 0.005 dollars; 2
// % of the calls fail. 40 prompts a second of 100 to 300 tokens, to be answered
// within 6 s. From second 30 to 70 nine of ten calls of gpt4 end in an error after
// 1 to 3 s; errors cost nothing. A failed call is made again at llama3.
//
// Choice: softmax over R. Each model is a route, whose R the engine explains; to
// llama3's 60 V are added, what its lesser quality is worth; temperature 12 V.
// Prompts bid 25 to 400 V, every ratio alike, so that R is the bid under which a
// route turns away, and moves with the share that fails. A model's route learns
// what is usual for that model by itself; nobody tells it. Its law is set to calls
// that are few and dear: a memory of failure of 1.5 s, half of the calls failing
// is reason to shed, and few are evidence.
//
// Oracle: asks gpt4 while it is well, llama3 while it is not.
//
// Promises: the failing model left within 5 s and asked again within 5 s (less
// than .3 of the prompts, more than .8, for two seconds); gpt4's share of the
// prompts at most .25 from 5 s after the beginning of the fault on and at least .9
// from 5 s after its end on; quality of what was answered in time at least .95 of
// the oracle's, and at least .95 of it per dollar.
//
// Not promised yet: profiles of models, which the product does not have.
func LLMRouter() scenarios.Scenario {
	s := &story{
		name:  "llm-router",
		about: "the better of two models fails, and prompts are routed by resistance",
		promises: []promise{
			atMost(5, "leave_s", "a failing model is left"),
			atMost(5, "return_s", "a healed model is asked again"),
			atMost(.25, "share_failing", "prompts to the failing model, from 5 s on"),
			atLeast(.95, "quality", "quality-weighted goodput, of the oracle's"),
			atLeast(.95, "quality_per_cost", "the same per dollar, of the oracle's"),
			atLeast(.9, "share_well", "prompts to the better model while it is well"),
		},
		notYet: []string{"profiles of models: what is usual for one is learned, not declared"},
	}
	s.play = func(arm scenarios.Arm, seed uint64, _ sim.Options) (scenarios.Outcome, error) {
		out := s.outcome(arm, seed)
		r, err := playRouter(arm, seed)
		if err != nil {
			return out, err
		}
		const from, to, end = modelFrom, modelTo, modelEnd
		share := func(a, b float64) float64 { return ratio(r.better.sum(a, b), r.offered.sum(a, b)) }
		put(&out, "leave_s", firstSecond(from, to, func(t float64) bool { return share(t, t+2) <= .3 }), "s")
		put(&out, "return_s", firstSecond(to, end, func(t float64) bool { return share(t, t+2) >= .8 }), "s")
		put(&out, "share_failing", share(from+5, to), "1")
		put(&out, "share_well", ratio(r.better.sum(0, from)+r.better.sum(to+5, end), r.offered.sum(0, from)+r.offered.sum(to+5, end)), "1")
		put(&out, "quality", ratio(r.quality, r.best), "1")
		put(&out, "quality_per_cost", ratio(ratio(r.quality, r.cost), ratio(r.best, r.bestCost)), "1")
		setResult(&out, ratio(r.good, r.offered.sum(0, end)))
		put(&out, "goodput", ratio(r.good, r.offered.sum(0, end)), "1")
		return out, nil
	}
	return s
}

// firstSecond returns how long after from a window of two seconds begins of which
// ok is true, and all the time up to to if there is none.
func firstSecond(from, to float64, ok func(t float64) bool) float64 {
	for i := 0; from+float64(i)/10+2 <= to; i++ {
		if t := from + float64(i)/10; ok(t) {
			return t - from
		}
	}
	return to - from
}

const (
	modelFrom, modelTo = 30, 70
	modelEnd           = 100
	promptRate         = 40
	promptPatience     = 6000 // ms
)

type model struct {
	name      string
	pool      *pool
	low, high float64 // ms
	quality   float64
	price     float64 // dollars per 1000 tokens
	handicap  float64 // V
}

// router is one run.
type router struct {
	w                   *world
	gate                gate
	models              [2]model
	offered, better     *tally
	good, quality, cost float64
	best, bestCost      float64 // of the oracle
}

func playRouter(arm scenarios.Arm, seed uint64) (*router, error) {
	w := newWorld(seed, modelEnd)
	defer w.loop.Close()
	r := &router{w: w, offered: w.tally(), better: w.tally()}
	r.models = [2]model{
		{name: "gpt4", pool: w.pool(120), low: 500, high: 2000, quality: .95, price: .03},
		{name: "llama3", pool: w.pool(320), low: 50, high: 200, quality: .85, price: .005, handicap: 60},
	}
	g, err := w.gate(arm, setup{
		caps: map[string]float64{"gpt4": 120, "llama3": 320},
		// A few calls a second, each of which is dear: one failure is evidence.
		law: func(c *ohmic.Config) {
			c.FailureMemory, c.Evidence, c.Tolerance, c.StartLimit = 1500*time.Millisecond, 3, 2, 64
		},
	})
	if err != nil {
		return nil, err
	}
	r.gate = g
	w.poisson(1, promptRate, constant(promptRate), r.prompt)
	w.run()
	r.gate.close()
	return r, nil
}

func (r *router) failing() bool { t := r.w.now(); return t >= modelFrom && t < modelTo }

func (r *router) prompt(id uint64) {
	d := r.w.dice(2, id)
	tokens, choice := d.between(100, 300), d.float()
	volts := 25 * vec.Exp1(d.float()*4*math.Ln2)
	r.offered.add(1)
	ideal := &r.models[0]
	if r.failing() {
		ideal = &r.models[1]
	}
	r.best += ideal.quality
	r.bestCost += tokens / 1000 * ideal.price

	m := r.choose(choice)
	if m == 0 {
		r.better.add(1)
	}
	r.ask(id, m, volts, r.w.now(), tokens)
}

// choose draws a model, the softmax of the resistances. An arm that knows none
// takes the better model.
func (r *router) choose(u float64) int {
	const temperature = 12 // V
	var ohms [2]float64
	for i := range r.models {
		m := &r.models[i]
		x, ok := r.gate.look(m.name, atrion.DefaultVoltage)
		if _, isProduct := r.gate.(*product); !isProduct {
			return 0
		}
		if ok {
			ohms[i] = x.Decision.Resistance
		}
		ohms[i] += m.handicap
	}
	// Of two, softmax is a logistic function of the difference.
	if u < 1/(1+vec.Exp1((ohms[0]-ohms[1])/temperature)) {
		return 0
	}
	return 1
}

// ask makes the call, and at the other model if it fails.
func (r *router) ask(id uint64, i int, volts, born, tokens float64) {
	m := &r.models[i]
	end, ok := r.gate.admit(bid{route: m.name, volts: volts})
	if !ok {
		if i == 0 {
			r.ask(id, 1, volts, born, tokens)
		}
		return
	}
	d := r.w.dice(3+uint64(i), id)
	work, bad := d.between(m.low, m.high), .02
	if i == 0 && r.failing() {
		bad = .9
	}
	fails := d.float() < bad
	if fails && i == 0 {
		work = d.between(1000, 3000)
	}
	told := false
	m.pool.serve(work, func() {
		if told {
			return
		}
		told = true
		if fails {
			end(sim.Fail)
			if i == 0 {
				r.ask(id, 1, volts, born, tokens)
			}
			return
		}
		end(sim.OK)
		r.cost += tokens / 1000 * m.price
		if (r.w.now()-born)*1000 <= promptPatience {
			r.good++
			r.quality += m.quality
		}
	})
	r.w.after(math.Max(promptPatience-(r.w.now()-born)*1000, 0), func() {
		if !told {
			told = true
			end(sim.Timeout)
		}
	})
}

package windtunnel

import (
	"math"
	"strconv"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// metric is a number of every outcome.
type metric struct {
	name   string // as a column is headed
	less   bool   // less is better
	digits int    // after the point
	of     func(*scenarios.Outcome) sim.Number
}

var (
	goodput     = metric{"goodput", false, 3, func(o *scenarios.Outcome) sim.Number { return o.Goodput }}
	inFault     = metric{"fault", false, 3, func(o *scenarios.Outcome) sim.Number { return o.GoodputFault }}
	vip         = metric{"VIP", false, 3, func(o *scenarios.Outcome) sim.Number { return o.VIP }}
	value       = metric{"value", false, 3, func(o *scenarios.Outcome) sim.Number { return o.Value }}
	inversions  = metric{"inversions", true, 3, func(o *scenarios.Outcome) sim.Number { return o.Inversions }}
	falseShed   = metric{"false shed", true, 3, func(o *scenarios.Outcome) sim.Number { return o.FalseShed }}
	protect     = metric{"protect s", true, 1, func(o *scenarios.Outcome) sim.Number { return o.Protect }}
	recovery    = metric{"recover s", true, 1, func(o *scenarios.Outcome) sim.Number { return o.Recover }}
	transitions = metric{"transitions", true, 1, func(o *scenarios.Outcome) sim.Number {
		if !o.Goodput.Known() {
			return sim.Number(math.NaN()) // a story that counts no goodput counts no transitions either
		}
		return sim.Number(o.Transitions)
	}}
	lockout       = metric{"lock-out s", true, 1, func(o *scenarios.Outcome) sim.Number { return o.Lockout }}
	waste         = metric{"waste", true, 3, func(o *scenarios.Outcome) sim.Number { return o.Waste }}
	p99           = metric{"p99 ms", true, 0, func(o *scenarios.Outcome) sim.Number { return o.P99 }}
	failingAdmits = metric{"failing", true, 3, func(o *scenarios.Outcome) sim.Number { return o.FailingAdmits }}
)

// mean returns the mean over the seeds for which the number is known; NaN:
// none.
func (c *Cell) mean(m metric) float64 {
	var a average
	for _, o := range c.outcomes {
		if o != nil {
			a.add(float64(m.of(o)))
		}
	}
	return a.mean()
}

// worst returns the number of the worst seed for which it is known; NaN: none.
func (c *Cell) worst(m metric) float64 {
	worst := math.NaN()
	for _, o := range c.outcomes {
		if o == nil {
			continue
		}
		if x := float64(m.of(o)); math.IsNaN(worst) || m.less && x > worst || !m.less && x < worst {
			worst = x
		}
	}
	return worst
}

// average is a mean of what is known.
type average struct {
	sum float64
	n   int
}

func (a *average) add(x float64) {
	if !math.IsNaN(x) {
		a.sum += x
		a.n++
	}
}

func (a *average) mean() float64 {
	if a.n == 0 {
		return math.NaN()
	}
	return a.sum / float64(a.n)
}

// absent stands for a number that is not known.
const absent = "–"

func number(x float64, digits int) string {
	if math.IsNaN(x) {
		return absent
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

func (m *metric) text(x float64) string { return number(x, m.digits) }

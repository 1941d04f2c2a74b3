package windtunnel

import (
	"fmt"
	"math"

	"github.com/atrion-io/atrion/scenarios"
)

// judgement is a verdict, if there can be one.
type judgement struct {
	judged   bool // every seed was played
	failures []scenarios.Failure
}

func (j judgement) pass() bool { return j.judged && len(j.failures) == 0 }

func (s *Sheet) verdict(scenario, arm int) judgement {
	c := &s.cells[scenario][arm]
	known := c.known()
	if c.Skipped || len(known) < len(c.outcomes) || len(known) == 0 {
		return judgement{}
	}
	return judgement{true, s.Plan.Scenarios[scenario].Verdict(known)}
}

// promise says what was promised and what was got.
func promise(f scenarios.Failure) string {
	if math.IsNaN(f.Got) {
		return f.Promise + ", not measured"
	}
	return fmt.Sprintf("%s, got %.3g", f.Promise, f.Got)
}

// Failed returns the scenarios whose verdicts the arm of that name does not
// pass, with the promises it does not keep.
func (s *Sheet) Failed(arm string) (failed []string, failures []scenarios.Failure) {
	j := s.column(arm)
	if j < 0 {
		return nil, nil
	}
	for i, sc := range s.Plan.Scenarios {
		if v := s.verdict(i, j); v.judged && !v.pass() {
			failed = append(failed, sc.Name())
			failures = append(failures, v.failures...)
		}
	}
	return failed, failures
}

func (s *Sheet) column(arm string) int {
	for j := range s.Plan.Arms {
		if s.Plan.Arms[j].Name == arm {
			return j
		}
	}
	return -1
}

// total is what an arm made of all cases together, and how many verdicts it
// passed.
type total struct {
	goodput   float64 // mean over cases of the mean over seeds
	worst     float64 // the least of those means
	where     string  // the case in which it was
	worstSeed float64
	means     func(m metric) float64

	cases, stories passes
}

// passes is how many verdicts were passed, of those that there are.
type passes struct{ passed, of int }

func (p passes) String() string {
	if p.of == 0 {
		return absent
	}
	return fmt.Sprintf("%d/%d", p.passed, p.of)
}

// passes counts the verdicts of some scenarios.
func (s *Sheet) passes(of []int, arm int) (p passes) {
	for _, i := range of {
		if v := s.verdict(i, arm); v.judged {
			p.of++
			if v.pass() {
				p.passed++
			}
		}
	}
	return p
}

func (s *Sheet) total(arm int) total {
	cases := s.cases()
	t := total{worst: math.NaN(), worstSeed: math.NaN(), cases: s.passes(cases, arm), stories: s.passes(s.stories(), arm)}
	t.means = func(m metric) float64 {
		var a average
		for _, i := range cases {
			a.add(s.cells[i][arm].mean(m))
		}
		return a.mean()
	}
	t.goodput = t.means(goodput)
	for _, i := range cases {
		c := &s.cells[i][arm]
		if x := c.mean(goodput); x < t.worst || math.IsNaN(t.worst) && !math.IsNaN(x) {
			t.worst, t.where = x, s.Plan.Scenarios[i].Name()
		}
		if x := c.worst(goodput); x < t.worstSeed || math.IsNaN(t.worstSeed) {
			t.worstSeed = x
		}
	}
	return t
}

// duel is the arm under test against the best of its rivals in one case,
// chosen afterwards: arms that a gateway could run, and that do something.
type duel struct {
	scenario, rival string
	best, got       float64
}

func (d *duel) gap() float64 { return d.got - d.best }

func (d *duel) gapText() string {
	if s := fmt.Sprintf("%+.3f", d.gap()); s != "-0.000" && s != "+0.000" {
		return s
	}
	return "0.000"
}

// duels returns the duels of the cases.
func (s *Sheet) duels() []duel {
	own := s.column(UnderTest)
	if own < 0 {
		return nil
	}
	var all []duel
	for _, i := range s.cases() {
		d := duel{scenario: s.Plan.Scenarios[i].Name(), best: math.Inf(-1), got: s.cells[i][own].mean(goodput)}
		for j, a := range s.Plan.Arms {
			if j == own || a.Privileged || a.Name == idle {
				continue
			}
			if x := s.cells[i][j].mean(goodput); x > d.best {
				d.best, d.rival = x, a.Name
			}
		}
		if d.rival != "" && !math.IsNaN(d.got) {
			all = append(all, d)
		}
	}
	return all
}

// Differences in goodput that are none, and that are small.
const (
	tied = .005
	near = .01
)

// tally is how duels ended.
type tally struct{ wins, ties, losses int }

func count(duels []duel, margin float64) (t tally) {
	for _, d := range duels {
		switch gap := d.gap(); {
		case gap > margin:
			t.wins++
		case gap < -margin:
			t.losses++
		default:
			t.ties++
		}
	}
	return t
}

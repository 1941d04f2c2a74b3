package windtunnel

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
)

// shown are the columns of a scenario's table after goodput and its worst seed:
// few enough for a terminal.
var shown = []metric{inFault, vip, value, falseShed, recovery, p99}

// WriteTable writes what people read on a terminal: every scenario, then all
// cases together, then the duels.
func (s *Sheet) WriteTable(w io.Writer) error {
	out := bufio.NewWriter(w)
	if s.Partial {
		done, all := s.played()
		fmt.Fprintf(out, "PARTIAL: interrupted after %d of %d runs.\n\n", done, all)
	}
	for i, sc := range s.Plan.Scenarios {
		fmt.Fprintf(out, "%s: %s\n", sc.Name(), sc.About())
		s.scenario(i).write(out)
		fmt.Fprintln(out)
	}
	if n := len(s.cases()); n > 1 {
		fmt.Fprintf(out, "All %d cases\n", n)
		s.totals().write(out)
		fmt.Fprintln(out)
	}
	s.writeDuels(out)
	s.writeVerdicts(out)
	fmt.Fprintf(out, "%s\nMeans over the seeds, the worst seed in brackets.", s.Plan.Command())
	for _, a := range s.Plan.Arms {
		if a.Privileged {
			fmt.Fprint(out, " * knows or rules what a gateway cannot.")
			break
		}
	}
	fmt.Fprintln(out)
	return out.Flush()
}

func label(e Entry) string {
	if e.Privileged {
		return e.Name + "*"
	}
	return e.Name
}

// scenario returns the table of one scenario: of a case a row an arm, of a
// story, which has numbers of its own, a row a number.
func (s *Sheet) scenario(i int) grid {
	if measures := s.measures(i); len(measures) > 0 {
		return s.story(i, measures)
	}
	columns := append([]metric{goodput}, shown...)
	used := columns[:0:0] // those that mean something here
	for _, m := range columns {
		for j := range s.Plan.Arms {
			if !math.IsNaN(s.cells[i][j].mean(m)) {
				used = append(used, m)
				break
			}
		}
	}
	g := grid{{""}}
	for _, m := range used {
		g[0] = append(g[0], m.name)
	}
	g[0] = append(g[0], "verdict")
	for j, a := range s.Plan.Arms {
		c := &s.cells[i][j]
		if c.Skipped {
			continue
		}
		row := []string{label(a)}
		for _, m := range used {
			cell := m.text(c.mean(m))
			if m.name == goodput.name {
				cell += fmt.Sprintf(" [%s]", m.text(c.worst(m)))
			}
			row = append(row, cell)
		}
		g = append(g, append(row, s.verdict(i, j).text()))
	}
	return g
}

// story returns the table of a story.
func (s *Sheet) story(i int, measures []string) grid {
	g := grid{{""}}
	for _, m := range measures {
		g = append(g, []string{m})
	}
	g = append(g, []string{"verdict"})
	for j, a := range s.Plan.Arms {
		c := &s.cells[i][j]
		if c.Skipped {
			continue
		}
		g[0] = append(g[0], label(a))
		for k := range measures {
			g[k+1] = append(g[k+1], c.measure(k))
		}
		last := len(g) - 1
		g[last] = append(g[last], s.verdict(i, j).brief())
	}
	return g
}

// brief says in a word how a verdict went.
func (j judgement) brief() string {
	switch {
	case !j.judged:
		return absent
	case j.pass():
		return "pass"
	}
	return fmt.Sprintf("FAIL %d", len(j.failures))
}

// text says how a verdict went, with the first promise that was not kept.
func (j judgement) text() string {
	switch {
	case !j.judged:
		return absent
	case j.pass():
		return "pass"
	}
	more := ""
	if n := len(j.failures); n > 1 {
		more = fmt.Sprintf(", and %d more", n-1)
	}
	return "FAIL " + promise(j.failures[0]) + more
}

// measures returns the heads of a story's own measures, which are the same in
// every outcome.
func (s *Sheet) measures(i int) (heads []string) {
	for j := range s.cells[i] {
		known := s.cells[i][j].known()
		if len(known) == 0 {
			continue
		}
		for _, m := range known[0].Measures {
			head := m.Name
			if m.Unit != "" && m.Unit != "1" && !strings.HasSuffix(m.Name, "_"+m.Unit) {
				head += " " + m.Unit
			}
			heads = append(heads, head)
		}
		return heads
	}
	return nil
}

// measure returns the mean of the k-th measure as text.
func (c *Cell) measure(k int) string {
	var a average
	for _, o := range c.known() {
		if k < len(o.Measures) {
			a.add(float64(o.Measures[k].Value))
		}
	}
	if x := a.mean(); math.Abs(x) >= 100 {
		return number(x, 1)
	}
	return number(a.mean(), 3)
}

// overall are the columns of the table over all cases after the first ones.
var overall = []metric{inFault, vip, value, inversions, falseShed, protect, recovery, lockout, transitions, waste, p99, failingAdmits}

// totals returns the table over all cases, a row an arm.
func (s *Sheet) totals() grid {
	stories := len(s.stories()) > 0
	g := grid{{"", "cases"}}
	if stories {
		g[0] = append(g[0], "stories")
	}
	g[0] = append(g[0], "goodput", "worst case", "worst seed")
	for _, m := range overall {
		g[0] = append(g[0], m.name)
	}
	for j, a := range s.Plan.Arms {
		t := s.total(j)
		row := []string{label(a), t.cases.String()}
		if stories {
			row = append(row, t.stories.String())
		}
		row = append(row, goodput.text(t.goodput),
			strings.TrimSpace(goodput.text(t.worst)+" "+t.where), goodput.text(t.worstSeed))
		for _, m := range overall {
			row = append(row, m.text(t.means(m)))
		}
		g = append(g, row)
	}
	return g
}

func (s *Sheet) writeDuels(out io.Writer) {
	duels := s.duels()
	if len(duels) == 0 {
		return
	}
	fmt.Fprintf(out, "%s against the best rival of each case, of those entered\n", UnderTest)
	g := grid{{"", "best rival", "goodput", UnderTest, "gap"}}
	for _, d := range duels {
		g = append(g, []string{d.scenario, d.rival, goodput.text(d.best), goodput.text(d.got), d.gapText()})
	}
	g.write(out)
	fmt.Fprintf(out, "\n%s\n%s\n\n", outcome(duels, tied), outcome(duels, near))
}

func outcome(duels []duel, margin float64) string {
	t := count(duels, margin)
	return fmt.Sprintf("wins %d, ties (within %v) %d, losses %d", t.wins, margin, t.ties, t.losses)
}

func (s *Sheet) writeVerdicts(out io.Writer) {
	failed, failures := s.Failed(UnderTest)
	if len(failed) == 0 {
		return
	}
	fmt.Fprintf(out, "%s does not keep\n", UnderTest)
	for _, f := range failures {
		fmt.Fprintf(out, "  %s: %s\n", f.Case, promise(f))
	}
	fmt.Fprintln(out)
}

// verdicts returns the verdicts on some scenarios, for the arms that can play
// them.
func (s *Sheet) verdicts(of []int) grid {
	g := grid{{"story"}}
	var columns []int
	for j, a := range s.Plan.Arms {
		for _, i := range of {
			if !s.cells[i][j].Skipped {
				columns = append(columns, j)
				g[0] = append(g[0], label(a))
				break
			}
		}
	}
	for _, i := range of {
		row := []string{s.Plan.Scenarios[i].Name()}
		for _, j := range columns {
			row = append(row, s.verdict(i, j).brief())
		}
		g = append(g, row)
	}
	return g
}

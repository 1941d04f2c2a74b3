package windtunnel

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Build says what program played a plan.
type Build struct {
	Version  string
	Revision string // of the sources; empty: not known
	Modified bool   // the sources are not quite those of the revision
}

func (b Build) String() string {
	revision := b.Revision
	if revision == "" {
		revision = "unknown"
	}
	if b.Modified {
		revision += ", modified"
	}
	if strings.HasPrefix(b.Version, "0.0.0") { // no release: the revision says all
		return "Atrion at revision " + revision
	}
	return fmt.Sprintf("Atrion %s, revision %s", b.Version, revision)
}

// featured are the arms of the Markdown table with a row a scenario.
var featured = []string{idle, "static", "failsafe-breaker", "failsafe-adaptive", "gozero-shedder", "kratos-bbr", "gradient2", "codel", "classic", UnderTest}

// WriteMarkdown writes the score sheet for the source tree: the same on every
// machine.
func (s *Sheet) WriteMarkdown(w io.Writer, b Build) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `# Results of the wind tunnel

    %s

%s. Scenarios: %d. Controllers: %d.
`, s.Plan.Command(), b, len(s.Plan.Scenarios), len(s.Plan.Arms))
	if s.Partial {
		done, all := s.played()
		fmt.Fprintf(out, "\n**Partial**: interrupted after %d of %d runs.\n", done, all)
	}
	fmt.Fprintf(out, `
Written by that command with `+"`--results`"+`; do not edit. Every number is a mean
over seeds unless it says otherwise. *goodput* is successes over what an oracle
could have served, *fault* the same in the fault window, *value* weighs VIP,
normal and background requests by 10, 3 and 1, *false shed* is what was turned
away while nothing was wrong, *protect* and *recover* are seconds, *waste* is
service time that helped nobody, *failing* the share of attempts admitted to
fail. Controllers with an asterisk know or rule what a gateway cannot; they and
%s are not counted as rivals of %s.
`, idle, UnderTest)
	for n, r := range s.Plan.Seeds {
		s.set(n).markdown(out, r)
	}
	return out.Flush()
}

func (s *Sheet) markdown(out io.Writer, r Range) {
	fmt.Fprintf(out, "\n## Seeds %s\n", r)
	if r == HeldOut {
		fmt.Fprint(out, "\nHeld out: never used while the law was made.\n")
	}
	fmt.Fprint(out, "\n### All cases together, and verdicts passed\n\n")
	g := s.totals()
	g[0][0] = "controller"
	g.markdown(out)

	if failed, failures := s.Failed(UnderTest); len(failed) > 0 {
		fmt.Fprintf(out, "\n### What %s does not keep\n\n", UnderTest)
		for _, f := range failures {
			fmt.Fprintf(out, "- %s: %s\n", f.Case, promise(f))
		}
	}

	fmt.Fprint(out, "\n### Goodput by case, the worst seed in brackets\n\n")
	g = grid{{"case"}}
	var columns []int
	for j, a := range s.Plan.Arms {
		if slices.Contains(featured, a.Name) || len(s.Plan.Arms) <= len(featured) {
			columns = append(columns, j)
			g[0] = append(g[0], label(a))
		}
	}
	for _, i := range s.cases() {
		row := []string{s.Plan.Scenarios[i].Name()}
		for _, j := range columns {
			c := &s.cells[i][j]
			row = append(row, fmt.Sprintf("%s [%s]", goodput.text(c.mean(goodput)), goodput.text(c.worst(goodput))))
		}
		g = append(g, row)
	}
	g.markdown(out)

	if all := s.stories(); len(all) > 0 {
		fmt.Fprint(out, "\n### Verdicts on the stories\n\n")
		s.verdicts(all).markdown(out)
		fmt.Fprint(out, "\nWith the number of promises not kept.\n")
	}
	if duels := s.duels(); len(duels) > 0 {
		fmt.Fprintf(out, "\n### %s against the best rival of each case\n\n", UnderTest)
		g = grid{{"case", "best rival", "goodput", UnderTest, "gap"}}
		for _, d := range duels {
			g = append(g, []string{d.scenario, d.rival, goodput.text(d.best), goodput.text(d.got), d.gapText()})
		}
		g.markdown(out)
		fmt.Fprintf(out, "\nThe rival is chosen afterwards, for each case anew: %s; %s.\n", outcome(duels, tied), outcome(duels, near))
	}
}

// HeldOut are the seeds that nobody looks at while a law is being made.
var HeldOut = Range{101, 110}

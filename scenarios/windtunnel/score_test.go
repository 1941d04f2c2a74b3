package windtunnel

import (
	"strings"
	"testing"

	"github.com/atrion-io/atrion/scenarios"
)

// judged is a sheet of made-up numbers: the arm under test wins a, ties in b by
// the wider margin, and loses c to gradient2.
func judged(t *testing.T) *Sheet {
	t.Helper()
	story := func(name string, own, gradient, static float64) scenarios.Scenario {
		return taleCase{&tale{name: name, about: "x < y & <script>alert(\"z\")</script>", floor: .9, goodput: map[string][]float64{
			"none": {1, 1}, "static": {static, static}, UnderTest: {own, own - .02}, "gradient2": {gradient, gradient - .02},
		}}}
	}
	return mustPlay(t, &Plan{
		Scenarios: []scenarios.Scenario{story("a", .99, .95, 1), story("b", .97, .977, 1), story("c", .9, .95, 1)},
		Arms:      entries(t, "none", "static", UnderTest, "gradient2"), Seeds: []Range{{1, 1}, {2, 2}},
	})
}

func TestDuels(t *testing.T) {
	s := judged(t)
	duels := s.duels()
	if len(duels) != 3 {
		t.Fatalf("%d duels", len(duels))
	}
	for _, d := range duels {
		if d.rival != "gradient2" {
			t.Errorf("%s: the rival is %s; doing nothing and privileged arms are none", d.scenario, d.rival)
		}
	}
	if got := count(duels, tied); got != (tally{1, 0, 2}) {
		t.Errorf("within %v: %+v", tied, got)
	}
	if got := count(duels, near); got != (tally{1, 1, 1}) {
		t.Errorf("within %v: %+v", near, got)
	}
	out := written(t, s)
	for _, format := range []string{"table", "html", "markdown"} {
		for _, want := range []string{"wins 1, ties (within 0.005) 0, losses 2", "wins 1, ties (within 0.01) 1, losses 1", "-0.050"} {
			if !strings.Contains(out[format], want) {
				t.Errorf("%s: no %q", format, want)
			}
		}
	}
}

func TestVerdictsAreShown(t *testing.T) {
	s := judged(t)
	failed, failures := s.Failed(UnderTest)
	if len(failed) != 1 || failed[0] != "c" || len(failures) != 1 || !strings.HasPrefix(failures[0].String(), "c: the floor") {
		t.Errorf("failed %v, %v", failed, failures)
	}
	own := s.total(s.column(UnderTest))
	if own.cases != (passes{2, 3}) || own.stories.of != 0 || own.where != "c" || own.worstSeed != .88 {
		t.Errorf("total %+v", own)
	}
	out := written(t, s)
	if !strings.Contains(out["table"], "FAIL the floor, got 0.88") || !strings.Contains(out["table"], UnderTest+" does not keep\n  c: the floor, got 0.88") {
		t.Errorf("table\n%s", out["table"])
	}
	// The second set of seeds has the failure, the first has none.
	sets := strings.Split(out["markdown"], "\n## Seeds ")
	if len(sets) != 3 || strings.Contains(sets[1], "does not keep") || !strings.Contains(sets[2], "does not keep") {
		t.Errorf("markdown\n%s", out["markdown"])
	}
	if failed, _ := s.Failed("codel"); failed != nil {
		t.Errorf("an arm that was not entered failed %v", failed)
	}
}

// TestMarkdownTables: every row of a table has as many cells as its head.
func TestMarkdownTables(t *testing.T) {
	cells, rows := 0, 0
	for line := range strings.Lines(written(t, judged(t))["markdown"]) {
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		rows++
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if cells != 0 && n != cells {
			t.Errorf("%d bars where the head has %d: %s", n, cells, line)
		}
		cells = n
	}
	if rows < 20 {
		t.Errorf("only %d rows", rows)
	}
}

// TestStoriesAreApart: they have verdicts, and no part in means and duels.
func TestStoriesAreApart(t *testing.T) {
	numbers := func(own, rival float64) *tale {
		return &tale{name: "shop", floor: .5, measures: true, goodput: map[string][]float64{UnderTest: {own}, "gradient2": {rival}}}
	}
	c := numbers(.9, .8)
	c.name = "case"
	s := mustPlay(t, &Plan{
		Scenarios: []scenarios.Scenario{taleCase{c}, numbers(.6, .3)}, Arms: entries(t, UnderTest, "gradient2"), Seeds: []Range{{1, 1}},
	})
	own, rival := s.total(0), s.total(1)
	if own.goodput != .9 || own.cases != (passes{1, 1}) || own.stories != (passes{1, 1}) || rival.stories != (passes{0, 1}) {
		t.Errorf("%+v, %+v", own, rival)
	}
	if d := s.duels(); len(d) != 1 || d[0].scenario != "case" {
		t.Errorf("duels %+v", d)
	}
	out := written(t, s)
	if !strings.Contains(out["markdown"], "| shop | pass | FAIL 1 |") || !strings.Contains(out["table"], "verdict   pass     FAIL 1") {
		t.Errorf("%s\n%s", out["markdown"], out["table"])
	}
}

package windtunnel

import (
	_ "embed" // the report's own files
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

//go:embed report.html
var reportHTML string

//go:embed report.css
var reportCSS string

//go:embed report.js
var reportJS string

var reportTemplate = template.Must(template.New("report").Parse(reportHTML))

// page is what the report's template shows.
type page struct {
	Style    template.CSS
	Script   template.JS
	Command  string
	Build    string
	Seeds    string
	Partial  string
	Tiles    []tile
	Arms     []column
	Chosen   bool // some arm has plots
	Unseen   bool // some arm has none, being a peer
	Heat     []heat
	Totals   grid
	Duels    []duelRow
	Tally    []string
	Broken   []string // promises the arm under test does not keep
	Sections []section
	Under    string
	Idle     string
}

// tile is a number that stands for the whole.
type tile struct{ Value, What string }

// column is an arm in the tables and plots.
type column struct {
	N       int
	Name    string
	Label   string
	About   string
	Under   bool
	Plotted bool // has plots
	Shown   bool // its plots are shown at first
}

// heat is a table of scenarios and arms, coloured by one metric.
type heat struct {
	Title, About string
	Rows         []heatRow
}

type heatRow struct {
	Scenario string
	Cells    []heatCell
}

type heatCell struct {
	Shade       string
	Text, Worst string
	Failed      bool
	Title       string
}

type duelRow struct {
	Scenario, Rival, Best, Got, Gap string
	Width                           float64 // of the bar, percent of half the column
	Ahead                           bool
}

type section struct {
	Name, About string
	Grid        grid
	Broken      []broken
	Passed      bool // by the arm under test
	Judged      bool
	Panels      []panel
}

// broken is what an arm does not keep.
type broken struct {
	Arm      string
	Promises []string
}

// WriteHTML writes the report: one file that needs nothing else.
func (s *Sheet) WriteHTML(w io.Writer, b Build) error {
	p := page{
		Style: template.CSS(reportCSS), Script: template.JS(reportJS),
		Command: s.Plan.Command(), Build: b.String(), Totals: s.totals(), Under: UnderTest, Idle: idle,
	}
	var seeds []string
	for _, r := range s.Plan.Seeds {
		seeds = append(seeds, r.String())
	}
	p.Seeds = strings.Join(seeds, ", ")
	if s.Partial {
		done, all := s.played()
		p.Partial = fmt.Sprintf("Partial: interrupted after %d of %d runs.", done, all)
	}
	s.columns(&p)
	p.Heat = []heat{
		s.heat("Goodput", "Successes over what an oracle could have served; a cross marks a verdict that is not passed.", goodput, true),
		s.heat("VIP", "Share of the VIP requests of the fault window that succeeded. No number: nothing could be served then.", vip, false),
	}
	if all := s.stories(); len(all) > 0 {
		p.Heat = append(p.Heat, s.storyHeat(all))
	}
	s.duelRows(&p)
	_, failures := s.Failed(UnderTest)
	for _, f := range failures {
		p.Broken = append(p.Broken, f.Case+": "+promise(f))
	}
	s.tiles(&p)
	own := s.column(UnderTest)
	for i, sc := range s.Plan.Scenarios {
		x := section{Name: sc.Name(), About: sc.About(), Grid: s.scenario(i), Panels: s.panels(i)}
		if own >= 0 {
			v := s.verdict(i, own)
			x.Judged, x.Passed = v.judged, v.pass()
		}
		for j, a := range s.Plan.Arms {
			v := s.verdict(i, j)
			if len(v.failures) == 0 {
				continue
			}
			b := broken{Arm: label(a)}
			for _, f := range v.failures {
				b.Promises = append(b.Promises, promise(f))
			}
			x.Broken = append(x.Broken, b)
		}
		p.Sections = append(p.Sections, x)
	}
	return reportTemplate.Execute(w, p)
}

// first are the arms whose plots are shown before anybody chooses.
var first = []string{idle, "classic", UnderTest, "gradient2"}

func (s *Sheet) columns(p *page) {
	for j, a := range s.Plan.Arms {
		plotted := false
		for i := range s.cells {
			plotted = plotted || s.cells[i][j].series != nil
		}
		p.Arms = append(p.Arms, column{
			N: j, Name: a.Name, Label: label(a), About: a.About, Under: a.Name == UnderTest,
			Plotted: plotted, Shown: slices.Contains(first, a.Name),
		})
		p.Chosen = p.Chosen || plotted
		p.Unseen = p.Unseen || a.Peer
	}
	if !slices.ContainsFunc(p.Arms, func(c column) bool { return c.Plotted && c.Shown }) {
		for i := range p.Arms {
			p.Arms[i].Shown = i < len(first)
		}
	}
}

// shades are the floors of the colours, from the best: the blue ones are at or
// above the least that any verdict asks for.
var shades = []float64{.98, .95, .93, .85, .5}

func shade(x float64) string {
	if math.IsNaN(x) {
		return "none"
	}
	for i, floor := range shades {
		if x >= floor {
			return fmt.Sprintf("s%d", i)
		}
	}
	return fmt.Sprintf("s%d", len(shades))
}

func (s *Sheet) heat(title, about string, m metric, verdicts bool) heat {
	h := heat{Title: title, About: about}
	for _, i := range s.cases() {
		row := heatRow{Scenario: s.Plan.Scenarios[i].Name()}
		for j := range s.Plan.Arms {
			c := &s.cells[i][j]
			x := c.mean(m)
			cell := heatCell{Shade: shade(x), Text: m.text(x), Worst: m.text(c.worst(m))}
			if v := s.verdict(i, j); verdicts && v.judged && !v.pass() {
				cell.Failed = true
				var lines []string
				for _, f := range v.failures {
					lines = append(lines, promise(f))
				}
				cell.Title = strings.Join(lines, "\n")
			}
			row.Cells = append(row.Cells, cell)
		}
		h.Rows = append(h.Rows, row)
	}
	return h
}

// storyHeat shows the verdicts on the stories: they have no number in common.
func (s *Sheet) storyHeat(all []int) heat {
	h := heat{Title: "Stories", About: "Verdicts; with a cross, the number of promises that are not kept."}
	for _, i := range all {
		row := heatRow{Scenario: s.Plan.Scenarios[i].Name()}
		for j := range s.Plan.Arms {
			cell := heatCell{Shade: "none"}
			switch v := s.verdict(i, j); {
			case v.pass():
				cell = heatCell{Shade: "s0", Text: "pass"}
			case v.judged:
				cell = heatCell{Shade: "s5", Text: strconv.Itoa(len(v.failures)), Failed: true}
			}
			row.Cells = append(row.Cells, cell)
		}
		h.Rows = append(h.Rows, row)
	}
	return h
}

// widest is the gap that fills half the column of the duels' bars.
const widest = .1

func (s *Sheet) duelRows(p *page) {
	duels := s.duels()
	for _, d := range duels {
		p.Duels = append(p.Duels, duelRow{
			Scenario: d.scenario, Rival: d.rival, Best: goodput.text(d.best), Got: goodput.text(d.got),
			Gap: d.gapText(), Ahead: d.gap() >= 0,
			Width: math.Round(500*min(1, math.Abs(d.gap())/widest)) / 10,
		})
	}
	if len(duels) > 0 {
		p.Tally = []string{outcome(duels, tied), outcome(duels, near)}
	}
}

func (s *Sheet) tiles(p *page) {
	own := s.column(UnderTest)
	if own < 0 {
		return
	}
	t := s.total(own)
	p.Tiles = append(p.Tiles,
		tile{t.cases.String(), "verdicts on cases passed by " + UnderTest},
	)
	if t.stories.of > 0 {
		p.Tiles = append(p.Tiles, tile{t.stories.String(), "verdicts on stories passed by " + UnderTest})
	}
	p.Tiles = append(p.Tiles,
		tile{goodput.text(t.goodput), "mean goodput of the cases, the worst " + strings.TrimSpace(goodput.text(t.worst)+" "+t.where)},
		tile{vip.text(t.means(vip)), "mean VIP success in faults and overload"},
	)
	if duels := s.duels(); len(duels) > 0 {
		c := count(duels, tied)
		p.Tiles = append(p.Tiles, tile{fmt.Sprintf("%d / %d / %d", c.wins, c.ties, c.losses),
			fmt.Sprintf("wins, ties, losses against the best rival of each case, ties within %v", tied)})
	}
}

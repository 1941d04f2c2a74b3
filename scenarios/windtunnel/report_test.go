package windtunnel

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
)

// contents are parts of the report that are not HTML.
var contents = regexp.MustCompile(`(?s)(<style>).*?(</style>)|(<script>).*?(</script>)`)

// fetches is what makes a browser ask for something else.
var fetches = regexp.MustCompile(`(?i)https?:|//[a-z]+\.|\bsrc\s*=|\burl\(|@import|<link|<iframe|<img|fetch\(|XMLHttpRequest|import\(`)

// TestReportStandsAlone: it is well-formed and asks for nothing.
func TestReportStandsAlone(t *testing.T) {
	s := mustPlay(t, &Plan{
		Scenarios: small(t), Arms: entries(t, "none", "classic", UnderTest), Seeds: []Range{{1, 1}}, Parallel: 2, Trace: true,
	})
	for what, html := range map[string]string{"with plots": written(t, s)["html"], "without": written(t, judged(t))["html"]} {
		if hit := fetches.FindString(html); hit != "" {
			t.Errorf("%s: it has %q", what, hit)
		}
		parser := xml.NewDecoder(strings.NewReader(contents.ReplaceAllString(html, "$1$2$3$4")))
		parser.Entity = xml.HTMLEntity
		ids := map[string]bool{}
		for {
			token, err := parser.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: not well-formed: %v", what, err)
			}
			if e, ok := token.(xml.StartElement); ok {
				for _, a := range e.Attr {
					if a.Name.Local != "id" {
						continue
					}
					if ids[a.Value] {
						t.Errorf("%s: id %q twice", what, a.Value)
					}
					ids[a.Value] = true
				}
			}
		}
		for _, link := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(html, -1) {
			if !ids[link[1]] {
				t.Errorf("%s: a link to %q leads nowhere", what, link[1])
			}
		}
		if strings.Contains(html, "ZgotmplZ") {
			t.Errorf("%s: the template refused a value", what)
		}
	}
	if html := written(t, judged(t))["html"]; strings.Contains(html, "<script>alert") {
		t.Error("a scenario's words are taken for HTML")
	}
	if n := strings.Count(written(t, s)["html"], "<svg viewBox"); n < 2*(1+3*3+2) {
		t.Errorf("only %d plots", n)
	}
}

// TestSeries: joined bins keep the amounts.
func TestSeries(t *testing.T) {
	tr := &sim.Trace{Step: .1}
	for i := range 1001 {
		for c := range tr.Offered {
			tr.Offered[c] = append(tr.Offered[c], uint32(i%7))
			tr.Good[c] = append(tr.Good[c], uint32(c))
		}
		tr.Attempts = append(tr.Attempts, 9)
		tr.Admitted = append(tr.Admitted, 5)
		tr.Rejected = append(tr.Rejected, 4)
		tr.Dropped = append(tr.Dropped, 0)
		tr.Capacity = append(tr.Capacity, 64)
		tr.Gauges = append(tr.Gauges, sim.Gauge{Base: 1, Pressure: math.NaN(), Scar: math.Inf(1), N: float64(i), Mode: "circuit_breaker"})
	}
	s := newSeries(tr)
	if len(s.offered) != 167 || math.Abs(s.step-.6) > 1e-12 {
		t.Fatalf("%d points of %v s", len(s.offered), s.step)
	}
	if math.Abs(s.capacity[3]-640) > 1e-9 || math.Abs(s.good[2][7]-20) > 1e-9 || math.Abs(s.admitted[166]-50) > 1e-9 {
		t.Errorf("rates %v, %v, %v", s.capacity[3], s.good[2][7], s.admitted[166])
	}
	if s.inflight[1] != 8.5 || s.base[0] != 1 || s.pressure[0] != 0 || s.scar[0] != 0 || s.tripped[5] != 1 {
		t.Errorf("levels %v, %v, %v, %v", s.inflight[1], s.base[0], s.pressure[0], s.scar[0])
	}
	if newSeries(&sim.Trace{}) != nil {
		t.Error("a series of nothing")
	}
}

// TestPath: the relative steps lead to the values.
func TestPath(t *testing.T) {
	p := newPlot(5, 2, 90)
	if p.Max != 100 || len(p.Y) != 3 && len(p.Y) != 4 && len(p.Y) != 6 || p.X[0].At != 0 {
		t.Fatalf("axes %+v", p)
	}
	values := []float64{0, 50, 50, 25, 1e9}
	p.stacked(layer{"x", "x", values})
	d := strings.TrimSuffix(p.Curves[0].D, "V1000H0z")
	start, steps, _ := strings.Cut(d, "l")
	var y int
	if _, err := fmt.Sscanf(start, "M0 %d", &y); err != nil {
		t.Fatal(err)
	}
	numbers := regexp.MustCompile(`-?\d+`).FindAllString(steps, -1)
	for i, want := range values {
		if i > 0 {
			var dx, dy int
			fmt.Sscan(numbers[2*i-2], &dx)
			fmt.Sscan(numbers[2*i-1], &dy)
			if y += dy; dx != 1 {
				t.Errorf("step of %d in %s", dx, d)
			}
		}
		if got := p.Max * (1 - float64(y)/height); math.Abs(got-min(want, p.Max)) > .1 {
			t.Errorf("point %d of %s is %v, want %v", i, d, got, want)
		}
	}
}

func TestNice(t *testing.T) {
	for x, want := range map[float64]float64{1: 1, 1.5: 2, 3: 5, 7: 10, 20: 20, 21: 50, .03: .05, 0: 1, math.Inf(1): 1} {
		if got := nice(x); math.Abs(got-want) > 1e-12 {
			t.Errorf("nice(%v) = %v, want %v", x, got, want)
		}
	}
}

func TestBar(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	b := &Bar{W: &out, Now: func() time.Time { return now }}
	b.Close()
	if out.Len() != 0 {
		t.Errorf("an unused bar wrote %q", out.String())
	}
	b = &Bar{W: &out, Now: b.Now}
	b.Show(0)
	now = now.Add(20 * time.Millisecond)
	drawn := out.Len()
	if b.Show(.1); out.Len() != drawn {
		t.Error("drawn too often")
	}
	now = now.Add(10 * time.Second)
	if b.Show(.25); !strings.HasSuffix(out.String(), "]  25 %, 30s left") {
		t.Errorf("%q", out.String())
	}
	b.Close()
	after := out.String()
	if b.Show(.9); out.String() != after || !strings.HasSuffix(after, "\r\x1b[K") {
		t.Errorf("not removed: %q", out.String())
	}
}

package tuner

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// series is one labelled file of the Numenta Anomaly Benchmark.
type series struct {
	name    string
	times   []int64
	values  []float64
	windows []window
}

// window is a labelled anomaly, both ends included.
type window struct{ left, right int }

// nabSeries reads the directory in ATRION_NAB, or skips.
func nabSeries(t testing.TB) []series {
	dir := os.Getenv("ATRION_NAB")
	if dir == "" {
		t.Skip("ATRION_NAB is not set: the directory of combined_windows.json and the series it names")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "combined_windows.json"))
	if err != nil {
		t.Fatal(err)
	}
	var labels map[string][][2]string
	if err := json.Unmarshal(raw, &labels); err != nil {
		t.Fatal(err)
	}
	var all []series
	for name, windows := range labels {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		s := series{name: filepath.Base(name)}
		index := map[string]int{}
		for i, row := range rows[1:] {
			at, err := time.Parse(time.DateTime, row[0])
			if err != nil {
				t.Fatal(err)
			}
			value, err := strconv.ParseFloat(row[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			index[row[0]] = i
			s.times = append(s.times, at.UnixNano())
			s.values = append(s.values, value)
		}
		for _, w := range windows {
			left, ok := index[strings.TrimSuffix(w[0], ".000000")]
			right, ok2 := index[strings.TrimSuffix(w[1], ".000000")]
			if !ok || !ok2 {
				t.Fatalf("%s: no row at %v", name, w)
			}
			s.windows = append(s.windows, window{left, right})
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b series) int { return cmp.Compare(a.name, b.name) })
	return all
}

// nabScore is a sum over files.
type nabScore struct {
	sum         float64 // of the benchmark's standard profile, not normalised
	windows     int
	found       int
	falseAlarms int
}

func (s nabScore) plus(o nabScore) nabScore {
	return nabScore{s.sum + o.sum, s.windows + o.windows, s.found + o.found, s.falseAlarms + o.falseAlarms}
}

// normal is 0 for a detector that says nothing (each window costs 1) and 100
// for one that alarms at every left edge and nowhere else.
func (s nabScore) normal() float64 {
	n := float64(s.windows)
	return 100 * (s.sum + n) / (2 * n)
}

// sigmoid is the benchmark's: 1 long before the right edge of a window (-1 is
// the left edge), 0 at it, -1 long after.
func sigmoid(position float64) float64 {
	if position >= 3 {
		return -1
	}
	return 2/(1+math.Exp(5*position)) - 1
}

// score judges the alarms, which are indices in rising order.
func (s *series) score(alarms []int) nabScore {
	unscored := min(len(s.values)*15/100, 750)
	sum := nabScore{windows: len(s.windows)}
	best := make([]float64, len(s.windows))
	for i := range best {
		best[i] = -1
	}
	for _, at := range alarms {
		if at < unscored {
			continue
		}
		inside, past := false, 3.0
		for i, w := range s.windows {
			width := float64(w.right - w.left)
			if at >= w.left && at <= w.right {
				inside = true
				best[i] = max(best[i], sigmoid(-float64(w.right-at+1)/(width+1))/sigmoid(-1))
			} else if at > w.right {
				past = float64(at-w.right) / width
			}
		}
		if !inside {
			sum.falseAlarms++
			sum.sum += 0.11 * sigmoid(past)
		}
	}
	for _, b := range best {
		sum.sum += b
		if b > -1 {
			sum.found++
		}
	}
	return sum
}

// every scores a detector on all files.
func every(all []series, detect func(*series) []int) (total nabScore, files []nabScore) {
	for i := range all {
		f := all[i].score(detect(&all[i]))
		files = append(files, f)
		total = total.plus(f)
	}
	return total, files
}

// incidents are the observations at which a detector reports a new incident.
func (c *DetectorConfig) incidents(s *series) (alarms []int) {
	var d Detector
	for i, v := range s.values {
		if c.Observe(&d, s.times[i], v) == Raised {
			alarms = append(alarms, i)
		}
	}
	return alarms
}

// plain is the exponential mean + k sigma, both sides, that alarms on every
// value outside but at most once per cooldown values.
func plain(c Config, cooldown int) func(*series) []int {
	return func(s *series) (alarms []int) {
		var state State
		last := -1 << 30
		for i, v := range s.values {
			if state.Samples > 0 && math.Abs(v-state.Mean) > c.Sensitivity*state.StdDev() && i-last > cooldown {
				alarms, last = append(alarms, i), i
			}
			c.Observe(&state, v)
		}
		return alarms
	}
}

// clockwork alarms on every n-th value and looks at none.
func clockwork(n int) func(*series) []int {
	return func(s *series) (alarms []int) {
		for i := n - 1; i < len(s.values); i += n {
			alarms = append(alarms, i)
		}
		return alarms
	}
}

// TestNABScorer: the scorer gives what is known about the benchmark.
func TestNABScorer(t *testing.T) {
	all := nabSeries(t)
	for _, x := range []struct {
		name   string
		detect func(*series) []int
		want   float64
	}{
		{"nothing", func(*series) []int { return nil }, 0},
		{"every left edge", func(s *series) (alarms []int) {
			for _, w := range s.windows {
				alarms = append(alarms, w.left)
			}
			return alarms
		}, 100},
		{"plain, every value outside", plain(DefaultConfig(), 0), -31.2},
		{"plain, 100 values of cool-down", plain(DefaultConfig(), 100), 37.3},
	} {
		got, _ := every(all, x.detect)
		if math.Abs(got.normal()-x.want) > 0.05 {
			t.Errorf("%s: %.2f, want %.1f", x.name, got.normal(), x.want)
		}
	}
}

// TestNAB measures the default detector. Run with -v for the table.
func TestNAB(t *testing.T) {
	all := nabSeries(t)
	c := DefaultDetector()
	total, files := every(all, c.incidents)
	for i, f := range files {
		t.Logf("%-46s score %6.2f, %d of %d found, %2d false alarms", all[i].name, f.sum, f.found, f.windows, f.falseAlarms)
	}
	days := 0.0
	for _, s := range all {
		days += time.Duration(s.times[len(s.times)-1]-s.times[0]).Hours() / 24
	}
	t.Logf("all %d: %.1f, %d of %d found, %d false alarms in %.0f days", len(all), total.normal(), total.found, total.windows, total.falseAlarms, days)
	for _, x := range []struct {
		name   string
		detect func(*series) []int
	}{
		{"plain, every value outside", plain(DefaultConfig(), 0)},
		{"plain, 100 values of cool-down", plain(DefaultConfig(), 100)},
		{"clockwork, every 250th value", clockwork(250)},
	} {
		r, _ := every(all, x.detect)
		t.Logf("%s: %.1f, %d of %d found, %d false alarms", x.name, r.normal(), r.found, r.windows, r.falseAlarms)
	}
	// Clockwork at its best period is the score of looking at nothing.
	best := math.Inf(-1)
	for n := 50; n <= 600; n += 10 {
		r, _ := every(all, clockwork(n))
		best = max(best, r.normal())
	}
	t.Logf("clockwork, best period: %.1f", best)
	if total.normal() < best+5 {
		t.Errorf("%.1f is not clearly above clockwork, %.1f", total.normal(), best)
	}
}

// jitter changes every number of a configuration by some tenth.
func jitter(c DetectorConfig, rng *rand.Rand) DetectorConfig {
	by := func() float64 { return math.Exp(0.1 * rng.NormFloat64()) }
	for _, d := range []*time.Duration{&c.HalfLife, &c.Smoothing, &c.MaxStep, &c.Quiet, &c.Accept, &c.Warmup} {
		*d = time.Duration(float64(*d) * by())
	}
	for _, f := range []*float64{&c.Raise, &c.Clear, &c.Winsor, &c.FloorShare} {
		*f *= by()
	}
	c.Clip = max(c.Clip*by(), 2.01*c.Raise)
	return c
}

// TestNABPlateau: the score is that of a neighbourhood and not of one lucky
// point: the benchmark is so coarse (one window more is 3 points) that single
// values of it say little.
func TestNABPlateau(t *testing.T) {
	all := nabSeries(t)
	rng := rand.New(rand.NewPCG(7, 7))
	const runs = 40
	var scores []float64
	var sum, alarms float64
	for range runs {
		c := jitter(DefaultDetector(), rng)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		r, _ := every(all, c.incidents)
		scores = append(scores, r.normal())
		sum += r.normal()
		alarms += float64(r.falseAlarms)
	}
	slices.Sort(scores)
	t.Logf("%d neighbours: mean %.1f, lowest %.1f, median %.1f, highest %.1f, %.0f false alarms", runs, sum/runs, scores[0], scores[runs/2], scores[runs-1], alarms/runs)
	if sum/runs < 49.3 {
		t.Errorf("mean of the neighbourhood %.1f: not above Etsy Skyline, 49.3", sum/runs)
	}
}

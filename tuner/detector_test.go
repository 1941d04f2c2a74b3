package tuner

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unsafe"
)

const second = int64(time.Second)

// noises are factors around 1, of roughly the given spread.
var noises = []struct {
	name string
	of   func(r *rand.Rand, spread float64) float64
}{
	{"normal", func(r *rand.Rand, s float64) float64 { return 1 + s*r.NormFloat64() }},
	{"lognormal", func(r *rand.Rand, s float64) float64 { return math.Exp(s * r.NormFloat64()) }},
	{"student-3", func(r *rand.Rand, s float64) float64 { return 1 + s*student3(r) }},
}

// student3 is heavy-tailed: its variance is 3 and its fourth moment infinite.
func student3(r *rand.Rand) float64 {
	var chi float64
	for range 3 {
		x := r.NormFloat64()
		chi += x * x
	}
	return r.NormFloat64() / math.Sqrt(chi/3)
}

var spreads = []float64{0.05, 0.1, 0.3}

// feed observes one value a second, from after what d has seen.
func feed(c *DetectorConfig, d *Detector, seconds int, value func(i int) float64) (counts [Accepted + 1]int) {
	start := d.last
	for i := range seconds {
		counts[c.Observe(d, start+int64(i+1)*second, value(i))]++
	}
	return counts
}

func constant(v float64) func(int) float64 { return func(int) float64 { return v } }

// warm is a detector that has seen a day of 240 +- 24.
func warm(c *DetectorConfig) (d Detector) {
	r := rand.New(rand.NewPCG(9, 9))
	feed(c, &d, 86400, func(int) float64 { return 240 * noises[0].of(r, 0.1) })
	return d
}

// TestDetectorStaysCalm: noise of every kind and level raises nothing in a
// simulated day, and next to nothing in a month.
func TestDetectorStaysCalm(t *testing.T) {
	c := DefaultDetector()
	days := 30
	if testing.Short() {
		days = 1
	}
	total := 0
	for _, n := range noises {
		for _, s := range spreads {
			var d Detector
			r := rand.New(rand.NewPCG(2, 3))
			for day := range days {
				got := feed(&c, &d, 86400, func(int) float64 { return 240 * n.of(r, s) })
				if raised := got[Raised] + got[Relapsed]; day == 0 && raised != 0 {
					t.Errorf("%s %v: %d false alarms in the first day", n.name, s, raised)
				} else {
					total += raised
				}
			}
		}
	}
	rate := float64(total) / float64(days*len(noises)*len(spreads))
	t.Logf("%.3f false alarms per day", rate)
	if rate > 0.1 {
		t.Errorf("%.3f false alarms per day", rate)
	}
}

// TestDetectorFinds: a shift of some five standard deviations, once an hour for
// two minutes, is a new incident every time, within 10 values, and is over
// within a minute of its end.
func TestDetectorFinds(t *testing.T) {
	c := DefaultDetector()
	for _, x := range []struct {
		noise  int
		spread float64
		factor float64
		side   Alarm
	}{
		{0, 0.05, 2, High}, {0, 0.1, 2, High}, {0, 0.3, 3, High},
		{1, 0.05, 2, High}, {1, 0.1, 2, High}, {1, 0.3, 3, High},
		{2, 0.05, 2, High}, {2, 0.1, 2, High}, {2, 0.3, 5, High},
		{0, 0.05, 0.5, Low}, {1, 0.05, 0.5, Low},
		{0, 0.05, 1e6, High}, {0, 0.05, -1e6, Low},
	} {
		n := noises[x.noise]
		var d Detector
		r := rand.New(rand.NewPCG(4, 5))
		slowest := 0
		for hour := range 24 {
			calm := feed(&c, &d, 3480, func(int) float64 { return 240 * n.of(r, x.spread) })
			if calm[Raised] != 0 || calm[Relapsed] != 0 {
				t.Errorf("%s %v: false alarm in hour %d", n.name, x.spread, hour)
			}
			found := 0
			for i := range 120 {
				if c.Observe(&d, d.last+second, x.factor*240*n.of(r, x.spread)) == Raised {
					found = i + 1
				}
			}
			if found == 0 || found > 10 || d.Alarm() != x.side {
				t.Errorf("%s %v, x%v in hour %d: found after %d values, now %v", n.name, x.spread, x.factor, hour, found, d.Alarm())
			}
			slowest = max(slowest, found)
			if feed(&c, &d, 60, func(int) float64 { return 240 * n.of(r, x.spread) }); d.Alarm() != Calm {
				t.Errorf("%s %v, x%v in hour %d: %v a minute after its end", n.name, x.spread, x.factor, hour, d.Alarm())
			}
		}
		t.Logf("%s %v, x%v: at most %d values", n.name, x.spread, x.factor, slowest)
	}
}

// TestDetectorFindsFive: five standard deviations of single values more, on top
// of unchanged noise, are always found within 10 values.
func TestDetectorFindsFive(t *testing.T) {
	c := DefaultDetector()
	for _, n := range noises {
		for _, s := range spreads {
			var d Detector
			var sum, square float64
			r := rand.New(rand.NewPCG(26, 27))
			feed(&c, &d, 86400, func(int) float64 {
				v := 240 * n.of(r, s)
				sum += v
				square += v * v
				return v
			})
			shift := 5 * math.Sqrt(square/86400-sum*sum/86400/86400)
			for trial := range 300 {
				e := d
				feed(&c, &e, 30, func(int) float64 { return 240 * n.of(r, s) })
				if got := feed(&c, &e, 10, func(int) float64 { return 240*n.of(r, s) + shift }); got[Raised] != 1 {
					t.Errorf("%s %v, trial %d: %v", n.name, s, trial, got)
				}
			}
		}
	}
}

// TestDetectorRamp: what grows tenfold in an hour is found before it is four
// times the normal, however noisy.
func TestDetectorRamp(t *testing.T) {
	c := DefaultDetector()
	for _, n := range noises {
		for _, s := range spreads {
			var d Detector
			r := rand.New(rand.NewPCG(6, 7))
			feed(&c, &d, 4*3600, func(int) float64 { return 240 * n.of(r, s) })
			at := 0.0
			feed(&c, &d, 3600, func(i int) float64 {
				level := 1 + 9*float64(i)/3600
				if at == 0 && d.Alarm() == High {
					at = level
				}
				return 240 * level * n.of(r, s)
			})
			t.Logf("%s %v: found at %.2f times the normal", n.name, s, at)
			if at == 0 || at >= 4 {
				t.Errorf("%s %v: found at %.2f times the normal, 0 is never", n.name, s, at)
			}
		}
	}
}

// TestDetectorDay: a swing of 1:3 within a day is not an incident.
func TestDetectorDay(t *testing.T) {
	c := DefaultDetector()
	for _, n := range noises {
		for _, s := range append([]float64{0, 0.01}, spreads...) {
			for _, phase := range []float64{0, 0.25, 0.5, 0.75} {
				var d Detector
				r := rand.New(rand.NewPCG(8, 9))
				got := feed(&c, &d, 2*86400, func(i int) float64 {
					return 240 * (1 + 0.5*math.Sin(2*math.Pi*(float64(i)/86400+phase))) * n.of(r, s)
				})
				if got[Raised] != 0 || got[Relapsed] != 0 {
					t.Errorf("%s %v, phase %v: %d false alarms", n.name, s, phase, got[Raised]+got[Relapsed])
				}
			}
		}
	}
}

// TestDetectorFreezes: an hour of failure teaches nothing, not a bit.
func TestDetectorFreezes(t *testing.T) {
	c := DefaultDetector()
	for _, factor := range []float64{2, 3, 100, 0.1} {
		d := warm(&c)
		r := rand.New(rand.NewPCG(10, 11))
		bad := func(int) float64 { return factor * 240 * noises[0].of(r, 0.1) }
		got := feed(&c, &d, 20, bad)
		if got[Raised] != 1 {
			t.Fatalf("x%v: not raised: %v", factor, got)
		}
		mean, sigma := d.Mean(), c.Sigma(&d)
		got = feed(&c, &d, 3600, bad)
		if got[Cleared] != 0 || got[Accepted] != 0 || d.Alarm() == Calm {
			t.Errorf("x%v: an hour of failure: %v", factor, got)
		}
		if d.Mean() != mean || c.Sigma(&d) != sigma {
			t.Errorf("x%v: learned %v +- %v from failure, was %v +- %v", factor, d.Mean(), c.Sigma(&d), mean, sigma)
		}
		got = feed(&c, &d, 60, func(int) float64 { return 240 * noises[0].of(r, 0.1) })
		if got[Cleared] != 1 || d.Alarm() != Calm {
			t.Errorf("x%v: a minute after: %v, %v", factor, d.Alarm(), got)
		}
		if math.Abs(d.Mean()-240) > 3 {
			t.Errorf("x%v: mean %v afterwards", factor, d.Mean())
		}
	}
}

// TestDetectorAccepts: what lasts for Accept is normal, and then guarded.
func TestDetectorAccepts(t *testing.T) {
	c := DefaultDetector()
	for _, factor := range []float64{2, 100, 0.1} {
		d := warm(&c)
		r := rand.New(rand.NewPCG(12, 13))
		next := func(int) float64 { return factor * 240 * noises[0].of(r, 0.1) }
		raised, accepted := 0, 0
		for i := range 4 * 3600 {
			switch e := c.Observe(&d, d.last+second, next(i)); e {
			case Raised:
				raised = i
			case Accepted:
				accepted = i
			case None:
			default:
				t.Errorf("x%v: %v after %d s", factor, e, i)
			}
		}
		if accepted-raised != int(c.Accept/time.Second) {
			t.Errorf("x%v: raised after %d s, accepted after %d s", factor, raised, accepted)
		}
		low, high := c.Limits(&d)
		if math.Abs(d.Mean()/factor-240) > 3 || low/factor < 180 || high/factor > 300 {
			t.Errorf("x%v: accepted %v, limits %v to %v", factor, d.Mean(), low, high)
		}
		if got := feed(&c, &d, 700, next); got[None] != 700 {
			t.Errorf("x%v: afterwards %v", factor, got)
		}
		if got := feed(&c, &d, 10, func(i int) float64 { return 2 * next(i) }); got[Raised] != 1 {
			t.Errorf("x%v: twice of the new normal: %v", factor, got)
		}
	}
}

// TestDetectorHysteresis: a level that swings about the limit is one alarm, and
// one that swings about the clearing point relapses instead of being news.
func TestDetectorHysteresis(t *testing.T) {
	c := DefaultDetector()
	d := warm(&c)
	mean, sigma := d.Mean(), c.Sigma(&d)
	at := func(k float64) float64 { return mean + k*sigma }
	fresh := d
	got := feed(&c, &d, 1200, func(i int) float64 { return at(4.5 + float64(i/60%2)*1.5) })
	if got[Raised] != 1 || got[Relapsed] != 0 || got[Cleared] != 0 {
		t.Errorf("between 4.5 and 6 sigma: %v", got)
	}
	got = feed(&c, &d, 1800, func(i int) float64 { return at(float64(i/60%2) * 7) })
	if got[Raised] != 0 || got[Relapsed] < 10 || got[Cleared] < 10 {
		t.Errorf("between 0 and 7 sigma, each for a minute: %v", got)
	}
	// Quiet counts from the last clearing, to the second.
	for _, x := range []struct {
		quiet int
		want  Event
	}{{590, Relapsed}, {610, Raised}} {
		e := fresh
		feed(&c, &e, 20, constant(at(9)))
		for e.Alarm() != Calm {
			c.Observe(&e, e.last+second, mean)
		}
		feed(&c, &e, x.quiet, constant(mean))
		event := None
		for range 10 {
			if event = c.Observe(&e, e.last+second, at(10)); event != None {
				break
			}
		}
		if event != x.want {
			t.Errorf("out again after %d s: %v", x.quiet, event)
		}
	}
}

// TestDetectorSides: from one side to the other in one value.
func TestDetectorSides(t *testing.T) {
	c := DefaultDetector()
	c.Smoothing = time.Millisecond // half of each value
	d := warm(&c)
	d.age, d.since = int64(c.Warmup), int64(c.Quiet)
	mean, sigma := d.Mean(), c.Sigma(&d)
	c.Observe(&d, d.last+second, mean+1e6*sigma)
	if d.Alarm() != High {
		t.Fatalf("%v at %v sigma", d.Alarm(), c.Score(&d))
	}
	for range 10 {
		if c.Observe(&d, d.last+second, mean-1e6*sigma); d.Alarm() == Low {
			break
		}
	}
	if d.Alarm() != Low {
		t.Errorf("%v at %v sigma", d.Alarm(), c.Score(&d))
	}

	c = DefaultDetector()
	c.TwoSided = false
	d = warm(&c)
	if got := feed(&c, &d, 600, constant(0)); got[None] != 600 {
		t.Errorf("one-sided, drop to 0: %v", got)
	}
	if low, high := c.Limits(&d); !math.IsInf(low, -1) || !(high < 400) {
		t.Errorf("one-sided limits %v, %v", low, high)
	}
}

// TestDetectorOutlier: one wild value among many is no alarm and teaches next
// to nothing; in a series of few it is both seen and bounded.
func TestDetectorOutlier(t *testing.T) {
	c := DefaultDetector()
	d := warm(&c)
	mean, sigma := d.Mean(), c.Sigma(&d)
	if e := c.Observe(&d, d.last+second, 1e99); e != None {
		t.Errorf("one value of 1e99: %v", e)
	}
	feed(&c, &d, 60, constant(mean))
	if math.Abs(d.Mean()-mean) > sigma/10 || c.Sigma(&d) > 1.01*sigma {
		t.Errorf("%v +- %v became %v +- %v", mean, sigma, d.Mean(), c.Sigma(&d))
	}

	var s Detector
	r := rand.New(rand.NewPCG(14, 15))
	for i := range 1000 {
		c.Observe(&s, int64(i)*300*second, 100+r.Float64())
	}
	s.normal.level = s.normal.mean
	if e := c.Observe(&s, s.last+300*second, 1e9); e != Raised {
		t.Errorf("one value of 1e9 in five minutes: %v", e)
	}
	if s.Level() != 1e9 || c.Score(&s) < 1e6 {
		t.Errorf("1e9 is reported as %v, %v sigma out", s.Level(), c.Score(&s))
	}
}

// TestDetectorHalfLife: limits are learned by the clock and not by the value,
// until values are too rare for that.
func TestDetectorHalfLife(t *testing.T) {
	c := DefaultDetector()
	c.Raise, c.Clip = 100, 1000 // nothing freezes
	c.Winsor = 1000
	// From 100 to 110 (10 sigma) for one half-life: half-way at any rate,
	// irregular ones too.
	after := func(before, interval func() int64) float64 {
		var d Detector
		now := int64(0)
		for end := 10 * int64(time.Hour); now < end; now += before() {
			c.Observe(&d, now, 100)
		}
		for end := now + int64(c.HalfLife); now < end; now += interval() {
			c.Observe(&d, now, 110)
		}
		return d.Mean()
	}
	r := rand.New(rand.NewPCG(16, 17))
	intervals := map[string]func() int64{
		"0.1 s":          func() int64 { return second / 10 },
		"1 s":            func() int64 { return second },
		"10 s":           func() int64 { return 10 * second },
		"random, mean 1": func() int64 { return 1 + int64(r.ExpFloat64()*float64(second)) },
		"bursts": func() int64 {
			if r.IntN(10) > 0 {
				return second / 100
			}
			return 5 * second
		},
	}
	for name, before := range intervals {
		for name2, interval := range intervals {
			if got := after(before, interval); math.Abs(got-105) > 0.05 {
				t.Errorf("every %s, then %s: %v after a half-life, want 105", name, name2, got)
			}
		}
	}

	// Beyond MaxStep a gap is a gap.
	c = DefaultDetector()
	var a, b Detector
	for i := range int64(5000) {
		v := 100 + 10*r.Float64()
		if i%500 > 480 {
			v *= 3
		}
		ea := c.Observe(&a, i*12*second, v)
		eb := c.Observe(&b, i*86400*second, v)
		a.last, b.last = 0, 0
		if a != b || ea != eb {
			t.Fatalf("value %d: %+v %v, %+v %v", i, a, ea, b, eb)
		}
		a.last, b.last = i*12*second, i*86400*second
	}
}

// TestDetectorIrregular: what is found at one value a second is found in the
// same time at other rates.
func TestDetectorIrregular(t *testing.T) {
	c := DefaultDetector()
	for _, mean := range []float64{0.01, 0.1, 1, 5} { // s between values
		var d Detector
		r := rand.New(rand.NewPCG(18, 19))
		now := int64(0)
		step := func(factor float64) Event {
			now += 1 + int64(r.ExpFloat64()*mean*float64(second))
			return c.Observe(&d, now, factor*240*noises[1].of(r, 0.1))
		}
		for now < 3*int64(time.Hour) {
			if e := step(1); e != None {
				t.Errorf("mean %v s: %v after %v", mean, e, time.Duration(now))
			}
		}
		start, n := now, 0
		for d.Alarm() == Calm && n < 10000 {
			step(2)
			n++
		}
		if took := now - start; took > 10*second && n > 10 {
			t.Errorf("mean %v s: found after %v, %d values", mean, time.Duration(took), n)
		}
	}
}

// TestDetectorBadInput: what is not observed changes nothing but, at most, the
// clock.
func TestDetectorBadInput(t *testing.T) {
	c := DefaultDetector()
	d := warm(&c)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		before := d
		if e := c.Observe(&d, d.last+second, v); e != None || d != before {
			t.Errorf("%v: %v, %+v", v, e, d)
		}
		var empty Detector
		if e := c.Observe(&empty, 5, v); e != None || empty != (Detector{}) {
			t.Errorf("%v first: %v, %+v", v, e, empty)
		}
	}
	for _, back := range []int64{0, 1, second, math.MaxInt64 / 2} {
		before := d
		before.last = d.last - back
		if e := c.Observe(&d, d.last-back, 1e6); e != None || d != before {
			t.Errorf("%d ns back: %v, %+v", back, e, d)
		}
	}
	// Set back by an hour, the detector goes on from there.
	if got := feed(&c, &d, 20, constant(1e6)); got[Raised] != 1 {
		t.Errorf("after the clock was set back: %v", got)
	}
	// A step that overflows int64 is a long one.
	var e Detector
	c.Observe(&e, math.MinInt64, 1)
	c.Observe(&e, math.MaxInt64, 2)
	if e.age != int64(c.MaxStep) {
		t.Errorf("the longest step counts %v", time.Duration(e.age))
	}
	// Beyond 1e100 is 1e100.
	var f, g Detector
	for i := range int64(100) {
		c.Observe(&f, i*second, math.MaxFloat64*float64(i%2))
		c.Observe(&g, i*second, 1e100*float64(i%2))
	}
	if f != g || math.IsInf(c.Sigma(&f), 0) {
		t.Errorf("%+v, %+v", f, g)
	}
}

// TestDetectorWarmup: nothing is raised before, something is after.
func TestDetectorWarmup(t *testing.T) {
	c := DefaultDetector()
	for _, x := range []struct {
		seconds int
		raised  int
	}{{580, 0}, {610, 1}} {
		var d Detector
		r := rand.New(rand.NewPCG(20, 21))
		feed(&c, &d, x.seconds, func(int) float64 { return 240 * noises[0].of(r, 0.1) })
		if c.Warm(&d) != (x.raised == 1) {
			t.Errorf("after %d s: warm %v", x.seconds, c.Warm(&d))
		}
		if got := feed(&c, &d, 10, constant(1000)); got[Raised] != x.raised {
			t.Errorf("after %d s: %v", x.seconds, got)
		}
	}
	if d := (Detector{}); c.Warm(&d) || d.Alarm() != Calm || c.Score(&d) != 0 || c.Sigma(&d) != 0 {
		t.Error("the zero value knows something")
	}
	c.Warmup = 0
	if d := (Detector{}); c.Warm(&d) {
		t.Error("the zero value is warm")
	}

	// The first excursion is news however long Quiet is, and the times that
	// are counted do not overflow.
	c = DefaultDetector()
	c.Quiet, c.HalfLife, c.MaxStep = maxDuration, maxDuration, maxDuration/10
	var d Detector
	for i := range int64(10000) {
		c.Observe(&d, i*second, 100+float64(i%3))
	}
	first := d
	if got := feed(&c, &first, 20, constant(200)); got[Raised] != 1 {
		t.Errorf("the first excursion: %v", got)
	}
	for i := range 10000 {
		c.Observe(&d, d.last+int64(c.MaxStep), 100+float64(i%3))
		if d.age < 0 || d.since < 0 {
			t.Fatalf("value %d: %+v", i, d)
		}
	}
	if got := feed(&c, &d, 20, constant(200)); got[Raised] != 1 || !c.Warm(&d) {
		t.Errorf("after ten million hours: %v", got)
	}
}

// TestDetectorSteady: a constant has the floor for its sigma, and one at zero
// takes its scale from the first deviation.
func TestDetectorSteady(t *testing.T) {
	c := DefaultDetector()
	var d Detector
	feed(&c, &d, 3600, constant(40))
	if d.Mean() != 40 || math.Abs(c.Sigma(&d)-0.4) > 1e-12 {
		t.Errorf("%v +- %v", d.Mean(), c.Sigma(&d))
	}
	if got := feed(&c, &d, 600, constant(41.9)); got[None] != 600 {
		t.Errorf("4.75 sigma: %v", got)
	}
	for level, want := range map[float64]Event{105: None, 105.000001: Raised} { // sigma is 1
		e := d
		e.normal = track{level: level, mean: 100, weight: 3600}
		if got := c.Observe(&e, e.last+second, level); got != want {
			t.Errorf("level %v, limit 105: %v", level, got)
		}
	}

	var z Detector
	if got := feed(&c, &z, 3600, constant(0)); got[None] != 3600 || c.Score(&z) != 0 {
		t.Errorf("zeros: %v", got)
	}
	if got := feed(&c, &z, 5, constant(0.5)); got[Raised] != 1 {
		t.Errorf("five errors after an hour of none: %v", got)
	}
	var f Detector
	c.Floor = 0.2
	feed(&c, &f, 3600, constant(0))
	if got := feed(&c, &f, 600, constant(0.5)); got[None] != 600 {
		t.Errorf("2.5 times the floor: %v", got)
	}
}

// TestDetectorIsWeighted compares mean and sigma with the weighted sums that
// they are, written out.
func TestDetectorIsWeighted(t *testing.T) {
	c := DefaultDetector()
	c.Raise, c.Clip, c.Winsor, c.FloorShare = 100, 1000, 1000, 0
	r := rand.New(rand.NewPCG(22, 23))
	for range 50 {
		var d Detector
		now := int64(0)
		var levels, weights []float64
		level := 0.0
		for i := range 300 {
			v, step := 10+5*r.NormFloat64(), int64(0)
			if i > 0 {
				step = second + r.Int64N(20*second)
			}
			now += step
			c.Observe(&d, now, v)
			counted := min(time.Duration(step), c.MaxStep).Seconds()
			for j := range weights {
				weights[j] /= 1 + counted*math.Ln2/c.HalfLife.Seconds()
			}
			if i == 0 {
				level = v
			} else {
				x := counted * math.Ln2 / c.Smoothing.Seconds()
				level += min(x/(1+x), 0.5) * (v - level)
			}
			levels, weights = append(levels, level), append(weights, counted)
		}
		var sum, mean, variance float64
		for i, w := range weights {
			sum += w
			mean += w * levels[i]
		}
		mean /= sum
		for i, w := range weights {
			variance += w * (levels[i] - mean) * (levels[i] - mean) / sum
		}
		if math.Abs(d.Mean()-mean) > 1e-9 || math.Abs(c.Sigma(&d)-math.Sqrt(variance)) > 1e-9 || math.Abs(d.Level()-level) > 1e-9 {
			t.Fatalf("%v +- %v at %v, want %v +- %v at %v", d.Mean(), c.Sigma(&d), d.Level(), mean, math.Sqrt(variance), level)
		}
	}
}

// TestDetectorBits: every machine learns the same bits. The inputs are made of
// exact operations, so a difference is one of Observe.
func TestDetectorBits(t *testing.T) {
	c := DefaultDetector()
	c.HalfLife, c.MaxStep = 30*time.Second, 3*time.Second // gains that leave no bit unused
	c.Warmup, c.Quiet, c.Accept = 100*time.Second, 50*time.Second, 500*time.Second
	var d Detector
	r := rand.New(rand.NewPCG(24, 25))
	h := fnv.New64a()
	now := int64(0)
	for i := range 20000 {
		now += r.Int64N(3 * second)
		v := 100 + float64(r.IntN(1<<20))/(1<<16)
		if i%400 > 320 {
			v *= 3
		}
		e := c.Observe(&d, now, v)
		low, high := c.Limits(&d)
		for _, f := range []float64{d.Level(), d.Mean(), c.Sigma(&d), c.Score(&d), low, high, float64(e)} {
			h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)))
		}
	}
	const want = 0xf8ed8fcb7493ef84
	if got := h.Sum64(); got != want {
		t.Errorf("bits %#x, want %#x", got, uint64(want))
	}
}

func TestDetectorSize(t *testing.T) {
	if n := unsafe.Sizeof(Detector{}); n != 96 && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("%d bytes", n)
	}
	c := DefaultDetector()
	d := warm(&c)
	var sum float64
	if n := testing.AllocsPerRun(100, func() {
		c.Observe(&d, d.last+second, 240)
		low, high := c.Limits(&d)
		sum += low + high + c.Score(&d)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDetectorConfigValidate(t *testing.T) {
	if err := DefaultDetector().Validate(); err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	for _, x := range []struct {
		change func(*DetectorConfig)
		want   string
	}{
		{func(c *DetectorConfig) { c.HalfLife = time.Second - 1 }, "HalfLife is 999.999999ms, allowed 1s to 10000h"},
		{func(c *DetectorConfig) { c.HalfLife = maxDuration + 1 }, "HalfLife is 10000h0m0.000000001s"},
		{func(c *DetectorConfig) { c.Smoothing = 0 }, "Smoothing is 0s, allowed 1ms to HalfLife"},
		{func(c *DetectorConfig) { c.Smoothing = c.HalfLife + 1 }, "Smoothing is 1h0m0.000000001s"},
		{func(c *DetectorConfig) { c.MaxStep = time.Millisecond - 1 }, "MaxStep is 999.999µs"},
		{func(c *DetectorConfig) { c.MaxStep = 6*time.Minute + 1 }, "MaxStep is 6m0.000000001s, allowed 1ms to HalfLife/10"},
		{func(c *DetectorConfig) { c.Quiet = -1 }, "Quiet is -1ns, allowed 0 to 10000h"},
		{func(c *DetectorConfig) { c.Quiet = maxDuration + 1 }, "Quiet is 10000h"},
		{func(c *DetectorConfig) { c.Accept = c.Smoothing - 1 }, "Accept is 4.999999999s, allowed Smoothing"},
		{func(c *DetectorConfig) { c.Accept = maxDuration + 1 }, "Accept is 10000h"},
		{func(c *DetectorConfig) { c.Warmup = -1 }, "Warmup is -1ns"},
		{func(c *DetectorConfig) { c.Warmup = maxDuration + 1 }, "Warmup is 10000h"},
		{func(c *DetectorConfig) { c.Raise, c.Clear = 0.9, 0 }, "Raise is 0.9, allowed 1 to 100"},
		{func(c *DetectorConfig) { c.Raise, c.Clip = 101, 300 }, "Raise is 101"},
		{func(c *DetectorConfig) { c.Raise = nan }, "Raise is NaN"},
		{func(c *DetectorConfig) { c.Clear = 5.1 }, "Clear is 5.1, allowed 0 to Raise"},
		{func(c *DetectorConfig) { c.Clear = -1 }, "Clear is -1"},
		{func(c *DetectorConfig) { c.Clip = 10 }, "Clip is 10, allowed above 2 Raise"},
		{func(c *DetectorConfig) { c.Clip = 1001 }, "Clip is 1001"},
		{func(c *DetectorConfig) { c.Winsor = 0.9 }, "Winsor is 0.9, allowed 1 to 1000"},
		{func(c *DetectorConfig) { c.Winsor = 1001 }, "Winsor is 1001"},
		{func(c *DetectorConfig) { c.FloorShare = -0.1 }, "FloorShare is -0.1, allowed 0 to 1"},
		{func(c *DetectorConfig) { c.FloorShare = 1.1 }, "FloorShare is 1.1"},
		{func(c *DetectorConfig) { c.Floor = -1 }, "Floor is -1, allowed 0 to 1e9"},
		{func(c *DetectorConfig) { c.Floor = math.Inf(1) }, "Floor is +Inf"},
		{func(c *DetectorConfig) { *c = DetectorConfig{} }, "start from DefaultDetector"},
	} {
		c := DefaultDetector()
		x.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want %q in it", err, x.want)
		}
	}
}

func TestDetectorNames(t *testing.T) {
	for _, x := range []struct{ got, want string }{
		{Calm.String(), "calm"}, {High.String(), "high"}, {Low.String(), "low"}, {Alarm(9).String(), "unknown"},
		{None.String(), "none"}, {Raised.String(), "raised"}, {Relapsed.String(), "relapsed"},
		{Cleared.String(), "cleared"}, {Accepted.String(), "accepted"}, {Event(9).String(), "unknown"},
	} {
		if x.got != x.want {
			t.Errorf("%q, want %q", x.got, x.want)
		}
	}
}

// FuzzDetector: whatever is observed, the state stays finite, events and state
// agree, and the same input gives the same bits.
func FuzzDetector(f *testing.F) {
	f.Add(uint64(1), 240.0, 0.1, int64(1e9), uint8(3))
	f.Add(uint64(2), 0.0, 5e-324, int64(-1), uint8(0))
	f.Add(uint64(3), -1e308, 1e300, int64(math.MaxInt64), uint8(200))
	f.Add(uint64(4), math.NaN(), math.Inf(1), int64(math.MinInt64), uint8(9))
	f.Fuzz(func(t *testing.T, seed uint64, center, scale float64, step int64, odd uint8) {
		c := DefaultDetector()
		c.Warmup, c.Accept = 10*time.Second, 100*time.Second
		if odd%2 == 0 {
			c.Floor, c.FloorShare = 1e-3, 0
		}
		var a, b Detector
		r := rand.New(rand.NewPCG(seed, 1))
		now := step
		for i := range 400 {
			v := center + scale*r.NormFloat64()
			switch r.IntN(20) {
			case 0:
				v = scale
			case 1:
				v = -center * float64(odd)
			case 2:
				v = math.Float64frombits(r.Uint64())
			}
			if odd%3 == 0 && i%50 > 25 {
				v *= 1e6
			}
			before := a.Alarm()
			e := c.Observe(&a, now, v)
			if e2 := c.Observe(&b, now, v); a != b || e != e2 {
				t.Fatalf("%+v %v, %+v %v", a, e, b, e2)
			}
			for _, k := range []track{a.normal, a.recent} {
				for _, x := range []float64{k.level, k.mean, k.variance, k.weight} {
					if math.IsNaN(x) || math.IsInf(x, 0) {
						t.Fatalf("value %d, %v: %+v", i, v, a)
					}
				}
				if k.variance < 0 || k.weight < 0 {
					t.Fatalf("value %d, %v: %+v", i, v, a)
				}
			}
			low, high := c.Limits(&a)
			if !(low <= a.Mean() && a.Mean() <= high) || math.IsNaN(c.Score(&a)) {
				t.Fatalf("value %d: limits %v to %v, score %v", i, low, high, c.Score(&a))
			}
			switch alarmed := a.Alarm() != Calm; e {
			case Raised, Relapsed:
				if !alarmed || a.Alarm() == before {
					t.Fatalf("%v, %v before, %v after", e, before, a.Alarm())
				}
			case Cleared, Accepted:
				if alarmed || before == Calm {
					t.Fatalf("%v, %v before, %v after", e, before, a.Alarm())
				}
			case None:
				if a.Alarm() != before {
					t.Fatalf("%v, %v before, %v after", e, before, a.Alarm())
				}
			}
			now += step
			if step == 0 || odd%5 == 0 {
				now += r.Int64N(20 * second)
			}
		}
	})
}

func BenchmarkDetector(b *testing.B) {
	c := DefaultDetector()
	for _, x := range []struct {
		name  string
		value float64
	}{{"state=calm", 240}, {"state=alarm", 2400}} {
		b.Run(x.name, func(b *testing.B) {
			d := warm(&c)
			c.Accept = maxDuration
			now := d.last
			b.ReportAllocs()
			for b.Loop() {
				now += second
				c.Observe(&d, now, x.value)
			}
		})
	}
}

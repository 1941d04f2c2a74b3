package tuner

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func observe(c Config, values ...float64) (s State) {
	for _, v := range values {
		c.Observe(&s, v)
	}
	return s
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Max(math.Abs(a), math.Abs(b)) }

// TestObserve: one observation is the mean, the second moves it by alpha.
func TestObserve(t *testing.T) {
	c := DefaultConfig()
	if s := observe(c, 12); s != (State{Mean: 12, Samples: 1}) {
		t.Errorf("after 12: %+v", s)
	}
	alpha := 2.0 / 101
	s := observe(c, 10, 20)
	if !near(s.Mean, 10+10*alpha) || !near(s.Var, (1-alpha)*alpha*100) || s.Samples != 2 {
		t.Errorf("after 10, 20: %+v", s)
	}
	if !near(s.StdDev(), math.Sqrt(s.Var)) {
		t.Errorf("StdDev %v of %+v", s.StdDev(), s)
	}
}

// TestObserveIsWeighted compares with the mean and variance written out as the
// weighted sums they are.
func TestObserveIsWeighted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		c := DefaultConfig()
		c.Window = 1 + rng.IntN(300)
		n := 1 + rng.IntN(500)
		values, weights := make([]float64, n), make([]float64, n)
		alpha, left := c.Alpha(), 1.0
		for i := n - 1; i >= 0; i-- {
			values[i] = 10 + 5*rng.NormFloat64()
			weights[i] = left * alpha
			left *= 1 - alpha
		}
		weights[0] += left // the first value starts the mean
		var mean, variance float64
		for i, v := range values {
			mean += weights[i] * v
		}
		for i, v := range values {
			variance += weights[i] * (v - mean) * (v - mean)
		}
		s := observe(c, values...)
		if math.Abs(s.Mean-mean) > 1e-9 || math.Abs(s.Var-variance) > 1e-9*(1+variance) {
			t.Fatalf("window %d, %d values: mean %v var %v, want %v and %v", c.Window, n, s.Mean, s.Var, mean, variance)
		}
	}
}

func TestBreak(t *testing.T) {
	c := DefaultConfig()
	c.Warmup = 3
	for _, x := range []struct {
		name  string
		state State
		want  float64
	}{
		{"nothing learned", State{}, 100},
		{"one short of warm", State{Mean: 40, Var: 4, Samples: 2}, 100},
		{"warm", State{Mean: 40, Var: 4, Samples: 3}, 46},
		{"at the floor", State{Mean: 10, Var: 4, Samples: 3}, 30},
		{"at the ceiling", State{Mean: 400, Var: 1600, Samples: 3}, 500},
		{"many samples", State{Mean: 40, Var: 4, Samples: math.MaxUint32}, 46},
	} {
		s := x.state
		if got := c.Break(&s); got != x.want {
			t.Errorf("%s: break %v, want %v", x.name, got, x.want)
		}
		if got := c.Recover(&s); got != max(15, x.want/2) {
			t.Errorf("%s: recovery %v of break %v", x.name, got, x.want)
		}
		if !c.Trips(&s, x.want) || c.Trips(&s, math.Nextafter(x.want, 0)) {
			t.Errorf("%s: does not trip at exactly %v", x.name, x.want)
		}
		if rp := c.Recover(&s); c.Recovers(&s, rp) || !c.Recovers(&s, math.Nextafter(rp, 0)) {
			t.Errorf("%s: does not recover just below %v", x.name, rp)
		}
	}
	c.Warmup = 0
	if got := c.Break(&State{}); got != 30 {
		t.Errorf("no warm-up: break %v, want the floor", got)
	}
	c.RecoveryMultiplier = 0.1
	if got := c.Recover(&State{}); got != 15 {
		t.Errorf("recovery %v, want half the floor", got)
	}
}

// TestSteady: a constant is learned exactly, with no deviation.
func TestSteady(t *testing.T) {
	c := DefaultConfig()
	var s State
	for range 1000 {
		c.Observe(&s, 40)
	}
	if s.Mean != 40 || s.Var != 0 || c.Break(&s) != 40 || !c.Trips(&s, 40) {
		t.Errorf("%+v, break %v", s, c.Break(&s))
	}
}

// TestCeiling: a route that fails ever more cannot teach its way past it.
func TestCeiling(t *testing.T) {
	c := DefaultConfig()
	var s State
	r := 10.0
	for range 5000 {
		r *= 1.01
		r = min(r, 1e6)
		c.Observe(&s, r)
		if c.Break(&s) > c.Ceiling {
			t.Fatalf("break %v at R = %v", c.Break(&s), r)
		}
	}
	if !c.Trips(&s, r) {
		t.Errorf("R = %v does not trip at %v", r, c.Break(&s))
	}
}

func TestSamplesStop(t *testing.T) {
	c := DefaultConfig()
	s := State{Mean: 10, Samples: math.MaxUint32}
	c.Observe(&s, 20)
	if s.Samples != math.MaxUint32 || s.Mean == 20 {
		t.Errorf("%+v", s)
	}
}

// TestPoison: what is not finite stays; callers must not observe it.
func TestPoison(t *testing.T) {
	c := DefaultConfig()
	c.Warmup = 0
	s := observe(c, math.NaN(), 10, 20)
	if !math.IsNaN(s.Mean) || !math.IsNaN(c.Break(&s)) || c.Trips(&s, 1e9) || c.Recovers(&s, 0) {
		t.Errorf("%+v, break %v", s, c.Break(&s))
	}
}

func TestValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	for _, x := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Window = 0 }, "Window is 0, allowed 1 to 1000000"},
		{func(c *Config) { c.Window = 1_000_001 }, "Window is 1000001"},
		{func(c *Config) { c.Sensitivity = -0.1 }, "Sensitivity is -0.1, allowed 0 to 100"},
		{func(c *Config) { c.Sensitivity = nan }, "Sensitivity is NaN"},
		{func(c *Config) { c.Floor = -1 }, "Floor is -1, allowed 0 to 1e9"},
		{func(c *Config) { c.Floor = nan }, "Floor is NaN"},
		{func(c *Config) { c.Ceiling = 29 }, "Ceiling is 29, allowed Floor to 1e9"},
		{func(c *Config) { c.Ceiling = math.Inf(1) }, "Ceiling is +Inf"},
		{func(c *Config) { c.Warmup = -1 }, "Warmup is -1, allowed 0 to 1000000"},
		{func(c *Config) { c.RecoveryMultiplier = 0 }, "RecoveryMultiplier is 0, allowed above 0"},
		{func(c *Config) { c.RecoveryMultiplier = 1.01 }, "RecoveryMultiplier is 1.01"},
		{func(c *Config) { c.FallbackBreak = 0 }, "FallbackBreak is 0, allowed above 0"},
		{func(c *Config) { c.FallbackBreak = nan }, "FallbackBreak is NaN"},
		{func(c *Config) { *c = Config{} }, "start from DefaultConfig"},
	} {
		c := DefaultConfig()
		x.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want %q in it", err, x.want)
		}
	}
	c := Config{Floor: -1, Warmup: -2}
	err := c.Validate().Error()
	for _, field := range []string{"Window", "Floor", "Warmup", "RecoveryMultiplier", "FallbackBreak"} {
		if !strings.Contains(err, field+" is ") {
			t.Errorf("%s is missing in %q", field, err)
		}
	}
}

func TestAllocations(t *testing.T) {
	c := DefaultConfig()
	var s State
	var sum float64
	if n := testing.AllocsPerRun(100, func() {
		c.Observe(&s, 12)
		sum += c.Break(&s) + c.Recover(&s)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzObserve: finite observations give finite limits within their bounds.
func FuzzObserve(f *testing.F) {
	f.Add(10.0, 20.0, 1e6, uint16(5))
	f.Add(0.0, 5e-324, 1e12, uint16(300))
	f.Fuzz(func(t *testing.T, a, b, d float64, n uint16) {
		c := DefaultConfig()
		c.Warmup = 0
		var s State
		for i := range int(n) % 500 {
			for _, x := range []float64{a, b, d} {
				if !(math.Abs(x) <= 1e15) {
					return
				}
				c.Observe(&s, x+float64(i))
			}
		}
		bp, rp := c.Break(&s), c.Recover(&s)
		if !(s.Var >= 0) || !(bp >= c.Floor && bp <= c.Ceiling) || !(rp >= c.Floor/2 && rp <= bp) {
			t.Fatalf("%+v: break %v, recovery %v", s, bp, rp)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	c := DefaultConfig()
	var s State
	for b.Loop() {
		c.Observe(&s, 12)
	}
}

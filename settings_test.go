package atrion_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/vtime"
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/physics/ohmic"
)

func ohmicLaw(t testing.TB, change func(*ohmic.Config)) physics.Law {
	t.Helper()
	c := ohmic.DefaultConfig()
	if change != nil {
		change(&c)
	}
	law, err := ohmic.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return law
}

func classicLaw(t testing.TB, change func(*classic.Config)) physics.Law {
	t.Helper()
	c := classic.DefaultConfig()
	change(&c)
	law, err := classic.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return law
}

func apply(t testing.TB, e *atrion.Engine, s atrion.Settings) {
	t.Helper()
	if err := e.Apply(s); err != nil {
		t.Fatal(err)
	}
	e.Amended()
}

// Under another law a route that has learned goes on where it was: its limit, its
// failure memory, its mode, its counters and its calls in flight.
func TestStateIsKeptAcrossLaws(t *testing.T) {
	loop := vtime.New()
	e, err := atrion.New(atrion.Config{Clock: loop, Random: func() float64 { return 0.5 }})
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Route("r")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	at := loop.Now()
	for i := range 12_000 {
		at += int64(time.Millisecond)
		loop.At(at, func() {
			var outcome error
			if i > 5000 {
				outcome = errors.New("down")
				_ = r.Observe(atrion.Telemetry{Outcome: atrion.Error}) // somebody else's calls
			}
			p, err := r.Acquire(ctx)
			if err != nil {
				return
			}
			took := 30 * time.Millisecond
			if i%100 == 0 {
				took = 20 * time.Second // one that is in flight all the while
			}
			loop.At(loop.Now()+int64(took), func() { p.Done(outcome) })
		})
	}
	look := func() atrion.Explanation {
		x, err := e.Explain("r", 100)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	at = vtime.Start
	for r.Shed() == 0 || look().Inflight == 0 || look().Decision.Mode != atrion.CircuitBreaker { // tripped, with calls in flight
		if at += int64(time.Millisecond); at > vtime.Start+int64(12*time.Second) {
			break
		}
		loop.Run(at)
	}
	before, shed := look(), r.Shed()
	if before.Decision.Mode != atrion.CircuitBreaker || before.Limit < 20 || before.Inflight == 0 || shed == 0 || before.Decision.Terms.Scar == 0 {
		t.Fatalf("the script makes nothing to lose: %+v", before)
	}
	apply(t, e, atrion.Settings{Law: ohmicLaw(t, func(c *ohmic.Config) { c.Headroom, c.DipDepth, c.BidMemory = 0.3, 0.5, 2*time.Second })})
	after := look()
	if after.Limit != before.Limit || after.Inflight != before.Inflight || after.Shed != shed || after.Decision.Mode != before.Decision.Mode ||
		after.Decision.Terms != before.Decision.Terms || after.LastSeen != before.LastSeen {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	// What the new law says, it says at once, of an idle route.
	apply(t, e, atrion.Settings{Law: ohmicLaw(t, func(c *ohmic.Config) { c.Floor = 60 })})
	if d := r.Decide(50); d.Allow || d.Terms.Base != 60 {
		t.Errorf("50 volts under a floor of 60: %+v", d)
	}
	// And the next samples are learned under it.
	loop.Run(at + int64(30*time.Second))
	if d := r.Decide(61); !d.Allow || d.Terms.Base != 60 || d.Mode == atrion.CircuitBreaker {
		t.Errorf("61 volts, 30 s later: %+v", d)
	}
	apply(t, e, atrion.Settings{})
	if d := r.Decide(1); !d.Allow || d.Terms.Base != 0 {
		t.Errorf("without settings: %+v", d)
	}
	_ = e.Close(ctx)
}

// The same for the classic law, whose limits follow from what the tuner learned.
func TestClassicIsKeptAcrossLaws(t *testing.T) {
	e := newEngine(t, atrion.Config{Clock: newHand()})
	for range 30 {
		if _, err := e.Decide("r", healthy); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Decide("r", failing); err != nil {
		t.Fatal(err)
	}
	r := newRoute(t, e, "r")
	before := r.Decide(100)
	if before.Terms.Scar != 5 || before.Break <= 0 {
		t.Fatalf("%+v", before)
	}
	apply(t, e, atrion.Settings{Law: classicLaw(t, func(c *classic.Config) { c.ScarFactor, c.DecayRate = 7, 0.2 })})
	after := r.Decide(100)
	before.Revision = after.Revision
	if after != before {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	apply(t, e, atrion.Settings{Law: classicLaw(t, func(c *classic.Config) { c.BaseResistance, c.Tuned = 20, false })})
	if d := r.Decide(100); d.Terms.Base != 20 || d.Terms.Scar != 5 || d.Break != 200 || d.Mode != before.Mode {
		t.Errorf("with a base of 20 and fixed limits: %+v", d)
	}
	// A route nobody knows begins under the law in force.
	if d := newRoute(t, e, "new").Decide(100); d.Resistance != 24 {
		t.Errorf("a new route: %v", d)
	}
}

// A law of some routes is theirs alone, at once and for those to come.
func TestLawOfAPattern(t *testing.T) {
	e := newEngine(t, atrion.Config{Clock: newHand()})
	for _, name := range []string{"a/1", "a/b", "c", "blank/never"} {
		newRoute(t, e, name)
	}
	for _, name := range []string{"a/1", "a/b", "c"} {
		for range 20 {
			if _, err := e.Decide(name, healthy); err != nil {
				t.Fatal(err)
			}
		}
	}
	base := func(ohms float64) physics.Law {
		return classicLaw(t, func(c *classic.Config) { c.BaseResistance = ohms })
	}
	apply(t, e, atrion.Settings{Law: base(11), Routes: map[string]atrion.RouteSettings{
		"a/*": {Law: base(20)}, "a/b": {Law: base(30)}, "d": {Shadow: true}, "e/*": {Disabled: true},
	}})
	for name, want := range map[string]float64{"a/1": 20, "a/2": 20, "a/b": 30, "c": 11, "blank/never": 11, "d": 11} {
		if d := newRoute(t, e, name).Decide(100); d.Terms.Base != want {
			t.Errorf("%s: base %v, want %v", name, d.Terms.Base, want)
		}
	}
	for name, want := range map[string]atrion.Reason{"d": atrion.Shadowed, "e/1": atrion.Disabled, "c": atrion.InsufficientVoltage} {
		if d := newRoute(t, e, name).Decide(1); d.Reason != want {
			t.Errorf("%s: %v, want %v", name, d, want)
		}
	}
	if _, err := e.Decide("a/1", healthy); err != nil {
		t.Fatal(err)
	}
	apply(t, e, atrion.Settings{})
	for _, name := range []string{"a/1", "a/b", "c", "blank/never", "d"} {
		if d := newRoute(t, e, name).Decide(1); d.Terms.Base != 10 || d.Reason != atrion.InsufficientVoltage {
			t.Errorf("%s without settings: %+v", name, d)
		}
	}
}

// Routes whose actors are at work come under the new law too.
func TestLawOfBusyRoutes(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	stop := make(chan struct{})
	defer close(stop)
	for i := range 4 {
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					_ = e.Observe(fmt.Sprint("r", i, "/", n%50), healthy, healthy, healthy, healthy)
				}
			}
		}()
	}
	for ohms := range 20 {
		apply(t, e, atrion.Settings{Law: classicLaw(t, func(c *classic.Config) { c.BaseResistance = float64(ohms + 20) })})
		for i := range 4 {
			for n := range 50 {
				d, err := e.Decide(fmt.Sprint("r", i, "/", n), atrion.Telemetry{})
				if err != nil || d.Terms.Base != float64(ohms+20) {
					t.Fatalf("round %d: %+v, %v", ohms, d, err)
				}
			}
		}
	}
}

func TestSettingsOfRequests(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	r := newRoute(t, e, "r")
	apply(t, e, atrion.Settings{Voltage: 33, Tiers: map[string]float64{"high": 77, "gold": 500}})
	for want, options := range map[float64][]atrion.AcquireOption{33: nil, 77: {atrion.High}, 400: {atrion.Critical}} {
		if d, err := acquire(t, r, options...); err != nil || d.Voltage != want {
			t.Errorf("%v: %v, %v", want, d, err)
		}
	}
	apply(t, e, atrion.Settings{})
	if d, _ := acquire(t, r, atrion.High); d.Voltage != 200 {
		t.Errorf("high without settings: %v", d)
	}
	if d, _ := acquire(t, r); d.Voltage != 100 {
		t.Errorf("default without settings: %v", d)
	}
}

// Wrong settings are refused whole, and every wrong field is named.
func TestWrongSettingsChangeNothing(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	apply(t, e, atrion.Settings{Voltage: 33})
	many := make([]atrion.BanRule, 17)
	err := e.Apply(atrion.Settings{
		Voltage: -1, Shadow: true, Law: ohmicLaw(t, nil),
		Routes:   map[string]atrion.RouteSettings{"a*b": {}, "x": {Law: ohmicLaw(t, nil)}},
		BanRules: append(many, atrion.BanRule{Route: ">", On: 9, Count: 0, Within: time.Hour * 25, For: 0}),
	})
	if !errors.Is(err, atrion.ErrInvalidConfig) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Voltage is -1 (allowed: above 0", "Law is ohmic (allowed: a law of the kind", `Routes is "a*b"`, `Routes["x"].Law is ohmic`,
		"BanRules is 18 (allowed: at most 16)", "BanRules[17].Route", "BanRules[17].On is 9", "BanRules[17].Count is 0 (allowed: 1 to 1000000)", "BanRules[17].Within is 25h", "BanRules[17].For is 0s",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if err := e.Apply(atrion.Settings{Voltage: 44, Tiers: map[string]float64{"high": math.NaN()}}); !errors.Is(err, atrion.ErrInvalidConfig) || !strings.Contains(err.Error(), `Tiers["high"] is NaN`) {
		t.Errorf("%v", err)
	}
	r := newRoute(t, e, "r")
	if d, err := acquire(t, r); err != nil || d.Voltage != 33 {
		t.Errorf("the old settings must stay: %v, %v", d, err)
	}
	if _, err := acquire(t, r, atrion.Voltage(1)); err == nil {
		t.Error("in shadow")
	}
}

// A caller that makes up routes does not drive out those of others, nor fill the
// table.
func TestOneBotDoesNotStarveTheTable(t *testing.T) {
	clock := newHand()
	e := newEngine(t, atrion.Config{Clock: clock, Law: ohmicLaw(t, nil), MaxRoutes: 5000, AskTimeout: time.Minute, Random: func() float64 { return 0.5 }})
	name := func(i int) string { return fmt.Sprint("user/", i) }
	for i := range 1000 {
		r := newRoute(t, e, name(i))
		for range 5 {
			p, err := r.Acquire(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			clock.pass(100 * time.Microsecond)
			p.Report(atrion.Telemetry{Latency: 20 * time.Millisecond})
		}
		for range 5 { // one batch each
			if _, err := e.Decide(name(i), atrion.Telemetry{Latency: 20 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
		}
	}
	tripped := newRoute(t, e, "tripped")
	for range 100 {
		if _, err := e.Decide("tripped", atrion.Telemetry{Latency: time.Millisecond, Outcome: atrion.Error}); err != nil {
			t.Fatal(err)
		}
	}
	type seen struct {
		d atrion.Decision
		l float64
	}
	look := func(name string) seen {
		x, err := e.Explain(name, 100)
		if err != nil {
			t.Fatal(err)
		}
		return seen{x.Decision, x.Limit}
	}
	clock.pass(11 * time.Second) // long enough to be forgotten
	before := map[string]seen{"tripped": look("tripped")}
	for i := range 1000 {
		before[name(i)] = look(name(i))
	}
	for i := range 100_000 {
		// It also reports, so that its routes have learned something.
		if _, err := e.Decide(fmt.Sprint("login/", i), atrion.Telemetry{Latency: time.Millisecond}); err != nil && !errors.Is(err, atrion.ErrTooManyRoutes) {
			t.Fatal(err)
		}
		if i%100 == 0 {
			clock.pass(time.Second)
		}
	}
	lost, changed := 0, 0
	for i := range 1000 {
		if x, err := e.Explain(name(i), 100); err != nil {
			lost++
		} else if x.Limit != before[name(i)].l || x.Decision.Allow != before[name(i)].d.Allow || x.Decision.Revision != before[name(i)].d.Revision {
			changed++
		}
	}
	if lost > 0 || changed > 0 {
		t.Errorf("of 1000 routes %d are gone and %d changed", lost, changed)
	}
	if x, err := e.Explain("tripped", 100); err != nil || tripped.Inflight() != 0 {
		t.Errorf("the tripped route: %v, %v", x, err)
	}

	// One that says who it is does not get that far.
	refused := 0
	for i := range 5000 {
		_, err := e.Decide(fmt.Sprint("other/", i), atrion.Telemetry{}, atrion.Subject("bot"))
		if errors.Is(err, atrion.ErrTooManyRoutes) {
			refused++
			if !strings.Contains(err.Error(), `subject "bot" made more than 100 new ones a second (limit NewRoutes)`) {
				t.Fatal(err)
			}
		}
	}
	if refused != 4000 {
		t.Errorf("%d of 5000 refused, want 4000: a burst of 1000 passes", refused)
	}
	if _, err := e.Decide("user/1", atrion.Telemetry{}, atrion.Subject("bot")); err != nil {
		t.Errorf("on a route that exists: %v", err)
	}
	if _, err := e.RouteFor("bot", "other/4999"); !errors.Is(err, atrion.ErrTooManyRoutes) {
		t.Errorf("RouteFor: %v", err)
	}
	if _, err := e.RouteFor("somebody else", "other/4999"); err != nil {
		t.Errorf("RouteFor another: %v", err)
	}
}

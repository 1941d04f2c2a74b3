package atrion_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/vtime"
)

func force(t testing.TB, e *atrion.Engine, route string, mode atrion.Force, ttl time.Duration) {
	t.Helper()
	if err := e.Override(atrion.Override{Route: route, Mode: mode, TTL: ttl, By: "alice", Reason: "drill"}); err != nil {
		t.Fatal(err)
	}
}

// What each mode makes of a request that the law would let through, and of one
// that it would not.
func TestOverrideModes(t *testing.T) {
	for mode, want := range map[atrion.Force]struct {
		allow             bool // with 5 volts against 12 ohms; with 100 volts
		allow100          bool
		reason, reason100 atrion.Reason
		seated            bool // a request with 5 volts that passes
		words             string
	}{
		atrion.ForceOpen:     {false, false, atrion.Overridden, atrion.Overridden, false, "forced open"},
		atrion.ForceClosed:   {true, true, atrion.Overridden, atrion.Overridden, true, "forced closed"},
		atrion.ForceDisabled: {true, true, atrion.Disabled, atrion.Disabled, false, "is disabled"},
		atrion.ForceShadow:   {true, true, atrion.Shadowed, atrion.Allowed, false, "in shadow. Otherwise it would be shed: insufficient_voltage"},
	} {
		clock := newHand()
		e := newEngine(t, atrion.Config{Clock: clock})
		r := newRoute(t, e, "api/pay")
		force(t, e, "api/*", mode, time.Minute)
		clock.pass(10 * time.Second)
		p, d, err := r.AcquireDecision(context.Background(), atrion.Voltage(5))
		if (err == nil) != want.allow || d.Allow != want.allow || d.Reason != want.reason || r.Inflight() == 1 != want.seated {
			t.Errorf("%v: 5 volts: %v, %v, %d in flight", mode, d, err, r.Inflight())
		}
		if err != nil && !errors.Is(err, atrion.ErrOverride) {
			t.Errorf("%v: %v", mode, err)
		}
		p.Done(nil)
		if r.Inflight() != 0 {
			t.Errorf("%v: a seat is left", mode)
		}
		if d.Override == nil || d.Override.By != "alice" || d.Override.Reason != "drill" || d.Override.Mode != mode || d.ExpiresIn != 50*time.Second || d.Resistance != 12 {
			t.Errorf("%v: the decision has %+v, %v left", mode, d.Override, d.ExpiresIn)
		}
		if !d.Allow && d.RetryAfter != 50*time.Second || d.Allow && d.RetryAfter != 0 {
			t.Errorf("%v: retry after %v", mode, d.RetryAfter)
		}
		wantVerdict := atrion.InsufficientVoltage
		if d.Verdict != wantVerdict {
			t.Errorf("%v: the law's verdict is %v, want %v", mode, d.Verdict, wantVerdict)
		}
		text := d.Explain()
		for _, w := range []string{want.words, `Override of "api/*": ` + mode.String() + ", by alice (drill). It ends in 50s."} {
			if !strings.Contains(text, w) {
				t.Errorf("%v: the explanation lacks %q:\n%s", mode, w, text)
			}
		}
		if d := r.Decide(5); d.Allow != want.allow || d.Reason != want.reason {
			t.Errorf("%v: Decide: %v", mode, d)
		}
		if d := r.Decide(100); d.Allow != want.allow100 || d.Reason != want.reason100 {
			t.Errorf("%v: Decide with 100 volts: %v", mode, d)
		}
		if r.Allow(5) != want.allow {
			t.Errorf("%v: Allow(5) is %v", mode, !want.allow)
		}
		if x, err := e.Explain("api/pay", 5); err != nil || x.Decision.Reason != want.reason {
			t.Errorf("%v: Explain: %v, %v", mode, x, err)
		}
		st := e.Stats()
		if shed := r.Shed(); (shed > 0) == want.allow {
			t.Errorf("%v: %d shed", mode, shed)
		}
		counted := map[atrion.Force]uint64{atrion.ForceOpen: st.Overridden, atrion.ForceClosed: st.Overridden, atrion.ForceDisabled: st.Disabled, atrion.ForceShadow: st.Shadowed}[mode]
		if wantCount := map[bool]uint64{false: 4, true: 3}[mode == atrion.ForceShadow]; counted != wantCount {
			t.Errorf("%v: %d counted, want %d", mode, counted, wantCount)
		}
		// It ends by itself, whoever looks.
		clock.pass(50 * time.Second)
		if d := r.Decide(5); d.Allow || d.Reason != atrion.InsufficientVoltage || d.Override != nil || d.ExpiresIn != 0 {
			t.Errorf("%v: after its time: %+v", mode, d)
		}
	}
}

// A route that is forced closed still learns and counts what is in flight; one
// that is disabled does neither.
func TestWhatForcedRoutesLearn(t *testing.T) {
	for mode, learns := range map[atrion.Force]bool{atrion.ForceClosed: true, atrion.ForceShadow: true, atrion.ForceDisabled: false} {
		e := newEngine(t, atrion.Config{})
		r := newRoute(t, e, "r")
		force(t, e, "r", mode, time.Minute)
		for range 10 {
			if _, err := e.Decide("r", healthy); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Observe("r", healthy, healthy); err != nil {
			t.Fatal(err)
		}
		p, err := r.Acquire(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if (r.Inflight() == 1) != learns {
			t.Errorf("%v: %d in flight", mode, r.Inflight())
		}
		p.Done(nil)
		if learns {
			eventually(t, "13 samples", func() bool { return samples(e) == 13 })
		} else if time.Sleep(20 * time.Millisecond); samples(e) != 0 {
			t.Errorf("%v: %d samples learned", mode, samples(e))
		}
	}
}

// A call that began before the route was disabled returns its seat.
func TestDisabledWhileInFlight(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	r := newRoute(t, e, "r")
	p, err := r.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	force(t, e, "r", atrion.ForceDisabled, time.Minute)
	p.Done(errors.New("x"))
	if n := r.Inflight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
}

func TestBypass(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	r := newRoute(t, e, "r")
	force(t, e, "r", atrion.ForceOpen, time.Minute)
	p, d, err := r.AcquireDecision(context.Background(), atrion.Bypass(true), atrion.Voltage(1))
	if err != nil || d.Reason != atrion.Bypassed || d.Verdict != atrion.InsufficientVoltage || r.Inflight() != 1 {
		t.Fatalf("%v, %v, %d in flight", d, err, r.Inflight())
	}
	p.Done(nil)
	eventually(t, "its outcome is learned", func() bool { return samples(e) == 1 })
	if n := e.Stats().Bypassed; n != 1 {
		t.Errorf("%d counted", n)
	}
	if _, err := r.Acquire(context.Background(), atrion.Bypass(false)); !errors.Is(err, atrion.ErrOverride) {
		t.Errorf("without: %v", err)
	}
}

// The most specific override holds, and when it ends the next does.
func TestOverridesHideOneAnother(t *testing.T) {
	clock := newHand()
	e := newEngine(t, atrion.Config{Clock: clock, MaxOverrides: 3})
	force(t, e, "*", atrion.ForceShadow, time.Hour)
	force(t, e, "api/*", atrion.ForceOpen, 2*time.Minute)
	r := newRoute(t, e, "api/pay")
	force(t, e, "api/pay", atrion.ForceClosed, time.Minute)
	mode := func(want atrion.Force) {
		t.Helper()
		eventually(t, fmt.Sprint("under ", want), func() bool {
			d := r.Decide(5)
			return d.Override != nil && d.Override.Mode == want
		})
	}
	mode(atrion.ForceClosed)
	if err := e.Override(atrion.Override{Route: "x", Mode: atrion.ForceOpen, TTL: time.Second, By: "a", Reason: "b"}); !errors.Is(err, atrion.ErrTooManyOverrides) || !strings.Contains(err.Error(), "3 in force (limit MaxOverrides)") {
		t.Errorf("the fourth: %v", err)
	}
	clock.pass(time.Minute)
	mode(atrion.ForceOpen)
	clock.pass(30 * time.Second)
	if all := e.Overrides(); len(all) != 2 || all[1].Route != "api/*" || all[1].TTL != 30*time.Second {
		t.Errorf("%+v", all)
	}
	if !e.ClearOverride("api/*") || e.ClearOverride("api/*") {
		t.Error("ClearOverride must report whether there was one")
	}
	mode(atrion.ForceShadow)
}

func TestBadOverridesNameTheField(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	for field, bad := range map[string]atrion.Override{
		"Route":  {Mode: atrion.ForceOpen, TTL: 1e9, By: "a", Reason: "b"},
		"Route ": {Route: "a>", Mode: atrion.ForceOpen, TTL: 1e9, By: "a", Reason: "b"},
		"Mode":   {Route: "a", TTL: 1e9, By: "a", Reason: "b"},
		"Mode ":  {Route: "a", Mode: 9, TTL: 1e9, By: "a", Reason: "b"},
		"TTL":    {Route: "a", Mode: atrion.ForceOpen, By: "a", Reason: "b"},
		"By":     {Route: "a", Mode: atrion.ForceOpen, TTL: 1e9, Reason: "b"},
		"Reason": {Route: "a", Mode: atrion.ForceOpen, TTL: 1e9, By: "a"},
	} {
		err := e.Override(bad)
		var f *atrion.FieldError
		if !errors.Is(err, atrion.ErrInvalidRule) || !errors.As(err, &f) || f.Field != strings.TrimSpace(field) || f.Allowed == "" {
			t.Errorf("%+v: %v, want ErrInvalidRule of %s", bad, err, field)
		}
	}
}

// An upstream that says "retry after n" trips the route for n, but does not
// argue with an operator.
func TestTripFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, atrion.Config{})
		r := newRoute(t, e, "r")
		trip := func(d time.Duration) {
			t.Helper()
			if err := r.TripFor(d, "503 with Retry-After"); err != nil {
				t.Fatal(err)
			}
		}
		trip(2 * time.Second)
		trip(time.Second) // does not shorten it
		d, err := acquire(t, r, atrion.Critical)
		if !errors.Is(err, atrion.ErrOverride) || d.Override.By != "upstream" || d.RetryAfter > 2*time.Second || d.RetryAfter < 1900*time.Millisecond {
			t.Errorf("%v, %v", d, err)
		}
		time.Sleep(1500 * time.Millisecond)
		if r.Allow(400) {
			t.Error("back too soon")
		}
		time.Sleep(600 * time.Millisecond)
		if !r.Allow(400) {
			t.Error("still tripped")
		}
		trip(99 * time.Hour)
		if all := e.Overrides(); len(all) != 1 || all[0].TTL > atrion.MaxTrip {
			t.Errorf("%+v", all)
		}
		force(t, e, "r", atrion.ForceClosed, time.Minute)
		trip(2 * time.Hour)
		if !r.Allow(400) {
			t.Error("upstream overrules the operator")
		}
		if err := r.TripFor(0, "x"); !errors.Is(err, atrion.ErrInvalidRule) {
			t.Errorf("for no time: %v", err)
		}
	})
}

// One script of requests and outcomes, under a law that is obeyed and under one
// in shadow: the same verdicts, and in shadow nobody is turned away.
func TestShadowSaysWhatItWouldDo(t *testing.T) {
	type said struct {
		verdict atrion.Reason
		mode    atrion.Mode
		r       float64
	}
	play := func(shadow bool) (verdicts []said, rejected int, st atrion.Stats) {
		loop := vtime.New()
		rng := rand.New(rand.NewPCG(7, 7))
		draws := rand.New(rand.NewPCG(9, 9))
		e, err := atrion.New(atrion.Config{Clock: loop, Random: draws.Float64})
		if err != nil {
			t.Fatal(err)
		}
		if shadow {
			if err := e.Apply(atrion.Settings{Shadow: true}); err != nil {
				t.Fatal(err)
			}
		}
		r, err := e.Route("r")
		if err != nil {
			t.Fatal(err)
		}
		at := loop.Now()
		for range 20_000 {
			at += int64(rng.ExpFloat64() * 1e6) // a thousand a second, for twenty seconds
			volts := atrion.Voltage(25 * float64(uint(1)<<rng.IntN(5)))
			took := int64((20 + 20*rng.ExpFloat64()) * 1e6)
			var outcome error
			if t := at - vtime.Start; t > 8e9 && t < 14e9 && rng.IntN(5) > 0 {
				outcome = errors.New("down")
			}
			loop.At(at, func() {
				p, d, err := r.AcquireDecision(context.Background(), volts)
				verdicts = append(verdicts, said{d.Verdict, d.Mode, d.Resistance})
				if err != nil {
					rejected++
				}
				if d.Allow != (err == nil) || shadow != (d.Reason == atrion.Shadowed) && d.Verdict != atrion.Allowed {
					t.Fatalf("%+v, %v", d, err)
				}
				loop.At(loop.Now()+took, func() { p.Done(outcome) })
			})
		}
		loop.Run(at + int64(time.Second))
		st = e.Stats()
		_ = e.Close(context.Background())
		return verdicts, rejected, st
	}
	obeyed, rejected, st := play(false)
	said2, none, st2 := play(true)
	if rejected < 1000 {
		t.Fatalf("only %d rejected: the script tests nothing", rejected)
	}
	if none != 0 || st2.Shadowed != uint64(rejected) || st.Shadowed != 0 {
		t.Errorf("in shadow %d rejected and %d counted as such, want 0 and %d", none, st2.Shadowed, rejected)
	}
	for i := range obeyed {
		if obeyed[i] != said2[i] {
			t.Fatalf("request %d: obeyed %+v, in shadow %+v", i, obeyed[i], said2[i])
		}
	}
}

package atrion_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
)

func ban(t testing.TB, e *atrion.Engine, b atrion.Ban) {
	t.Helper()
	if b.By == "" {
		b.By, b.Reason = "alice", "scraping"
	}
	if b.TTL == 0 {
		b.TTL = time.Minute
	}
	if err := e.Ban(b); err != nil {
		t.Fatal(err)
	}
}

// acquire ends the permit at once and returns what was decided.
func acquire(t testing.TB, r *atrion.Route, options ...atrion.AcquireOption) (atrion.Decision, error) {
	t.Helper()
	p, d, err := r.AcquireDecision(context.Background(), options...)
	p.Done(nil)
	return d, err
}

// A ban of a caller holds on its route and for its caller, shows in the decision,
// and ends by itself.
func TestBanOfACaller(t *testing.T) {
	clock := newHand()
	e := newEngine(t, atrion.Config{Clock: clock})
	pay, other := newRoute(t, e, "pay/card"), newRoute(t, e, "search")
	ban(t, e, atrion.Ban{Route: "pay/*", Subject: "bob"})
	clock.pass(20 * time.Second)

	d, err := acquire(t, pay, atrion.Subject("bob"), atrion.Critical)
	if !errors.Is(err, atrion.ErrBanned) || !errors.Is(err, atrion.ErrRejected) || errors.Is(err, atrion.ErrOverride) {
		t.Fatalf("a banned caller: %v", err)
	}
	if d.Allow || d.Reason != atrion.Banned || d.Verdict != atrion.Allowed || d.Ban == nil || d.Ban.By != "alice" || d.Ban.Reason != "scraping" ||
		d.ExpiresIn != 40*time.Second || d.RetryAfter != 40*time.Second || d.Terms.Sum() != d.Resistance || d.Resistance == 0 {
		t.Errorf("the decision: %+v", d)
	}
	for _, want := range []string{"bob is banned from routes pay/* by alice (scraping)", "ends in 40s", "is shed"} {
		if !strings.Contains(d.Explain(), want) {
			t.Errorf("the explanation lacks %q:\n%s", want, d.Explain())
		}
	}
	if d, err := e.Decide("pay/new", atrion.Telemetry{}, atrion.Subject("bob")); err != nil || d.Reason != atrion.Banned {
		t.Errorf("Decide on a new route: %v, %v", d, err)
	}
	if x, err := e.Explain("pay/card", 0, atrion.Subject("bob")); err != nil || x.Decision.Reason != atrion.Banned {
		t.Errorf("Explain: %v, %v", x, err)
	}
	for who, r := range map[string]*atrion.Route{"bob": other, "carol": pay, "": pay} {
		if _, err := acquire(t, r, atrion.Subject(who)); err != nil {
			t.Errorf("%q on %s: %v", who, r.Name(), err)
		}
	}
	if _, err := acquire(t, pay, atrion.Subject("bob"), atrion.Bypass(true)); !errors.Is(err, atrion.ErrBanned) {
		t.Errorf("a banned caller who wants to bypass: %v", err)
	}
	if st := e.Stats(); st.Banned != 3 || pay.Shed() != 2 {
		t.Errorf("%d counted as banned, %d shed; want 3 and 2", st.Banned, pay.Shed())
	}
	clock.pass(40 * time.Second)
	if d, err := acquire(t, pay, atrion.Subject("bob")); err != nil || d.Ban != nil || d.Reason != atrion.Allowed {
		t.Errorf("when its time is up: %v, %v", d, err)
	}
	if bans := e.Bans(); len(bans) != 0 {
		t.Errorf("bans after their time: %v", bans)
	}
}

// A ban of everybody holds on all ways of asking, on routes that are there and on
// those that come.
func TestBanOfARoute(t *testing.T) {
	clock := newHand()
	e := newEngine(t, atrion.Config{Clock: clock})
	old := newRoute(t, e, "old/1")
	ban(t, e, atrion.Ban{Route: "old/*"})
	ban(t, e, atrion.Ban{Route: "new", TTL: 2 * time.Minute})
	check := func(name string, want bool) {
		t.Helper()
		r := newRoute(t, e, name)
		_, err := acquire(t, r)
		allow, err2 := e.Allow(name, 400)
		d, err3 := e.Decide(name, atrion.Telemetry{})
		for how, got := range map[string]bool{
			"Acquire": err == nil, "Route.Allow": r.Allow(400), "Route.Decide": r.Decide(400).Allow, "Engine.Allow": allow, "Engine.Decide": d.Allow,
		} {
			if got != want {
				t.Errorf("%s on %s: %v, want %v (%v, %v)", how, name, got, want, err2, err3)
			}
		}
	}
	check("old/1", false)
	check("old/2", false)
	check("new", false)
	check("newer", true)
	clock.pass(time.Minute)
	check("old/1", true)
	check("old/2", true)
	check("new", false)
	if !e.Unban("new", "") || e.Unban("new", "") {
		t.Error("Unban must report whether there was a ban")
	}
	check("new", true)
	if _, err := acquire(t, old); err != nil {
		t.Error(err)
	}
}

func TestBansAreBounded(t *testing.T) {
	clock := newHand()
	e := newEngine(t, atrion.Config{Clock: clock, MaxBans: 10})
	for i := range 5 {
		ban(t, e, atrion.Ban{Subject: fmt.Sprint("s", i), TTL: time.Second})
		ban(t, e, atrion.Ban{Route: fmt.Sprint("r", i)})
	}
	ban(t, e, atrion.Ban{Subject: "s1", TTL: time.Second}) // takes the place of the other
	one := atrion.Ban{Subject: "more", TTL: time.Second, By: "a", Reason: "b"}
	if err := e.Ban(one); !errors.Is(err, atrion.ErrTooManyBans) || !strings.Contains(err.Error(), "10 in force (limit MaxBans)") {
		t.Fatalf("the 11th: %v", err)
	}
	clock.pass(time.Second)
	if err := e.Ban(one); err != nil {
		t.Fatalf("after five have expired: %v", err)
	}
	if bans := e.Bans(); len(bans) != 6 || bans[0].Subject != "more" || bans[1].Route != "r0" || bans[1].TTL != 59*time.Second {
		t.Errorf("%v", bans)
	}

	e = newEngine(t, atrion.Config{Clock: clock})
	for i := range 32 {
		ban(t, e, atrion.Ban{Route: fmt.Sprint("r", i), Subject: "s"})
	}
	if err := e.Ban(atrion.Ban{Route: "r32", Subject: "s", TTL: time.Second, By: "a", Reason: "b"}); !errors.Is(err, atrion.ErrTooManyBans) || !strings.Contains(err.Error(), `"s" alone (limit 32)`) {
		t.Errorf("the 33rd of one: %v", err)
	}
	if n := len(e.Bans()); n != 32 {
		t.Errorf("%d bans", n)
	}
}

func TestBadBansNameTheField(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	long := strings.Repeat("x", 257)
	for field, bad := range map[string]atrion.Ban{
		"Route":     {TTL: 1e9, By: "a", Reason: "b"},
		"Route ":    {Route: "a*b", TTL: 1e9, By: "a", Reason: "b"},
		"Subject":   {Subject: "a b", TTL: 1e9, By: "a", Reason: "b"},
		"Subject ":  {Subject: long[:129], TTL: 1e9, By: "a", Reason: "b"},
		"TTL":       {Route: "a", By: "a", Reason: "b"},
		"TTL ":      {Route: "a", TTL: 366 * 24 * time.Hour, By: "a", Reason: "b"},
		"By":        {Route: "a", TTL: 1e9, Reason: "b"},
		"By ":       {Route: "a", TTL: 1e9, By: "a\nb", Reason: "b"},
		"Reason":    {Route: "a", TTL: 1e9, By: "a"},
		"Reason ":   {Route: "a", TTL: 1e9, By: "a", Reason: long},
		"Reason  ":  {Route: "a", TTL: 1e9, By: "a", Reason: "\xff"},
		"Subject  ": {Subject: "ü", TTL: 1e9, By: "a", Reason: "b"},
	} {
		err := e.Ban(bad)
		var f *atrion.FieldError
		if !errors.Is(err, atrion.ErrInvalidRule) || !errors.As(err, &f) || f.Field != strings.TrimSpace(field) || f.Allowed == "" {
			t.Errorf("%+.60v: %v, want ErrInvalidRule of %s", bad, err, field)
		}
	}
	if n := len(e.Bans()); n != 0 {
		t.Errorf("%d bans in force", n)
	}
}

// eventually waits for what another goroutine does.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// A rule bans who is rejected that often, and nobody else; not for rejections of
// a ban or an override.
func TestBanByRule(t *testing.T) {
	clock := newHand()
	e := newEngine(t, atrion.Config{Clock: clock})
	events := e.Events(10)
	defer events.Close()
	rule := atrion.BanRule{Route: "login/*", On: atrion.OnRejected, Count: 5, Within: 10 * time.Second, For: time.Minute}
	if err := e.Apply(atrion.Settings{BanRules: []atrion.BanRule{rule}}); err != nil {
		t.Fatal(err)
	}
	r, elsewhere := newRoute(t, e, "login/form"), newRoute(t, e, "search")
	try := func(r *atrion.Route, who string, n int) {
		for range n { // 5 volts: never above the 12 ohms of a new route
			if _, err := acquire(t, r, atrion.Subject(who), atrion.Voltage(5)); err == nil {
				t.Fatal("it passes")
			}
		}
	}
	try(r, "good", 4)
	try(elsewhere, "good", 20)
	for range 20 { // one every 2.5 s: not as often as that
		clock.pass(2500 * time.Millisecond)
		try(r, "slow", 1)
	}
	try(r, "bot", 5)
	eventually(t, "bot is banned", func() bool { return len(e.Bans()) > 0 })
	bans := e.Bans()
	if len(bans) != 1 || bans[0].Subject != "bot" || bans[0].Route != "login/*" || bans[0].By != "rule" || bans[0].Reason != "5 rejected in 10s" || bans[0].TTL != time.Minute {
		t.Fatalf("%+v", bans)
	}
	if ev := <-events.C(); ev.Kind != atrion.EventBanned || !strings.Contains(ev.Cause, "subject bot, 5 rejected in 10s, for 1m0s") {
		t.Errorf("event %+v", ev)
	}
	clock.pass(30 * time.Second)
	try(r, "bot", 50) // rejected by the ban
	clock.pass(30 * time.Second)
	if _, err := acquire(t, r, atrion.Subject("bot")); err != nil {
		t.Errorf("the ban was prolonged by its own rejections: %v", err)
	}
	if err := e.Override(atrion.Override{Route: "login/form", Mode: atrion.ForceOpen, TTL: time.Minute, By: "a", Reason: "b"}); err != nil {
		t.Fatal(err)
	}
	try(r, "victim", 50)
	time.Sleep(20 * time.Millisecond)
	if bans := e.Bans(); len(bans) != 0 {
		t.Errorf("banned for what an override did: %v", bans)
	}
}

func TestBanByFailures(t *testing.T) {
	e := newEngine(t, atrion.Config{})
	rule := atrion.BanRule{On: atrion.OnBoth, Count: 3, Within: time.Hour, For: time.Minute}
	if err := e.Apply(atrion.Settings{BanRules: []atrion.BanRule{rule}}); err != nil {
		t.Fatal(err)
	}
	r := newRoute(t, e, "r")
	call := func(who string, err error) {
		t.Helper()
		p, e := r.Acquire(context.Background(), atrion.Subject(who))
		if e != nil {
			t.Fatal(e)
		}
		p.Done(err)
	}
	for range 2 {
		call("bot", errors.New("bad"))
		call("good", nil)
		call("good", context.Canceled) // says nothing
		call("", errors.New("nobody's"))
	}
	if _, err := acquire(t, r, atrion.Subject("bot"), atrion.Voltage(1)); err == nil { // the third: a rejection
		t.Fatal("it passes")
	}
	eventually(t, "bot is banned", func() bool { return len(e.Bans()) == 1 })
	if b := e.Bans()[0]; b.Subject != "bot" || b.Route != "" || b.Reason != "3 rejected or failed in 1h0m0s" {
		t.Errorf("%+v", b)
	}
}

// A rule that bans without end must not hold anybody up, nor pass the bound.
func TestManyBansByRule(t *testing.T) {
	e := newEngine(t, atrion.Config{MaxBans: 100})
	if err := e.Apply(atrion.Settings{BanRules: []atrion.BanRule{{On: atrion.OnRejected, Count: 1, Within: time.Second, For: time.Minute}}}); err != nil {
		t.Fatal(err)
	}
	r := newRoute(t, e, "r")
	eventually(t, "as many are banned as may be", func() bool {
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 1000 {
					_, _ = r.Acquire(context.Background(), atrion.Subject(fmt.Sprint(g, "/", i)), atrion.Voltage(1))
				}
			})
		}
		wg.Wait()
		return len(e.Bans()) == 100
	})
}

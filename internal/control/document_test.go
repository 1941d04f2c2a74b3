package control

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/physics/ohmic"
)

func classicBase() Base {
	b := DefaultBase()
	b.Law = classic.Name
	return b
}

const whole = `{
  "version": 1, "revision": 7, "voltage": 80,
  "tiers": {"high": 250, "gold plan": 500},
  "shadow": true,
  "ohmic": {"headroom": 0.25, "bid_memory": "2s"},
  "classic": {"base_resistance": 12, "slo": {"latency_ms": 80, "criticality": {"error": 9}}, "tuner": {"window": 50}},
  "ban_rules": [{"routes": "login/*", "on": "both", "count": 20, "within": "10s", "for": "5m"}],
  "routes": {"login/*": {"classic": {"base_resistance": 15}, "profile": "LIGHT"}, "batch": {"disabled": true}, "x": {"shadow": true}}
}`

// A document says what it says, and what it does not say is as the node was
// started.
func TestDocument(t *testing.T) {
	base := classicBase()
	base.Classic.ScarFactor = 6
	d, err := NewParser(base).Parse([]byte(strings.Replace(whole, "gold plan", "gold", 1)))
	if err != nil {
		t.Fatal(err)
	}
	all := d.Settings.Law.(*classic.Law).Config()
	own := d.Settings.Routes["login/*"].Law.(*classic.Law).Config()
	if all.BaseResistance != 12 || all.ScarFactor != 6 || all.SLO.LatencyMs != 80 || all.SLO.Criticality.Error != 9 || all.SLO.Criticality.Latency != 5 || all.Tuner.Window != 50 {
		t.Errorf("the law is %+v", all)
	}
	if all.BaseResistance = 15; own != all {
		t.Errorf("that of login/* is %+v, want %+v", own, all)
	}
	want := atrion.Settings{
		Voltage: 80, Tiers: map[string]float64{"high": 250, "gold": 500}, Law: d.Settings.Law, Shadow: true,
		BanRules: []atrion.BanRule{{Route: "login/*", On: atrion.OnBoth, Count: 20, Within: 10 * time.Second, For: 5 * time.Minute}},
		Routes: map[string]atrion.RouteSettings{
			"login/*": {Law: d.Settings.Routes["login/*"].Law}, "batch": {Disabled: true}, "x": {Shadow: true},
		},
	}
	if !reflect.DeepEqual(d.Settings, want) || d.Revision != 7 {
		t.Errorf("%+v\nwant %+v", d.Settings, want)
	}
	if again, err := NewParser(base).Parse(d.JSON); err != nil || again.Revision != 0 || string(again.JSON) != string(d.JSON) {
		t.Errorf("what is stored reads as %+v, %v", again, err)
	}
	empty, err := NewParser(base).Parse([]byte(" {} "))
	if err != nil || empty.Settings.Law.(*classic.Law).Config() != base.Classic {
		t.Errorf("an empty document: %+v, %v", empty.Settings, err)
	}
}

// A law of which nothing has changed stays the one it was.
func TestUnchangedLawsStay(t *testing.T) {
	p := NewParser(DefaultBase())
	one := `{"ohmic": {"headroom": 0.3}, "routes": {"a": {"ohmic": {"floor": 1}}, "b": {"ohmic": {"floor": 1}}, "c": {"shadow": true}}}`
	a, err := p.Parse([]byte(one))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Parse([]byte(`{"voltage": -1}`)); err == nil {
		t.Fatal("accepted")
	}
	b, err := p.Parse([]byte(strings.Replace(one, "true", "false", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if a.Settings.Law != b.Settings.Law || a.Settings.Routes["a"].Law != b.Settings.Routes["b"].Law || a.Settings.Law == a.Settings.Routes["a"].Law || a.Settings.Routes["c"].Law != nil {
		t.Errorf("%+v\n%+v", a.Settings, b.Settings)
	}
}

// What is wrong is named by its path, with its value and what is allowed.
func TestWrongDocuments(t *testing.T) {
	for doc, want := range map[string]string{
		``:                              "it ends too early",
		`{`:                             "it ends too early",
		`{"voltage": 1} {}`:             "something follows the document",
		"{\n\"voltage\": nope}":         "line 2",
		`[]`:                            `document is [] (allowed: an object)`,
		`{"voltage": 1, "voltage": 2}`:  "voltage is there twice",
		`{"routes":{"a":{},"a":{}}}`:    "routes.a is there twice",
		`{"volts": 1}`:                  "volts is unknown (allowed: version, revision, voltage, tiers, shadow, ohmic, classic, ban_rules, routes)",
		`{"ohmic":{"floo":1}}`:          "ohmic.floo is unknown (allowed: floor, headroom",
		`{"version": 2}`:                "version is 2 (allowed: 1)",
		`{"revision": 1.5}`:             "revision is 1.5",
		`{"revision": -1}`:              "revision is -1",
		`{"voltage": "high"}`:           `voltage is "high" (allowed: a number)`,
		`{"voltage": 0}`:                "voltage is 0 (allowed: above 0",
		`{"voltage": 1e10}`:             "voltage is 1e+10",
		`{"voltage": null}`:             "voltage is null",
		`{"tiers": {"a b": 1}}`:         `tiers["a b"] is "a b"`,
		`{"tiers": {"a": 0}}`:           "tiers.a is 0",
		`{"tiers": []}`:                 "tiers is [] (allowed: an object)",
		`{"shadow": 1}`:                 "shadow is 1 (allowed: true or false)",
		`{"ohmic": {"bid_memory": 1}}`:  `ohmic.bid_memory is 1 (allowed: a duration with its unit`,
		`{"ohmic": {"knee": 2}}`:        "ohmic.dip_depth*knee is 1.2 (allowed: below 1)",
		`{"ban_rules": {}}`:             "ban_rules is {} (allowed: a list of at most 16 rules)",
		`{"ban_rules": [1]}`:            "ban_rules[0] is 1 (allowed: an object)",
		`{"ban_rules": [{"on":"fun"}]}`: `ban_rules[0].on is "fun" (allowed: rejected, failed or both)`,
		`{"ban_rules": [{"on":"failed","count":1.5}]}`:                           "ban_rules[0].count is 1.5 (allowed: a whole number)",
		`{"ban_rules": [{"on":"failed","count":1e6,"within":"1s"}]}`:             "ban_rules[0].count is 1e6 (allowed: a whole number)",
		`{"ban_rules": [{"on":"failed","count":1,"within":"25h"}]}`:              "ban_rules[0].within is 25h0m0s (allowed: 1ms to 24h0m0s)",
		`{"ban_rules": [{"on":"failed","count":1,"within":"1s","for":"500ms"}]}`: "ban_rules[0].for is 500ms (allowed: 1s to 8760h0m0s)",
		`{"ban_rules": [{"routes":"a**"}]}`:                                      `ban_rules[0].routes is "a**"`,
		`{"routes": {"a*b": {}}}`:                                                `routes["a*b"] is a wrong name (allowed: a route name, or what names begin with and '*')`,
		`{"routes": {"a": {"floors": {}}}}`:                                      "routes.a.floors is unknown (allowed: ohmic, classic, shadow, disabled, profile)",
		`{"routes": {"GET /x": {"ohmic": {"floor":-1}}}}`:                        `routes["GET /x"].ohmic.floor is -1 (allowed: 0 to 1e+09)`,
		`{"routes": {"a": {"profile": "a b"}}}`:                                  `routes.a.profile is "a b"`,
		strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 20):              "at most 16 levels",
		`{"voltage": 1` + strings.Repeat(" ", MaxDocument) + `}`:                 "at most 262144",
	} {
		_, err := NewParser(DefaultBase()).Parse([]byte(doc))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s:\n got %v\nwant %s", doc, err, want)
		}
	}
	// All at once, up to a number.
	many := strings.Repeat(`"a%d": 1,`, 30)
	var n []any
	for i := range 30 {
		n = append(n, i)
	}
	_, err := NewParser(DefaultBase()).Parse([]byte("{" + strings.TrimSuffix(fmt.Sprintf(many, n...), ",") + "}"))
	if err == nil || strings.Count(err.Error(), "is unknown") != maxErrors || !strings.Contains(err.Error(), "and 14 more") {
		t.Errorf("%v", err)
	}
}

// Every number of both laws can be set, is checked, and is named by its path when
// it is out of range.
func TestEveryParameterIsChecked(t *testing.T) {
	seen := map[string]int{}
	var walk func(path string, v reflect.Value)
	check := func(path string, doc string) {
		t.Helper()
		parts := strings.Split(path, ".")
		body := doc
		for i := len(parts) - 1; i >= 0; i-- {
			body = fmt.Sprintf("{%q: %s}", parts[i], body)
		}
		_, err := NewParser(DefaultBase()).Parse([]byte(body))
		var f *atrion.FieldError
		if !errors.As(err, &f) || !strings.Contains(err.Error(), path+" is ") || strings.Contains(err.Error(), "unknown") || f.Allowed == "" {
			t.Errorf("%s: %v", body, err)
		}
	}
	walk = func(path string, v reflect.Value) {
		for i := range v.NumField() {
			name, f := path+"."+snake(v.Type().Field(i).Name), v.Field(i)
			switch {
			case f.Kind() == reflect.Struct:
				walk(name, f)
				continue
			case f.Type() == reflect.TypeFor[time.Duration]():
				check(name, `"-1h"`)
			case f.Kind() == reflect.Float64:
				check(name, "-7e300")
			case f.Kind() == reflect.Int:
				check(name, "-7")
			case f.Kind() == reflect.Bool:
				check(name, "7")
			case f.Type() == reflect.TypeFor[[]ohmic.Lane]():
				_, err := NewParser(DefaultBase()).Parse([]byte(`{"ohmic": {"lanes": {"bulk": {"above": 1, "up_to": 25, "floor": 7}}}}`))
				if err == nil || !strings.Contains(err.Error(), "ohmic.lanes[0].floor is 7") {
					t.Errorf("%s: %v", name, err)
				}
			default:
				t.Errorf("%s is a %v: nobody can set it", name, f.Type())
			}
			seen[path]++
		}
	}
	walk("ohmic", reflect.ValueOf(ohmic.DefaultConfig()))
	walk("classic", reflect.ValueOf(classic.DefaultConfig()))
	if len(seen) != 5 || seen["ohmic"] != 21 {
		t.Errorf("looked at %v", seen)
	}
}

func TestDiff(t *testing.T) {
	from := `{"revision": 3, "voltage": 1, "tiers": {"a": 1, "b": 2}, "ban_rules": [{"on": "failed"}], "routes": {"x y": {"shadow": true}}}`
	to := `{"tiers": {"b": 2.0, "c": 3}, "voltage": 1, "ban_rules": [], "routes": {"x y": {"shadow": false}}, "revision": 9}`
	got, err := Diff([]byte(from), []byte(to))
	want := []Change{
		{"ban_rules", "", "[]"}, {"ban_rules[0].on", `"failed"`, ""}, {`routes["x y"].shadow`, "true", "false"},
		{"tiers.a", "1", ""}, {"tiers.b", "2", "2.0"}, {"tiers.c", "", "3"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %v\nwant %v", err, got, want)
	}
	if got, err := Diff(nil, []byte(`{"voltage": 1}`)); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := Diff([]byte(from), []byte(from)); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// Whatever bytes come: refused whole with a reason, or something that an engine
// takes and that reads the same again.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(strings.Replace(whole, "gold plan", "gold", 1)))
	for _, s := range []string{
		`{}`, `{"ohmic":{"dip_depth":0.9,"knee":1.2}}`, `{"voltage":1e308}`, `{"a":[[[[{}]]]]}`, `{"tiers":{"":1}}`, "{\"\xff\":1}", `{"routes":{"*":{}}}`,
		`{"ban_rules":[{"on":"rejected","count":1,"within":"1ms","for":"8760h"}]}`, `{"voltage":-0}`, `nullnull`, `{"classic":{"tuned":false,"tuner":{"window":-1}}}`,
	} {
		f.Add([]byte(s))
	}
	eng, err := atrion.New(atrion.Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, base := range []Base{DefaultBase(), classicBase()} {
			d, err := NewParser(base).Parse(data)
			if err != nil {
				if !errors.Is(err, ErrInvalid) || !reflect.DeepEqual(d, Document{}) {
					t.Fatalf("%v, %+v", err, d)
				}
				continue
			}
			if base.Law == ohmic.Name {
				if err := eng.Apply(d.Settings); err != nil {
					t.Fatalf("valid, but the engine refuses it: %v", err)
				}
			}
			again, err := NewParser(base).Parse(d.JSON)
			if err != nil || string(again.JSON) != string(d.JSON) || again.Settings.Voltage != d.Settings.Voltage || len(again.Settings.Routes) != len(d.Settings.Routes) {
				t.Fatalf("%s reads again as %s, %v", d.JSON, again.JSON, err)
			}
			if v := d.Settings.Voltage; v != 0 && !(v > 0 && v <= atrion.MaxVoltage) || math.IsNaN(v) {
				t.Fatalf("%v volts", v)
			}
			if changes, err := Diff(data, d.JSON); err != nil || len(changes) > 0 {
				t.Fatalf("differs from itself: %v, %v", changes, err)
			}
		}
	})
}

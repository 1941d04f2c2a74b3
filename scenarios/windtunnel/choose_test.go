package windtunnel

import (
	"slices"
	"strings"
	"testing"

	"github.com/atrion-io/atrion/scenarios/control"
)

func TestEntries(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Entries() {
		if seen[e.Name] || e.About == "" || e.Peer != (e.Factory == nil) || e.Name == allArms || e.Name == allPeers {
			t.Errorf("%+v", e)
		}
		seen[e.Name] = true
	}
	for _, c := range control.All() {
		if !seen[c.Name] {
			t.Errorf("%s is not entered", c.Name)
		}
	}
}

func TestParseArms(t *testing.T) {
	for list, want := range map[string]struct {
		names string
		named bool
	}{
		"":                  {"none static breaker classic ohmic gradient2", false},
		"codel,ohmic,codel": {"codel ohmic", false},
		"kratos-bbr,none":   {"kratos-bbr none", true},
		"all":               {strings.Join(entryNames(Entries()), " "), false},
		"all,kratos-bbr":    {strings.Join(entryNames(Entries()), " "), true},
	} {
		arms, named, err := ParseArms(list)
		if got := strings.Join(entryNames(arms), " "); err != nil || got != want.names || named != want.named {
			t.Errorf("%q: %s, %v, %v", list, got, named, err)
		}
	}
	if arms, named, err := ParseArms("peers"); err != nil || !named || len(arms) != 11 || !arms[0].Peer {
		t.Errorf("peers: %v, %v, %v", entryNames(arms), named, err)
	}
}

func TestParseScenarios(t *testing.T) {
	stories, err := ParseScenarios("stories")
	if err != nil || len(stories) == 0 || isCase(stories[0]) {
		t.Errorf("%v, %v", scenarioNames(stories), err)
	}
	for list, want := range map[string]string{
		"":                   "",
		"cases,stories":      "",
		"cases":              " --scenario cases",
		"stories":            " --scenario stories",
		"step5x,ramp,step5x": " --scenario step5x,ramp",
	} {
		all, err := ParseScenarios(list)
		if err != nil {
			t.Fatal(err)
		}
		p := &Plan{Scenarios: all, Arms: entries(t, "none"), Seeds: []Range{{1, 1}}}
		if got := p.Command(); got != "atrion-node windtunnel"+want+" --controller none --seeds 1" {
			t.Errorf("%q: %s", list, got)
		}
	}
}

func TestParseSeeds(t *testing.T) {
	got, err := ParseSeeds("1-10,101-110,3000")
	if err != nil || !slices.Equal(got, []Range{{1, 10}, HeldOut, {3000, 3000}}) {
		t.Errorf("%v, %v", got, err)
	}
	if seeds := (&Plan{Seeds: got}).seeds(); len(seeds) != 21 || seeds[10] != 101 || seeds[20] != 3000 {
		t.Errorf("%v", seeds)
	}
}

func TestParseErrors(t *testing.T) {
	arms := func(s string) error { _, _, err := ParseArms(s); return err }
	cases := func(s string) error { _, err := ParseScenarios(s); return err }
	seeds := func(s string) error { _, err := ParseSeeds(s); return err }
	volts := func(s string) error { _, err := ParseVoltages(s); return err }
	for _, bad := range []struct {
		parse     func(string) error
		list      string
		want, and string
	}{
		{arms, "hystrix", `controller is "hystrix"`, "kratos-bbr"},
		{arms, "none,", `controller is ""`, "allowed"},
		{cases, "step6x", `scenario is "step6x"`, "step5x"},
		{seeds, "", `seeds is ""`, "allowed"},
		{seeds, "5-1", `seeds is "5-1"`, "allowed"},
		{seeds, "-3", `seeds is "-3"`, "allowed"},
		{seeds, "1-", `seeds is "1-"`, "allowed"},
		{seeds, "1-3,3", `seeds is "1-3,3"`, "no seed twice"},
		{seeds, "1-10001", `seeds is "1-10001"`, "10000"},
		{seeds, "0-4294967296", `seeds is "0-4294967296"`, "allowed"},
		{volts, "giga", `voltages is "giga"`, "decades"},
	} {
		if err := bad.parse(bad.list); err == nil || !strings.Contains(err.Error(), bad.want) || !strings.Contains(err.Error(), bad.and) {
			t.Errorf("%q: %v", bad.list, err)
		}
	}
}

func TestCommand(t *testing.T) {
	p := &Plan{Scenarios: Scenarios(), Arms: Entries(), Seeds: []Range{{1, 10}, HeldOut}, Parallel: 7, Peers: &Peers{Path: "/here"}}
	if got := p.Command(); got != "atrion-node windtunnel --controller all --seeds 1-10,101-110" {
		t.Error(got)
	}
}

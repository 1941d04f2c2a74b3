package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios/peers/tunnel"
)

func TestParse(t *testing.T) {
	cases := []string{"steady70", "step5x"}
	a, err := parse([]string{"--controller", "kratos-bbr,gobreaker", "--scenario", "step5x", "--seeds", "3-5", "--parallel", "4"}, cases, nil)
	if err != nil || !slices.Equal(a.controllers, []string{"kratos-bbr", "gobreaker"}) ||
		!slices.Equal(a.scenarios, []string{"step5x"}) || a.first != 3 || a.last != 5 || a.parallel != 4 {
		t.Errorf("%+v, %v", a, err)
	}
	a, err = parse([]string{"--seeds", "101"}, cases, nil)
	if err != nil || !slices.Equal(a.controllers, tunnel.Names()) || !slices.Equal(a.scenarios, cases) ||
		a.first != 101 || a.last != 101 {
		t.Errorf("%+v, %v", a, err)
	}
	var help strings.Builder
	if _, err := parse([]string{"--help"}, cases, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "-scenario") {
		t.Errorf("%v, %q", err, help.String())
	}
	for _, bad := range [][2]string{
		{"--controller hystrix", `unknown controller "hystrix"`},
		{"--controller gobreaker,gobreaker", `"gobreaker" twice`},
		{"--scenario step6x", `unknown scenario "step6x"`},
		{"--seeds 5-1", "-seeds"},
		{"--seeds one", "-seeds"},
		{"--seeds -3", "-seeds"},
		{"--parallel 0", "-parallel"},
		{"--speed 3", "-speed"},
		{"step5x", `unexpected argument "step5x"`},
	} {
		if _, err := parse(strings.Fields(bad[0]), cases, nil); err == nil || !strings.Contains(err.Error(), bad[1]) {
			t.Errorf("%s: %v, want something with %q", bad[0], err, bad[1])
		}
	}
}

// The lines are complete, in order, and the same however many run at a time.
func TestRun(t *testing.T) {
	a := args{controllers: tunnel.Names(), scenarios: []string{"coldsmall4x", "low1rps"}, first: 2, last: 3}
	var out [2]bytes.Buffer
	for i := range out {
		a.parallel = 1 + 2*i
		if err := run(t, a, &out[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out[0].Bytes(), out[1].Bytes()) {
		t.Error("another output when run in parallel")
	}
	var want []string
	for _, scenario := range a.scenarios {
		for _, controller := range a.controllers {
			want = append(want, scenario+" "+controller+" 2", scenario+" "+controller+" 3")
		}
	}
	var got []string
	for line := range bytes.Lines(out[0].Bytes()) {
		var r sim.Result
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %d", r.Scenario, r.Controller, r.Seed))
	}
	if !slices.Equal(got, want) {
		t.Errorf("lines: %q", got)
	}
}

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
	"github.com/atrion-io/atrion/scenarios/windtunnel"
)

func TestWindtunnelList(t *testing.T) {
	out, errs, code := cli(t, "", "windtunnel", "--list")
	if code != exitOK || errs != "" {
		t.Fatalf("%d, %s", code, errs)
	}
	for _, s := range windtunnel.Scenarios() {
		if !strings.Contains(out, "\n  "+s.Name()+" ") {
			t.Errorf("%s is missing", s.Name())
		}
	}
	for _, e := range windtunnel.Entries() {
		if !strings.Contains(out, "\n  "+e.Name) {
			t.Errorf("%s is missing", e.Name)
		}
	}
}

// A wrong flag is named with its value and what is allowed.
func TestWindtunnelUsage(t *testing.T) {
	for line, want := range map[string][3]string{
		"--scenario step6x":    {"scenario", `"step6x"`, "step5x"},
		"--controller hystrix": {"controller", `"hystrix"`, "gradient2"},
		"--seeds 9-1":          {"seeds", `"9-1"`, "A-B"},
		"--format xml":         {"format", `"xml"`, "table or json"},
		"--parallel 0":         {"parallel", "0", "1 to"},
		"--voltages giga":      {"voltages", `"giga"`, "decades"},
		"--voltages small --controller ohmic,gobreaker": {"voltages", `"small"`, "standard"},
		"--speed 9": {"speed", "flag", "-speed"},
		"step5x":    {"argument", "0", "1"},
	} {
		_, errs, code := cli(t, "", append([]string{"windtunnel"}, strings.Fields(line)...)...)
		for _, part := range want {
			if code != exitUsage || !strings.Contains(errs, part) {
				t.Errorf("%s: code %d, no %q in %s", line, code, part, errs)
			}
		}
	}
}

func TestWindtunnelFiles(t *testing.T) {
	dir := t.TempDir()
	report, results := filepath.Join(dir, "r.html"), filepath.Join(dir, "r.md")
	run := []string{"windtunnel", "--scenario", "coldsmall4x", "--controller", "none,static", "--seeds", "1"}
	// Nobody is under test, so nobody's failure counts.
	out, errs, code := cli(t, "", append(run, "--format", "json", "--report", report, "--results", results)...)
	if code != exitOK || errs != "" {
		t.Fatalf("%d, %s", code, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last sim.Result
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 2 || last.Controller != "static" || last.Seed != 1 {
		t.Errorf("%v, %s", err, out)
	}
	for file, begins := range map[string]string{report: "<!doctype html>", results: "# Results"} {
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(text), begins) {
			t.Errorf("%s: %v, %.40s", file, err, text)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left over: %v", left)
	}
	for _, path := range []string{filepath.Join(dir, "nowhere", "r.html"), dir} {
		if _, errs, code := cli(t, "", append(run, "--report", path)...); code != exitFail || !strings.Contains(errs, path) {
			t.Errorf("report %s: %d, %s", path, code, errs)
		}
	}
}

// sham is a scenario that every arm fails, or in which somebody interrupts.
type sham struct{ stop func() }

func (sham) Name() string  { return "sham" }
func (sham) About() string { return "nobody passes" }

func (s sham) Run(a scenarios.Arm, seed uint64, _ sim.Options) (scenarios.Outcome, error) {
	if s.stop != nil {
		s.stop()
	}
	return scenarios.Outcome{Result: scenarios.Unknown("sham", a.Name, seed)}, nil
}

func (sham) Verdict([]scenarios.Outcome) []scenarios.Failure {
	return []scenarios.Failure{{Case: "sham", Promise: "the impossible"}}
}

func TestWindtunnelExit(t *testing.T) {
	play := func(ctx context.Context, f tunnelFlags, s sham, arms string) (string, error) {
		var out, errs bytes.Buffer
		f.controller, f.seeds, f.format, f.voltages, f.parallel = arms, "1-2", "table", "standard", 1
		p, _, err := f.plan()
		if err != nil {
			t.Fatal(err)
		}
		p.Scenarios = []scenarios.Scenario{s}
		err = f.play(ctx, stdio{nil, &out, &errs}, p)
		if errs.Len() > 0 {
			t.Errorf("a bar where nobody watches: %q", errs.String())
		}
		return out.String(), err
	}
	if _, err := play(t.Context(), tunnelFlags{}, sham{}, "none,"+windtunnel.UnderTest); err == nil || !strings.Contains(err.Error(), "fails the verdict of sham") {
		t.Errorf("the arm under test fails: %v", err)
	}
	if out, err := play(t.Context(), tunnelFlags{}, sham{}, "none"); err != nil || !strings.Contains(out, "FAIL the impossible") {
		t.Errorf("another arm fails: %v, %s", err, out)
	}

	results := filepath.Join(t.TempDir(), "r.md")
	if err := os.WriteFile(results, []byte("whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	out, err := play(ctx, tunnelFlags{results: results}, sham{stop}, "none")
	if !errors.Is(err, windtunnel.ErrInterrupted) || !strings.Contains(err.Error(), "partial") || !strings.Contains(out, "PARTIAL") {
		t.Errorf("interrupted: %v, %s", err, out)
	}
	if text, _ := os.ReadFile(results); string(text) != "whole" {
		t.Errorf("partial results replace whole ones: %s", text)
	}
}

// Without the peers' program the tunnel goes on, unless somebody asked for one.
func TestWindtunnelWithoutPeers(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", "")
	run := []string{"windtunnel", "--scenario", "coldsmall4x", "--seeds", "1", "--format", "json", "--controller"}
	if _, errs, code := cli(t, "", append(run, "none,gobreaker")...); code != exitFail || !strings.Contains(errs, windtunnel.Program) || !strings.Contains(errs, "go install") {
		t.Errorf("gobreaker: %d, %s", code, errs)
	}
	if _, errs, code := cli(t, "", append(run, "none", "--peers", "nothing")...); code != exitOK || errs != "" {
		t.Errorf("a path that is not needed: %d, %s", code, errs)
	}
	if _, errs, code := cli(t, "", append(run, "all", "--peers", "nothing")...); code != exitFail || !strings.Contains(errs, `peers is "nothing"`) {
		t.Errorf("a wrong path: %d, %s", code, errs)
	}
	var errs bytes.Buffer
	f := tunnelFlags{controller: "all", seeds: "1", format: "json", voltages: "standard", parallel: 1}
	p, named, err := f.plan()
	if err != nil {
		t.Fatal(err)
	}
	remove, err := f.enterPeers(t.Context(), &errs, p, named)
	defer remove()
	if err != nil || len(p.Arms) == 0 || p.Peers != nil || !strings.Contains(errs.String(), "without the peers: "+windtunnel.Program) {
		t.Errorf("%v, %d arms, %s", err, len(p.Arms), errs.String())
	}
	for _, a := range p.Arms {
		if a.Peer {
			t.Errorf("%s is still entered", a.Name)
		}
	}
}

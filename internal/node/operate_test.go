package node

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An operator's day: settings, bans and overrides from the command line, on a
// node that is then started again.
func TestOperate(t *testing.T) {
	c := testConfig(t)
	n := startNode(t, c)
	run := func(want int, args ...string) (out, errs string) {
		t.Helper()
		out, errs, code := cli(t, "", append(args, "-s", n.URL())...)
		if code != want {
			t.Fatalf("%v: exit %d, want %d: %q %q", args, code, want, out, errs)
		}
		return out, errs
	}
	says := func(text, want string) {
		t.Helper()
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	file := filepath.Join(t.TempDir(), "settings.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, _ := run(exitOK, "config", "get")
	if out != "{\n  \"revision\": 0\n}\n" {
		t.Errorf("of nothing: %q", out)
	}
	write(`{"classic": {"base_resistance": 20}}`)
	run(exitOK, "config", "set", file, "--by", "alice", "--reason", "a try")
	out, _ = run(exitOK, "ask", "r")
	says(out, "R=24 (base 20")

	// What was got can be edited and set, once.
	got, _ := run(exitOK, "config", "get")
	says(got, `"base_resistance": 20`)
	write(strings.Replace(got, "20", "30", 1))
	out, _ = run(exitOK, "config", "diff", file)
	if out != "- classic.base_resistance: 20\n+ classic.base_resistance: 30\n" {
		t.Errorf("diff: %q", out)
	}
	out, _ = run(exitOK, "config", "set", file, "--by", "bob")
	says(out, "revision ")
	_, errs := run(exitFail, "config", "set", file, "--by", "carol")
	says(errs, "the document has changed: it is at revision")
	says(errs, "by bob")
	write(`{"classic": {"base_resistance": -1}}`)
	_, errs = run(exitFail, "config", "set", file, "--by", "carol")
	says(errs, "classic.base_resistance is -1 (allowed: 0.001 to 1e+06 ohms)")
	write("{\n\"shadow\": tru}")
	_, errs = run(exitFail, "config", "set", file, "--by", "carol")
	says(errs, "line 2")
	out, _ = run(exitOK, "config", "history", "--json")
	var h struct {
		Documents []struct{ Revision uint64 }
	}
	if err := json.Unmarshal([]byte(out), &h); err != nil || len(h.Documents) != 2 {
		t.Fatalf("history: %q", out)
	}
	first := string(json.Number(strings.TrimSpace(strings.Split(out, `"revision":`)[2][:1])))
	run(exitOK, "config", "rollback", first, "--by", "alice", "--reason", "it was better")
	out, _ = run(exitOK, "config", "history")
	says(out, "rollback to "+first+" it was better")
	out, _ = run(exitOK, "ask", "new")
	says(out, "base 20")

	run(exitOK, "ban", "add", "--route", "login/*", "--subject", "bob", "--ttl", "5m", "--by", "alice", "--reason", "guessing")
	out, _ = run(exitShed, "ask", "login/form", "--subject", "bob")
	says(out, "banned")
	says(out, "ban of bob on login/* by alice (guessing)")
	run(exitOK, "ask", "login/form", "--subject", "carol", "--voltage", "400")
	out, _ = run(exitOK, "ban", "list")
	says(out, "login/*  bob")
	run(exitOK, "override", "set", "pay/*", "open", "--ttl", "5m", "--by", "alice", "--reason", "drill")
	out, _ = run(exitShed, "ask", "pay/card", "--tier", "critical")
	says(out, "override of pay/*: open by alice (drill); the law says allowed")
	out, _ = run(exitOK, "explain", "pay/card")
	says(out, "forced open")

	// It is all there after a restart.
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	n = startNode(t, c)
	run(exitShed, "ask", "login/form", "--subject", "bob")
	run(exitShed, "ask", "pay/card", "--tier", "critical")
	out, _ = run(exitOK, "ask", "r")
	says(out, "base 20")
	run(exitOK, "override", "clear", "pay/*", "--by", "alice")
	run(exitOK, "ask", "pay/card")
	out, _ = run(exitOK, "override", "list")
	if strings.Contains(out, "pay") {
		t.Errorf("cleared, but listed: %q", out)
	}
	run(exitOK, "ban", "remove", "--route", "login/*", "--subject", "bob", "--by", "alice")
	run(exitOK, "ask", "login/form", "--subject", "bob", "--voltage", "400")
	// The node may still hear of the ban it has just taken back, and then of its end.
	waitFor(t, "the ban is gone", func() bool {
		_, e, code := cli(t, "", "ban", "remove", "--route", "login/*", "--subject", "bob", "--by", "alice", "-s", n.URL())
		errs = e
		return code == exitFail
	})
	says(errs, "there is none like that in force")

	for _, bad := range [][]string{
		{"ban"}, {"config", "dance"}, {"override", "set", "r"}, {"ban", "list", "x"},
	} {
		if _, errs, code := cli(t, "", bad...); code != exitUsage || errs == "" {
			t.Errorf("%v: %q, exit %d, want %d", bad, errs, code, exitUsage)
		}
	}
	run(exitUsage, "config", "rollback", "yesterday", "--by", "alice")
	_, errs = run(exitFail, "ban", "add", "--subject", "bob", "--by", "alice")
	says(errs, "reason is")
}

// A node that keeps nothing is operated the same way; what it is told ends with
// it.
func TestOperateWithoutStore(t *testing.T) {
	c := testConfig(t)
	c.State = "memory"
	n := startNode(t, c)
	file := filepath.Join(t.TempDir(), "settings.json")
	if err := os.WriteFile(file, []byte(`{"shadow": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := cli(t, "", "config", "set", file, "--by", "alice", "-s", n.URL()); code != exitOK {
		t.Fatal(errs)
	}
	if out, _, code := cli(t, "", "ask", "r", "--voltage", "1", "-s", n.URL()); code != exitOK || !strings.Contains(out, "shadow") {
		t.Errorf("%q, exit %d", out, code)
	}
	if out, _, _ := cli(t, "", "config", "history", "-s", n.URL()); !strings.Contains(out, "alice") {
		t.Errorf("%q", out)
	}
}

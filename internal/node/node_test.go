package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/physics/classic"
)

// cli runs a command and returns what it printed and its exit code.
func cli(t *testing.T, stdin string, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	code = Main(ctx, args, strings.NewReader(stdin), &o, &e)
	return o.String(), e.String(), code
}

func testConfig(t *testing.T) Config {
	c := DefaultConfig()
	c.Node, c.Listen, c.StoreDir = "n1", "127.0.0.1:-1", t.TempDir()
	c.Law = classic.Name // what these tests say of numbers is true of it
	return c
}

func startNode(t *testing.T, c Config) *Node {
	t.Helper()
	n, err := Start(context.Background(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			if err := n.Stop(); err != nil {
				t.Errorf("Stop: %v", err)
			}
		}
	})
	return n
}

func TestAskReportExplain(t *testing.T) {
	n := startNode(t, testConfig(t))
	out, errs, code := cli(t, "", "ask", "api/checkout", "--voltage", "50", "-s", n.URL())
	if code != exitOK || !strings.HasPrefix(out, "pass  V=50 R=12 (base 10 + pressure 2 + momentum 0 + scar 0)  bootstrap, allowed, node n1") {
		t.Fatalf("ask: %q %q %d", out, errs, code)
	}
	if _, errs, code := cli(t, "", "explain", "never/seen", "-s", n.URL()); code != exitFail || !strings.Contains(errs, `no node has seen route "never/seen"`) {
		t.Errorf("explain of an unknown route: %q %d", errs, code)
	}
	for range 60 {
		if _, errs, code := cli(t, "", "report", "api/checkout", "-s", n.URL(), "--latency", "900ms", "--error-rate", "0.5", "--saturation", "0.9"); code != exitOK {
			t.Fatalf("report: %q %d", errs, code)
		}
	}
	out, _, code = cli(t, "", "ask", "-s", n.URL(), "--json", "--tier", "critical", "api/checkout")
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitShed || v["allow"] != false || v["reason"] != "tripped" || v["voltage"] != 400.0 {
		t.Errorf("ask after 60 failures: %q %d", out, code)
	}
	out, _, code = cli(t, "", "explain", "api/checkout", "-s", n.URL())
	if code != exitOK || !strings.Contains(out, "is shed: the route is tripped") || !strings.Contains(out, "Node n1.") {
		t.Errorf("explain: %q %d", out, code)
	}
	for _, bad := range [][]string{
		{"ask"}, {"ask", "a", "b"}, {"ask", "r", "--nonsense"}, {"report", "r", "--outcome", "great"}, {"report", "r", "--count", "0"}, {"dance"},
	} {
		if _, errs, code := cli(t, "", bad...); code != exitUsage || errs == "" {
			t.Errorf("%v: %q, exit %d, want %d", bad, errs, code, exitUsage)
		}
	}
	for _, bad := range [][]string{
		{"ask", "a*"}, {"ask", "r", "--voltage", "-1"}, {"ask", "r", "--voltage", "NaN"}, {"report", "r", "--error-rate", "2"}, {"report", "r", "--latency", "25h"},
	} {
		if _, errs, code := cli(t, "", append(bad, "-s", n.URL())...); code != exitFail || !strings.Contains(errs, "allowed") {
			t.Errorf("%v: %q, exit %d, want %d and the allowed range", bad, errs, code, exitFail)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	free := freeAddr(t)
	if _, errs, code := cli(t, "", "ask", "r", "-s", "nats://"+free); code != exitFail || !strings.Contains(errs, `start a node with "atrion-node"`) {
		t.Errorf("no NATS: %q %d", errs, code)
	}
	server, err := bus.StartEmbedded(bus.EmbeddedConfig{Port: -1, Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown(context.Background())
	if _, errs, code := cli(t, "", "ask", "r", "-s", server.ClientURL()); code != exitFail || !strings.Contains(errs, "no atrion node listens") {
		t.Errorf("NATS without a node: %q %d", errs, code)
	}
}

// freeAddr is an address that nobody listens on, below the ports that outgoing
// connections get: one of those could take it while its owner is down.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000))
		if lis, err := net.Listen("tcp", addr); err == nil {
			lis.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// What keeps a node from starting is one line that says what and what to do.
func TestStartErrors(t *testing.T) {
	running := startNode(t, testConfig(t))
	taken := strings.TrimPrefix(running.URL(), "nats://")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cluster := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"port taken":       {[]string{"--listen", taken, "--store-dir", t.TempDir()}, []string{taken, "another"}},
		"store locked":     {[]string{"--listen", "127.0.0.1:-1", "--store-dir", running.cfg.StoreDir}, []string{running.cfg.StoreDir, "in use"}},
		"store is a file":  {[]string{"--listen", "127.0.0.1:-1", "--store-dir", file}, []string{file}},
		"NATS unreachable": {[]string{"--nats", "nats://" + freeAddr(t)}, []string{"cannot be reached", "embedded"}},
		"monitor taken":    {[]string{"--listen", "127.0.0.1:-1", "--store-dir", cluster, "--monitor", taken}, []string{"monitor", "another"}},
		"not loopback":     {[]string{"--listen", "0.0.0.0:4222"}, []string{"listen", "loopback"}},
		"several wrong at once": {[]string{"--law", "magic", "--voltage", "-3", "--drain", "1ms", "--vec", "sse9", "--classic-base-resistance", "0"},
			[]string{"law", "magic", `vec is "sse9" (allowed: auto, portable`, "voltage is -3", "drain is 1ms", "BaseResistance"}},
	} {
		out, errs, code := cli(t, "", append([]string{"serve"}, c.args...)...)
		if code != exitFail || out != "" {
			t.Errorf("%s: exit %d, printed %q", name, code, out)
		}
		lines := strings.Split(strings.TrimSpace(errs), "\n")
		last := lines[len(lines)-1]
		if !strings.HasPrefix(last, "atrion-node serve: ") {
			t.Errorf("%s: last line %q", name, last)
		}
		for _, w := range c.want {
			if !strings.Contains(last, w) {
				t.Errorf("%s: %q lacks %q", name, last, w)
			}
		}
	}
}

func TestConfigFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.conf", `
		# a node
		node: "edge-1"
		max_routes: 5000
		hold_ttl: "3s"
		log { level: debug, format: json }
		tiers { gold: 300, "silver": 150.5 }
		floors { bulk: 0.1, gold: 0.2 }
		quota { above: 150, rate: 2.5 }
		trust_headers: true
		classic { base_resistance: 12, slo { latency_ms: 80, error_rate: 0.02 }, tuner { window: 50 }, tuned: true }
	`)
	c, test, err := parseServe(stdio{nil, io.Discard, io.Discard}, []string{"-c", good, "--max-routes", "7"})
	if err != nil || test {
		t.Fatal(err)
	}
	if c.Tiers["gold"] != 300 || c.Tiers["silver"] != 150.5 || c.Floors["bulk"] != .1 || c.Floors["gold"] != .2 || len(c.Floors) != 2 ||
		c.Quota != (atrion.Quota{Above: 150, Rate: 2.5}) || !c.TrustBids {
		t.Errorf("tiers %v, floors %v, %+v", c.Tiers, c.Floors, c.Quota)
	}
	if c.Node != "edge-1" || c.MaxRoutes != 7 || c.HoldTTL != 3*time.Second || c.LogLevel != "debug" || c.Classic.BaseResistance != 12 ||
		c.Classic.SLO.LatencyMs != 80 || c.Classic.SLO.ErrorRate != 0.02 || c.Classic.Tuner.Window != 50 || c.Voltage != 100 {
		t.Errorf("%+v", c)
	}
	if out, errs, code := cli(t, "", "-t", "-c", good); code != exitOK || !strings.Contains(out, "valid") {
		t.Errorf("-t: %q %q %d", out, errs, code)
	}
	for setting, want := range map[string]string{
		"tiers { gold: much }": `bad tiers.conf:1: tiers.gold is "gold=much" (allowed: name=number`, "floors { gold: 0.1 }": "of no tier",
		"floors { low: 0.1 }\nlaw: classic": "none under the law classic", "quota { rate: 1 }": "Quota.Above is 0", "tiers: 5": `tiers is "5"`,
	} {
		if _, errs, code := cli(t, "", "-t", "-c", write("bad tiers.conf", setting)); code != exitFail || !strings.Contains(errs, want) {
			t.Errorf("%s: %q %d, want %q", setting, errs, code, want)
		}
	}
	if c, _, err := parseServe(stdio{nil, io.Discard, io.Discard}, []string{"-c", good, "--tiers", "gold=250, iron=1"}); err != nil || c.Tiers["gold"] != 250 || c.Tiers["iron"] != 1 || c.Tiers["silver"] != 150.5 {
		t.Errorf("tiers by flag: %v, %v", c.Tiers, err)
	}
	bad := write("bad.conf", "node: x\nlaw: classic\nlog {\n  level: loud\n  colour: red\n}\nhold_ttl: 3\nvoltage: many\n")
	_, errs, code := cli(t, "", "serve", "-t", "-c", bad)
	if code != exitFail {
		t.Errorf("exit %d", code)
	}
	for _, want := range []string{`bad.conf:5: unknown setting "log.colour"`, "bad.conf:7: hold_ttl", "in quotes", `bad.conf:8: voltage is "many" (allowed: a number)`} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q lacks %q", errs, want)
		}
	}
	if _, errs, code := cli(t, "", "-t", "-c", write("loud.conf", "log { level: loud }")); code != exitFail || !strings.Contains(errs, "debug, info, warn, error") {
		t.Errorf("a wrong level: %q %d", errs, code)
	}
	if _, errs, code := cli(t, "", "-t", "-c", filepath.Join(dir, "none.conf")); code != exitFail || !strings.Contains(errs, "none.conf") {
		t.Errorf("no file: %q %d", errs, code)
	}
}

// Every setting can be given as a flag and shows its default; but no secret,
// which everybody could read there.
func TestEverySettingIsAFlag(t *testing.T) {
	c := DefaultConfig()
	for _, s := range c.settings() {
		if s.secret || strings.Contains(s.name, "password") {
			if _, errs, code := cli(t, "", "serve", "-t", "-"+s.flag()+"=x"); !s.secret || code != exitUsage || !strings.Contains(errs, "not defined") {
				t.Errorf("-%s is a flag: %s", s.flag(), errs)
			}
			continue
		}
		if err := s.set(s.get()); err != nil {
			t.Errorf("%s does not take its own value %q: %v", s.name, s.get(), err)
		}
		if _, errs, code := cli(t, "", "serve", "-t", "-"+s.flag()+"="+s.get()); code == exitUsage {
			t.Errorf("-%s: %s", s.flag(), errs)
		}
	}
}

func TestReplay(t *testing.T) {
	golden := filepath.Join("..", "..", "physics", "classic", "testdata", "04-spike-tuner.jsonl")
	out, errs, code := cli(t, "", "replay", golden)
	if code != exitOK || errs != "" {
		t.Fatalf("%q %d", errs, code)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 400 || len(last) != 11 {
		t.Errorf("%d lines, the last with %d fields: want 400 of 11", len(lines), len(last))
	}
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if piped, _, code := cli(t, string(data), "replay", "--law", "classic", "-"); code != exitOK || piped != out {
		t.Error("standard input gives another result than the file")
	}
	for _, c := range []struct {
		args        []string
		stdin, want string
	}{
		{[]string{"replay", "-"}, "", "header"},
		{[]string{"replay", "--law", "magic", "-"}, string(data), "magic"},
		{[]string{"replay", "no-such-file"}, "", "no-such-file"},
	} {
		if _, errs, code := cli(t, c.stdin, c.args...); code != exitFail || !strings.Contains(errs, c.want) {
			t.Errorf("%v: %q %d, want an error with %q", c.args, errs, code, c.want)
		}
	}
}

func TestVersionAndHelp(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"-v"}, {"--version"}} {
		if out, _, code := cli(t, "", args...); code != exitOK || !strings.HasPrefix(out, "atrion-node ") || !strings.Contains(out, "vec ") {
			t.Errorf("%v: %q %d", args, out, code)
		}
	}
	for _, args := range [][]string{{"help"}, {"-h"}} {
		if out, _, code := cli(t, "", args...); code != exitOK || !strings.Contains(out, "replay") {
			t.Errorf("%v: %q %d", args, out, code)
		}
	}
	if _, errs, code := cli(t, "", "serve", "-h"); code != exitOK || !strings.Contains(errs, "classic-tuner-window") {
		t.Errorf("serve -h: %q %d", errs, code)
	}
}

func get(t *testing.T, url string) (int, map[string]any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, v
}

// A node that joined a NATS keeps running when it goes, says so, and comes
// back by itself.
func TestNATSGoesAndComesBack(t *testing.T) {
	store := t.TempDir()
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	var p int
	if _, err := fmt.Sscan(port, &p); err != nil {
		t.Fatal(err)
	}
	start := func() *bus.Embedded {
		s, err := bus.StartEmbedded(bus.EmbeddedConfig{Port: p, StoreDir: store})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	server := start()
	c := testConfig(t)
	c.NATS, c.Monitor = server.ClientURL(), "127.0.0.1:0"
	n := startNode(t, c)
	status := func() string {
		code, v := get(t, "http://"+n.monitor.addr()+"/healthz")
		if code != 200 {
			t.Fatalf("healthz: %d", code)
		}
		return v["status"].(string)
	}
	if s := status(); s != "ok" {
		t.Fatalf("status %q at start", s)
	}
	if code, _ := get(t, "http://"+n.monitor.addr()+"/readyz"); code != 200 {
		t.Errorf("readyz: %d", code)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "degraded", func() bool { return status() == "degraded" })
	// It decides from memory for whoever reaches it: here, the engine itself.
	if _, err := n.engine.Route("in/process"); err != nil {
		t.Errorf("a new route without NATS: %v", err)
	}
	server = start()
	defer server.Shutdown(context.Background())
	waitFor(t, "ok again", func() bool { return status() == "ok" })
	if out, errs, code := cli(t, "", "ask", "r", "-s", server.ClientURL()); code != exitOK {
		t.Errorf("ask after the return: %q %q %d", out, errs, code)
	}
	if _, v := get(t, "http://"+n.monitor.addr()+"/varz"); v["engine"] == nil || v["bus"] == nil {
		t.Errorf("varz: %v", v)
	}
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("not within 15 s: %s", what)
}

// decay is what the classic law leaves of a scar after d, at its default rate.
func decay(d time.Duration) float64 { return math.Exp(-0.1 * d.Seconds()) }

// Tiers, floors, quotas and trusted headers reach the engine and the bus.
func TestTiersOfANode(t *testing.T) {
	c := testConfig(t)
	c.Law = "ohmic"
	c.Tiers, c.Floors = map[string]float64{"gold": 300}, map[string]float64{"bulk": .1}
	c.Quota = atrion.Quota{Above: 250, Rate: .001, Burst: 1}
	n := startNode(t, c)
	ask := func(args ...string) string {
		t.Helper()
		out, errs, code := cli(t, "", append([]string{"ask", "r", "-s", n.URL()}, args...)...)
		if code != exitOK {
			t.Fatalf("%v: %q %q %d", args, out, errs, code)
		}
		return out
	}
	if out := ask("--tier", "gold", "--subject", "one"); !strings.HasPrefix(out, "pass  V=300 ") {
		t.Errorf("%q", out)
	}
	if out := ask("--tier", "gold", "--subject", "one"); !strings.HasPrefix(out, "pass  V=250 (capped) ") {
		t.Errorf("%q", out)
	}
	if out, errs, code := cli(t, "", "ask", "r", "-s", n.URL(), "--tier", "iron"); code != exitFail || !strings.Contains(errs, "critical, gold, high") {
		t.Errorf("an unknown tier: %q %q %d", out, errs, code)
	}
}

// Nodes with affinity divide the routes among them, on the server that one of them
// embeds.
func TestNodesWithAffinity(t *testing.T) {
	c := testConfig(t)
	c.Affinity = true
	n1 := startNode(t, c)
	c2 := testConfig(t)
	c2.Node, c2.Affinity, c2.NATS, c2.Bucket = "n2", true, n1.URL(), "OTHER"
	n2 := startNode(t, c2)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		a, b := n1.service.Stats(), n2.service.Stats()
		if a.Partitions > 0 && b.Partitions > 0 && a.Partitions+b.Partitions == 64 && a.Nodes == 2 && b.Nodes == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d and %d partitions", a.Partitions, b.Partitions)
		}
	}
	by := map[string]int{}
	for i := range 12 {
		route := fmt.Sprint("route", i)
		var first string
		for range 3 {
			out, errs, code := cli(t, "", "ask", route, "-s", n1.URL())
			who := out[max(strings.LastIndex(out, "node n"), 0):]
			if code != exitOK || first != "" && who != first {
				t.Fatalf("%s: %q %q %d, and %q before", route, out, errs, code, first)
			}
			first = who
		}
		by[first]++
	}
	if len(by) != 2 {
		t.Errorf("decided by %v", by)
	}
}

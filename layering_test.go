package atrion_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/atrion-io/atrion"

// rule forbids a package to link, directly or not, what stands in forbidden,
// and says why.
type rule struct {
	pkg       string
	forbidden []string
	why       string
}

const (
	natsgo     = "github.com/nats-io/nats.go"
	natsserver = "github.com/nats-io/nats-server/"
)

var rules = []rule{
	{".", []string{natsgo, natsserver, "net/http", module + "/bus", module + "/internal/wire", module + "/internal/node"},
		"a service that only wants in-process protection must link no network code"},
	{"./vec", []string{module + "/"}, "kernels know arrays of numbers and nothing of routes"},
	{"./tuner", []string{module + "/"}, "what is learned is statistics and knows nothing of laws"},
	{"./physics/...", []string{natsgo, natsserver, module + "/actors", module + "/providers", module + "/bus"},
		"laws are pure: they know samples and numbers, not who runs or stores them"},
	{"./providers", []string{natsgo, natsserver, module + "/actors", module + "/physics"}, "the contract must be implementable without our engine or NATS"},
	{"./providers/memory", []string{natsgo, natsserver}, "the in-process provider needs no network"},
	{"./providers/natskv", []string{natsserver, module + "/actors", module + "/bus"}, "a client of somebody's NATS must not link a server"},
	{"./actors", []string{natsgo, natsserver, module + "/bus", module + "/providers/memory", module + "/providers/natskv", module + "/physics/classic"},
		"actors drive any law over any provider; they know only the contracts"},
	{"./internal/control", []string{natsserver, module + "/bus", module + "/internal/wire"}, "what operators say is kept and put in force whatever way it came"},
	{"./internal/meter", []string{module + "/"}, "a meter counts hashes and knows nothing of requests"},
	{"./internal/member", []string{module + "/"}, "who lives and who owns what is arithmetic over names"},
	{"./internal/wire", []string{natsgo, natsserver, module + "/actors", module + "/bus"}, "messages are shared with clients, which link no engine"},
	{"./client", []string{natsserver, module + "/actors", module + "/physics/classic", module + "/bus"}, "a remote client links no engine"},
}

// TestLayering holds the import direction of docs/architecture.md. "go list
// -deps" sees what is really linked, tests aside.
func TestLayering(t *testing.T) {
	for _, r := range rules {
		for _, dep := range deps(t, r.pkg) {
			for _, bad := range r.forbidden {
				self := strings.HasPrefix(dep, module+strings.TrimSuffix(strings.TrimPrefix(r.pkg, "."), "/...")) && r.pkg != "."
				if !self && (dep == bad || strings.HasPrefix(dep, strings.TrimSuffix(bad, "/")+"/")) {
					t.Errorf("%s links %s: %s", r.pkg, dep, r.why)
				}
			}
		}
	}
}

// impure is what code must not say that gets time and chance as arguments.
var impure = regexp.MustCompile(`\btime\.(Now|Since|Until|After|AfterFunc|Sleep|Tick|NewTimer|NewTicker)\b|"math/rand|\bsync\.(Mutex|RWMutex|Cond|WaitGroup)\b|\bgo func\b|\bmake\(chan\b`)

// TestPurity: laws, what they learn and the kernels read no clock, draw no
// random number, take no lock and start no goroutine.
func TestPurity(t *testing.T) {
	files := 0
	for _, dir := range []string{"physics", "physics/classic", "tuner", "vec"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files++
			if found := impure.Find(src); found != nil {
				t.Errorf("%s says %q: time and chance are arguments here, and there is one writer", path, found)
			}
		}
	}
	if files < 20 {
		t.Errorf("only %d files looked at", files)
	}
}

// TestOnlyTheBusSpeaksNATS names every package that may import NATS itself.
func TestOnlyTheBusSpeaksNATS(t *testing.T) {
	allowed := map[string]string{
		natsgo:     "bus client providers/natskv internal/control internal/node examples/",
		natsserver: "bus internal/node",
	}
	for pkg, imports := range directImports(t) {
		pkg = strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
		for _, imp := range imports {
			for lib, who := range allowed {
				if strings.HasPrefix(imp+"/", strings.TrimSuffix(lib, "/")+"/") && !mayImport(pkg, who) {
					t.Errorf("%s imports %s; only %s may: everyone else goes through the bus", pkg, imp, who)
				}
			}
		}
	}
}

// TestNobodyImportsTheTop: commands, examples and scenarios are ends, not parts.
// The daemon plays the scenarios as one of its commands.
func TestNobodyImportsTheTop(t *testing.T) {
	for pkg, imports := range directImports(t) {
		for _, imp := range imports {
			for _, top := range []string{"/cmd/", "/scenarios", "/examples/"} {
				if top == "/scenarios" && pkg == module+"/internal/node" {
					continue
				}
				if strings.HasPrefix(imp, module+top) && !strings.HasPrefix(pkg, module+top) && !strings.HasPrefix(pkg, module+"/cmd/") {
					t.Errorf("%s imports %s", pkg, imp)
				}
			}
		}
	}
}

func mayImport(pkg, who string) bool {
	for _, w := range strings.Fields(who) {
		if pkg == w || strings.HasSuffix(w, "/") && strings.HasPrefix(pkg, w) {
			return true
		}
	}
	return false
}

func deps(t *testing.T, pkg string) []string {
	return goList(t, "-deps", pkg)
}

func directImports(t *testing.T) map[string][]string {
	all := map[string][]string{}
	for _, line := range goList(t, "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...") {
		f := strings.Fields(line)
		all[f[0]] = f[1:]
	}
	if len(all) < 8 {
		t.Fatalf("go list knows only %d packages; the rules were not tested", len(all))
	}
	return all
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

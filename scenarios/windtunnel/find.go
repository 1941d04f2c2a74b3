package windtunnel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// ErrNoPeers means that the peers' program is nowhere.
var ErrNoPeers = errors.New(Program + " is neither beside this program nor in PATH, and this is not Atrion's source tree " +
	"(build it: cd scenarios/peers && go install ./cmd/" + Program + ", or name it with --peers)")

// buildLimit is how long building the peers' program may take, downloads
// included.
const buildLimit = 10 * time.Minute

// FindPeers returns the peers' program: at path if that is not empty, beside
// this program, in PATH, or built from the source tree around the current
// directory, in this order. remove takes away what was built. note is called with
// what takes long.
func FindPeers(ctx context.Context, path string, note func(string)) (p *Peers, remove func(), err error) {
	if path != "" {
		file, err := filepath.Abs(path) // a name alone is a file here, not a command in PATH
		if err == nil {
			_, err = exec.LookPath(file)
		}
		if err != nil {
			return nil, nothing, fmt.Errorf("peers is %q (allowed: the path of %s): %w", path, Program, err)
		}
		return &Peers{Path: file}, nothing, nil
	}
	file := Program
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		if beside, err := exec.LookPath(filepath.Join(filepath.Dir(self), file)); err == nil {
			return &Peers{Path: beside}, nothing, nil
		}
	}
	if found, err := exec.LookPath(file); err == nil {
		return &Peers{Path: found}, nothing, nil
	}
	return buildPeers(ctx, file, note)
}

func nothing() {}

// buildPeers builds the program from the source tree around the current
// directory.
func buildPeers(ctx context.Context, file string, note func(string)) (p *Peers, remove func(), err error) {
	root, ok := sourceTree()
	if !ok {
		return nil, nothing, ErrNoPeers
	}
	compiler, err := exec.LookPath("go")
	if err != nil {
		return nil, nothing, ErrNoPeers
	}
	dir, err := os.MkdirTemp("", Program)
	if err != nil {
		return nil, nothing, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	note("building " + Program + " from scenarios/peers")
	ctx, stop := context.WithTimeout(ctx, buildLimit)
	defer stop()
	errs := &tail{most: maxErrors}
	cmd := exec.CommandContext(ctx, compiler, "build", "-o", filepath.Join(dir, file), "./cmd/"+Program)
	cmd.Dir, cmd.Stderr, cmd.WaitDelay = filepath.Join(root, "scenarios", "peers"), errs, grace
	if err := cmd.Run(); err != nil {
		remove()
		return nil, nothing, fmt.Errorf("cannot build %s: %w%s", Program, err, errs.last())
	}
	return &Peers{Path: filepath.Join(dir, file)}, remove, nil
}

// sourceTree returns the root of the source tree around the current directory.
func sourceTree() (root string, ok bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if module(filepath.Join(dir, "go.mod")) == "github.com/atrion-io/atrion" {
			_, err := os.Stat(filepath.Join(dir, "scenarios", "peers", "go.mod"))
			return dir, err == nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// module returns the path of the module whose go.mod is given; empty: none.
func module(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if path, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(path)
		}
	}
	return ""
}

// Check checks that the program has the arms of a plan.
func (p *Peers) Check(ctx context.Context, arms []Entry) error {
	has, err := p.names(ctx)
	if err != nil {
		return err
	}
	for _, a := range arms {
		if a.Peer && !has[a.Name] {
			return fmt.Errorf("%s has no controller %s; build both programs from one source", p.Path, a.Name)
		}
	}
	return nil
}

package windtunnel

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/atrion-io/atrion/scenarios"
)

// Peers is the program with the peers' libraries. It is another one so that
// nobody who uses Atrion downloads them.
type Peers struct {
	Path string

	// Patience is how long the program may be silent before it is ended. 0: two
	// minutes; the longest run takes seconds.
	Patience time.Duration
}

// Program is the name of the peers' program.
const Program = "atrion-windtunnel-peers"

const (
	patience  = 2 * time.Minute
	grace     = 3 * time.Second // from the signal to end until it is killed
	maxLine   = 64 << 10        // bytes of an outcome
	maxErrors = 4 << 10         // bytes of its standard error that are kept
)

// query is what the peers' program is asked to play.
type query struct {
	scenarios, arms []string
	seeds           Range
	parallel        int
}

var errSilent = errors.New("silent")

// play runs the program and calls take with every outcome. The program must
// give exactly what was asked for, in the order of scenarios, arms and seeds.
func (p *Peers) play(ctx context.Context, q query, take func(scenario, arm, seed int, o scenarios.Outcome)) error {
	n := 0
	perScenario := len(q.arms) * q.seeds.len()
	all := len(q.scenarios) * perScenario
	err := p.lines(ctx, []string{
		"--scenario", strings.Join(q.scenarios, ","),
		"--controller", strings.Join(q.arms, ","),
		"--seeds", q.seeds.String(),
		"--parallel", strconv.Itoa(max(1, q.parallel)),
	}, func(line []byte) error {
		if n == all {
			return fmt.Errorf("more than the %d outcomes it was asked for", all)
		}
		scenario, arm, seed := n/perScenario, n%perScenario/q.seeds.len(), n%q.seeds.len()
		o, err := parse(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
		if o.Scenario != q.scenarios[scenario] || o.Controller != q.arms[arm] || o.Seed != q.seeds.First+uint64(seed) {
			return fmt.Errorf("line %d: %s, %s, seed %d where %s, %s, seed %d is due", n+1,
				o.Scenario, o.Controller, o.Seed, q.scenarios[scenario], q.arms[arm], q.seeds.First+uint64(seed))
		}
		n++
		take(scenario, arm, seed, o)
		return nil
	})
	if err == nil && n < all {
		return fmt.Errorf("%s: ended after %d of %d outcomes", p.Path, n, all)
	}
	return err
}

// parse reads an outcome. A line must be what this program would have written:
// a field that is missing or new is another version of the results.
func parse(line []byte) (o scenarios.Outcome, err error) {
	if err := json.Unmarshal(line, &o); err != nil {
		return o, fmt.Errorf("no outcome: %.80q: %w", line, err)
	}
	if again, err := json.Marshal(o); err != nil || !bytes.Equal(again, line) {
		return o, fmt.Errorf("other fields than this version's: %.80q; build both programs from one source", line)
	}
	return o, nil
}

// lines runs the program and calls do with every line that it writes.
func (p *Peers) lines(ctx context.Context, args []string, do func(line []byte) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	longest := p.Patience
	if longest == 0 {
		longest = patience
	}
	alarm := time.AfterFunc(longest, func() { stop(errSilent) })
	defer alarm.Stop()

	errs := &tail{most: maxErrors}
	cmd := exec.CommandContext(ctx, p.Path, args...)
	cmd.Stderr = errs
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return cmd.Process.Kill() // not every system can interrupt
		}
		return nil
	}
	cmd.WaitDelay = grace
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the peers' program: %w", err)
	}
	// The pipe outlives the program if a child of it holds the other end, so the
	// reader is told to stop rather than waited for.
	unblock := context.AfterFunc(ctx, func() { time.AfterFunc(grace, func() { _ = out.Close() }) })
	defer unblock()

	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, maxLine)
	for err == nil && scanner.Scan() {
		alarm.Reset(longest)
		err = do(scanner.Bytes())
	}
	if err == nil {
		err = scanner.Err()
	}
	if err != nil {
		stop(err)
	}
	ended := cmd.Wait()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSilent):
		return fmt.Errorf("%s: wrote nothing for %v and was ended", p.Path, longest)
	case cause != nil && err == nil:
		return cause // somebody else ended it
	case err != nil:
		return fmt.Errorf("%s: %w", p.Path, err)
	case ended != nil:
		return fmt.Errorf("%s: %w%s", p.Path, ended, errs.last())
	}
	return nil
}

// names asks the program which arms it has.
func (p *Peers) names(ctx context.Context) (map[string]bool, error) {
	names := map[string]bool{}
	quick := *p
	if quick.Patience == 0 {
		quick.Patience = 20 * time.Second
	}
	err := quick.lines(ctx, []string{"--list"}, func(line []byte) error {
		names[string(line)] = true
		return nil
	})
	return names, err
}

// tail keeps the end of what is written to it.
type tail struct {
	most int
	b    []byte
}

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - t.most; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// last returns the last line, after a colon; empty: there is none.
func (t *tail) last() string {
	lines := bytes.Split(bytes.TrimSpace(t.b), []byte("\n"))
	if s := string(lines[len(lines)-1]); s != "" {
		return ": " + s
	}
	return ""
}

package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/atrion-io/atrion/scenarios/windtunnel"
)

// tunnelFlags is what the command line of "windtunnel" says.
type tunnelFlags struct {
	list                                  bool
	scenario, controller, seeds, voltages string
	format, report, results, peers        string
	parallel                              int
}

func windtunnelCommand(ctx context.Context, std stdio, args []string) error {
	var f tunnelFlags
	fs := flagSet(std, "windtunnel", `[flags]

Plays scenarios with controllers and seeds in simulated time. The exit code is
1 if `+windtunnel.UnderTest+`, the arm under test, does not pass a verdict; how the others fare does
not count.
`)
	fs.BoolVar(&f.list, "list", false, "print the names of the scenarios and controllers and exit")
	fs.StringVar(&f.scenario, "scenario", "", "`names` with commas, \"cases\", \"stories\" (default: all)")
	fs.StringVar(&f.controller, "controller", "", "`names` with commas, \"peers\" for other libraries, \"all\" (default: none,static,breaker,classic,ohmic,gradient2)")
	fs.StringVar(&f.seeds, "seeds", "1-3", "`ranges` as 1-10 or 1-10,101-110")
	fs.StringVar(&f.format, "format", "table", "table or json, an outcome a line")
	fs.StringVar(&f.report, "report", "", "write a report with plots to this HTML `file`")
	fs.StringVar(&f.results, "results", "", "write the score sheet to this Markdown `file`")
	fs.StringVar(&f.voltages, "voltages", "standard", "`scale` of bids: standard, decades, small or continuous")
	fs.StringVar(&f.peers, "peers", "", "`path` of "+windtunnel.Program+" (default: beside this program, in PATH, or built from the source tree)")
	fs.IntVar(&f.parallel, "parallel", runtime.GOMAXPROCS(0), "`runs` at a time")
	if _, err := parseFlags(fs, args, 0); err != nil {
		return err
	}
	if f.list {
		return listTunnel(std.out)
	}
	plan, named, err := f.plan()
	if err != nil {
		return usageError{err}
	}
	remove, err := f.enterPeers(ctx, std.err, plan, named)
	defer remove()
	if err != nil {
		return err
	}
	return f.play(ctx, std, plan)
}

func listTunnel(out io.Writer) error {
	var b strings.Builder
	b.WriteString("Scenarios:\n")
	for _, s := range windtunnel.Scenarios() {
		fmt.Fprintf(&b, "  %-14s %s\n", s.Name(), s.About())
	}
	for _, peers := range []bool{false, true} {
		b.WriteString("\nControllers")
		if peers {
			b.WriteString(" of other libraries, played by " + windtunnel.Program)
		}
		b.WriteString(":\n")
		for _, e := range windtunnel.Entries() {
			if e.Peer == peers {
				mark := ""
				if e.Privileged {
					mark = "*"
				}
				fmt.Fprintf(&b, "  %-24s %s\n", e.Name+mark, e.About)
			}
		}
	}
	b.WriteString("\n* knows or rules what a gateway cannot.\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// plan reads the flags; named tells whether a peer was asked for by name.
func (f *tunnelFlags) plan() (p *windtunnel.Plan, named bool, err error) {
	p = &windtunnel.Plan{Parallel: f.parallel, Trace: f.report != ""}
	if f.parallel < 1 || f.parallel > 1024 {
		return nil, false, fmt.Errorf("parallel is %d (allowed: 1 to 1024)", f.parallel)
	}
	if f.format != "table" && f.format != "json" {
		return nil, false, fmt.Errorf("format is %q (allowed: table or json)", f.format)
	}
	if p.Seeds, err = windtunnel.ParseSeeds(f.seeds); err != nil {
		return nil, false, err
	}
	if p.Voltages, err = windtunnel.ParseVoltages(f.voltages); err != nil {
		return nil, false, err
	}
	if p.Scenarios, err = windtunnel.ParseScenarios(f.scenario); err != nil {
		return nil, false, err
	}
	p.Arms, named, err = windtunnel.ParseArms(f.controller)
	if err == nil && named && f.voltages != "standard" {
		err = fmt.Errorf("voltages is %q (allowed with peers: standard)", f.voltages)
	}
	return p, named, err
}

// enterPeers finds the peers' program if the plan needs it. Without it the plan
// goes on without its arms, unless one was asked for by name.
func (f *tunnelFlags) enterPeers(ctx context.Context, errw io.Writer, p *windtunnel.Plan, named bool) (remove func(), err error) {
	remove = func() {}
	peer := func(e windtunnel.Entry) bool { return e.Peer }
	if !slices.ContainsFunc(p.Arms, peer) {
		return remove, nil
	}
	note := func(s string) { fmt.Fprintf(errw, "atrion-node windtunnel: %s\n", s) }
	if f.voltages != "standard" {
		err = errors.New("they only bid standard voltages")
	} else if p.Peers, remove, err = windtunnel.FindPeers(ctx, f.peers, note); err == nil {
		err = p.Peers.Check(ctx, p.Arms)
	}
	if err != nil && !named && f.peers == "" && ctx.Err() == nil {
		note("without the peers: " + err.Error())
		p.Arms = slices.DeleteFunc(p.Arms, peer)
		return remove, nil
	}
	return remove, err
}

func (f *tunnelFlags) play(ctx context.Context, std stdio, plan *windtunnel.Plan) error {
	// Files that cannot be written are noticed before the long part.
	report, err := newTunnelFile(f.report)
	if err != nil {
		return err
	}
	defer report.discard()
	results, err := newTunnelFile(f.results)
	if err != nil {
		return err
	}
	defer results.discard()

	bar := &windtunnel.Bar{W: std.err, Now: time.Now}
	if isTerminal(std.err) {
		plan.Progress = bar.Show
	}
	sheet, played := plan.Play(ctx)
	bar.Close()
	if sheet == nil {
		return played
	}
	write := sheet.WriteTable
	if f.format == "json" {
		write = sheet.WriteJSON
	}
	if err := write(std.out); err != nil {
		return err
	}
	build := tunnelBuild()
	if err := report.write(func(w io.Writer) error { return sheet.WriteHTML(w, build) }); err != nil {
		return err
	}
	if played != nil {
		return fmt.Errorf("%w; what is written is partial", played) // the results stay as they were
	}
	if err := results.write(func(w io.Writer) error { return sheet.WriteMarkdown(w, build) }); err != nil {
		return err
	}
	if failed, _ := sheet.Failed(windtunnel.UnderTest); len(failed) > 0 {
		return fmt.Errorf("%s fails the verdict of %s", windtunnel.UnderTest, strings.Join(failed, ", "))
	}
	return nil
}

// isTerminal tells whether somebody can watch.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a character device that nobody watches
	return err != nil || !os.SameFile(info, null)
}

// tunnelBuild returns what this program was built from.
func tunnelBuild() windtunnel.Build {
	var b windtunnel.Build
	b.Version, b.Revision = version()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			b.Modified = b.Modified || s.Key == "vcs.modified" && s.Value == "true"
		}
	}
	return b
}

// tunnelFile is a file that appears under its name when it is whole. Nil: none
// is wanted.
type tunnelFile struct {
	path string
	temp *os.File
}

func newTunnelFile(path string) (*tunnelFile, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	return &tunnelFile{path, temp}, nil
}

func (f *tunnelFile) write(do func(io.Writer) error) error {
	if f == nil {
		return nil
	}
	err := do(f.temp)
	if err == nil {
		err = f.temp.Chmod(0o644)
	}
	if err = errors.Join(err, f.temp.Close()); err == nil {
		err = os.Rename(f.temp.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", f.path, err)
	}
	return nil
}

// discard removes what is not whole.
func (f *tunnelFile) discard() {
	if f != nil {
		_ = f.temp.Close()
		_ = os.Remove(f.temp.Name())
	}
}

package node

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// Exit codes of atrion-node.
const (
	exitOK    = 0
	exitFail  = 1 // something did not work; one line on standard error says what
	exitUsage = 2 // the command line is wrong
	exitShed  = 3 // "ask": answered, and the answer was no
)

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// command is a subcommand.
type command struct {
	name, args, about string
	run               func(ctx context.Context, io stdio, args []string) error
}

func commands() []command {
	return []command{
		{"serve", "[flags]", "run a node (the default)", serveCommand},
		{"ask", "ROUTE [flags]", "ask a node whether a request may pass", askCommand},
		{"report", "ROUTE [flags]", "tell a node what was observed", reportCommand},
		{"explain", "ROUTE [flags]", "ask a node why a request would pass or not", explainCommand},
		{"config", "VERB [flags]", "get, set, diff, history, rollback: settings of running nodes", configCommand},
		{"ban", "VERB [flags]", "add, remove, list: keep callers from routes", banCommand},
		{"override", "VERB [flags]", "set, clear, list: force a route open, closed, disabled, shadow", overrideCommand},
		{"replay", "[flags] FILE.jsonl", "run recorded telemetry through a law (- is standard input)", replayCommand},
		{"windtunnel", "[flags]", "play overload scenarios with this and other controllers", windtunnelCommand},
		{"version", "", "print version and CPU level", versionCommand},
	}
}

// errShed ends "ask" with its own exit code and no message.
var errShed = errors.New("shed")

// usageError is a wrong command line.
type usageError struct{ error }

// Main runs atrion-node and returns its exit code.
func Main(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	io := stdio{in, out, errw}
	name, rest := "serve", args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, rest = args[0], args[1:]
	}
	if name == "help" || len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
		usage(out)
		return exitOK
	}
	if len(args) > 0 && (args[0] == "-v" || args[0] == "--version") {
		name, rest = "version", nil
	}
	for _, c := range commands() {
		if c.name == name {
			return exitCode(io, name, c.run(ctx, io, rest))
		}
	}
	fmt.Fprintf(errw, "atrion-node: unknown command %q\n", name)
	usage(errw)
	return exitUsage
}

func exitCode(io stdio, name string, err error) int {
	var wrong usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errShed):
		return exitShed
	case errors.As(err, &wrong):
		fmt.Fprintf(io.err, "atrion-node %s: %v\n", name, err)
		return exitUsage
	}
	fmt.Fprintf(io.err, "atrion-node %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; "))
	return exitFail
}

func usage(w io.Writer) {
	fmt.Fprint(w, "atrion-node decides which requests may pass.\n\nUsage:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  atrion-node %-10s %-20s %s\n", c.name, c.args, c.about)
	}
	fmt.Fprint(w, "\n\"atrion-node COMMAND -h\" lists the flags of a command.\nExit codes: 0 done, 1 failed, 2 wrong command line, 3 (ask) shed.\n")
}

// flagSet returns a flag set that reports errors as usage errors.
func flagSet(io stdio, name, args string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.err)
	fs.Usage = func() {
		fmt.Fprintf(io.err, "Usage: atrion-node %s %s\n", name, args)
		fs.PrintDefaults()
	}
	return fs
}

// parseFlags parses args, flags before and after the positional ones alike,
// and returns the positional ones, of which there must be exactly want.
func parseFlags(fs *flag.FlagSet, args []string, want int) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError{err}
		}
		if args = fs.Args(); len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	if len(rest) != want {
		return nil, usageError{fmt.Errorf("want %d argument(s), got %d", want, len(rest))}
	}
	return rest, nil
}

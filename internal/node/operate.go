package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/atrion-io/atrion/client"
	"github.com/atrion-io/atrion/internal/wire"
)

// verb is what comes behind the name of a command that operators give.
type verb struct {
	name, args, about string
	positional        int
	signed            bool // it changes something: --by and --reason
	flags             func(*flag.FlagSet, *operation)
	run               func(context.Context, *client.Client, stdio, *operation) error
}

// operation is one command line of an operator.
type operation struct {
	args     []string
	rule     wire.RuleRequest
	config   wire.ConfigRequest
	revision int64
	json     bool
}

// operatorCommand runs the verb that args begin with.
func operatorCommand(name string, verbs []verb) func(context.Context, stdio, []string) error {
	return func(ctx context.Context, io stdio, args []string) error {
		var v *verb
		for i := range verbs {
			if len(args) > 0 && verbs[i].name == args[0] {
				v = &verbs[i]
			}
		}
		if v == nil {
			var all strings.Builder
			for _, v := range verbs {
				fmt.Fprintf(&all, "\n  atrion-node %s %-30s %s", name, v.name+" "+v.args, v.about)
			}
			if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
				fmt.Fprintln(io.err, "Usage:"+all.String())
				return flag.ErrHelp
			}
			return usageError{errors.New("what? one of" + all.String())}
		}
		fs := flagSet(io, name+" "+v.name, v.args)
		var r remote
		var op operation
		r.flags(fs)
		by, reason := "", ""
		if v.signed {
			fs.StringVar(&by, "by", os.Getenv("USER"), "`who` asks for it")
			fs.StringVar(&reason, "reason", "", "why, in `words`")
		}
		fs.BoolVar(&op.json, "json", false, "print JSON")
		if v.flags != nil {
			v.flags(fs, &op)
		}
		var err error
		if op.args, err = parseFlags(fs, args[1:], v.positional); err != nil {
			return err
		}
		op.rule.By, op.rule.Reason = by, reason
		op.config.By, op.config.Reason = by, reason
		return r.dial(ctx, func(ctx context.Context, c *client.Client) error { return v.run(ctx, c, io, &op) })
	}
}

var configCommand = operatorCommand("config", []verb{
	{"get", "[flags]", "print the newest configuration", 0, false, withRevision("print the one of that `revision`"), configGet},
	{"set", "FILE [flags]", "make FILE the newest (- is standard input)", 1, true, withRevision("`revision` that it was edited from; default: as it says itself"), configSet},
	{"diff", "FILE [flags]", "say what FILE would change", 1, false, nil, configDiff},
	{"history", "[flags]", "list who changed it, when and why", 0, false, nil, configHistory},
	{"rollback", "REVISION [flags]", "make an old one the newest again", 1, true, nil, configRollback},
})

func withRevision(usage string) func(*flag.FlagSet, *operation) {
	return func(fs *flag.FlagSet, op *operation) { fs.Int64Var(&op.revision, "revision", -1, usage) }
}

// atRevision puts the flag into the request, if it was given.
func (op *operation) atRevision() {
	if op.revision >= 0 {
		revision := uint64(op.revision)
		op.config.Revision = &revision
	}
}

func configGet(ctx context.Context, c *client.Client, io stdio, op *operation) error {
	op.atRevision()
	var r wire.ConfigReply
	if err := c.Admin(ctx, "config.get", op.config, &r); err != nil {
		return err
	}
	if op.json {
		return printJSON(io, r)
	}
	// The revision stands in the document, so that it can be set again after an
	// edit if nobody else did meanwhile.
	if len(r.Document) == 0 {
		r.Document = json.RawMessage("{}")
	}
	document := fmt.Appendf(nil, `{"revision":%d`, r.Revision)
	if rest := bytes.TrimSpace(r.Document)[1:]; rest[0] != '}' {
		document = append(append(document, ','), rest...)
	} else {
		document = append(document, '}')
	}
	var b bytes.Buffer
	if err := json.Indent(&b, document, "", "  "); err != nil {
		return fmt.Errorf("revision %d is no document: %w", r.Revision, err)
	}
	fmt.Fprintln(io.out, b.String())
	if r.Refused != "" {
		fmt.Fprintf(io.err, "node %s refuses it, revision %d is in force there: %s\n", r.Node, r.InForce, r.Refused)
	}
	return nil
}

func readFile(files stdio, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(files.in)
	}
	return os.ReadFile(name)
}

// document reads the file of the command line. What is no JSON at all is said
// here: the node could not even be told.
func (op *operation) document(io stdio) error {
	data, err := readFile(io, op.args[0])
	if err != nil {
		return err
	}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(data, &json.RawMessage{}); errors.As(err, &syntax) {
		return fmt.Errorf("%s: line %d: %w", op.args[0], 1+bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n")), err)
	} else if err != nil {
		return fmt.Errorf("%s: %w", op.args[0], err)
	}
	op.config.Document = data
	return nil
}

func configSet(ctx context.Context, c *client.Client, io stdio, op *operation) error {
	if err := op.document(io); err != nil {
		return err
	}
	op.atRevision()
	return changeConfig(ctx, c, io, op, "config.set")
}

func configRollback(ctx context.Context, c *client.Client, io stdio, op *operation) error {
	revision, err := strconv.ParseUint(op.args[0], 10, 63)
	if err != nil {
		return usageError{fmt.Errorf("revision is %q (allowed: a number that \"config history\" shows)", op.args[0])}
	}
	op.config.Revision = &revision
	return changeConfig(ctx, c, io, op, "config.rollback")
}

func changeConfig(ctx context.Context, c *client.Client, io stdio, op *operation, what string) error {
	var r wire.ConfigReply
	if err := c.Admin(ctx, what, op.config, &r); err != nil {
		return err
	}
	if op.json {
		return printJSON(io, r)
	}
	fmt.Fprintf(io.out, "revision %d\n", r.Revision)
	return nil
}

func configDiff(ctx context.Context, c *client.Client, io stdio, op *operation) error {
	if err := op.document(io); err != nil {
		return err
	}
	var r wire.DiffReply
	if err := c.Admin(ctx, "config.diff", op.config, &r); err != nil {
		return err
	}
	if op.json {
		return printJSON(io, r)
	}
	for _, change := range r.Changes {
		if change.From != "" {
			fmt.Fprintf(io.out, "- %s: %s\n", change.Path, change.From)
		}
		if change.To != "" {
			fmt.Fprintf(io.out, "+ %s: %s\n", change.Path, change.To)
		}
	}
	return nil
}

func configHistory(ctx context.Context, c *client.Client, io stdio, op *operation) error {
	var r wire.HistoryReply
	if err := c.Admin(ctx, "config.history", op.config, &r); err != nil {
		return err
	}
	if op.json {
		return printJSON(io, r)
	}
	return table(io, func(w writer) {
		fmt.Fprintln(w, "REVISION\tWHEN\tBY\tFROM\tREASON")
		for _, d := range r.Documents {
			reason := d.Reason
			if d.Restores > 0 {
				reason = strings.TrimSpace(fmt.Sprintf("rollback to %d %s", d.Restores, reason))
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\n", d.Revision, time.UnixMilli(d.Time).Format(time.RFC3339), d.By, d.Parent, reason)
		}
	})
}

var banCommand = operatorCommand("ban", []verb{
	{"add", "[flags]", "keep a caller, or everybody, from routes", 0, true, func(fs *flag.FlagSet, op *operation) { banFlags(fs, op); ttlFlag(fs, op) }, ruleChange("ban.add")},
	{"remove", "[flags]", "end a ban", 0, true, banFlags, ruleChange("ban.remove")},
	{"list", "[flags]", "list the bans in force", 0, false, pageFlags, banList},
})

var overrideCommand = operatorCommand("override", []verb{
	{"set", "ROUTE MODE [flags]", "force a route open, closed, disabled or shadow", 2, true, ttlFlag, overrideSet},
	{"clear", "ROUTE [flags]", "end an override", 1, true, nil, overrideClear},
	{"list", "[flags]", "list the overrides in force", 0, false, pageFlags, overrideList},
})

func banFlags(fs *flag.FlagSet, op *operation) {
	fs.StringVar(&op.rule.Route, "route", "", "`route`, or what its name begins with and '*'; default: every route")
	fs.StringVar(&op.rule.Subject, "subject", "", "`who` is banned; default: everybody")
}

func ttlFlag(fs *flag.FlagSet, op *operation) {
	fs.StringVar(&op.rule.TTL, "ttl", "10m", "`time` after which it ends by itself")
}

func pageFlags(fs *flag.FlagSet, op *operation) {
	fs.IntVar(&op.rule.Offset, "offset", 0, "pass over so many")
	fs.IntVar(&op.rule.Limit, "limit", 0, "print at most so many (default 1000)")
}

func ruleChange(what string) func(context.Context, *client.Client, stdio, *operation) error {
	return func(ctx context.Context, c *client.Client, io stdio, op *operation) error {
		var r wire.RuleReply
		if err := c.Admin(ctx, what, op.rule, &r); err != nil {
			var refused *client.Error
			if errors.As(err, &refused) && refused.Code == 404 {
				return errors.New("there is none like that in force")
			}
			return err
		}
		if op.json {
			return printJSON(io, r)
		}
		return nil
	}
}

func overrideSet(ctx context.Context, c *client.Client, io stdio, op *operation) error {
	op.rule.Route, op.rule.Mode = op.args[0], op.args[1]
	return ruleChange("override.set")(ctx, c, io, op)
}

func overrideClear(ctx context.Context, c *client.Client, io stdio, op *operation) error {
	op.rule.Route = op.args[0]
	return ruleChange("override.clear")(ctx, c, io, op)
}

func banList(ctx context.Context, c *client.Client, io stdio, op *operation) error {
	var r wire.RuleReply
	if err := c.Admin(ctx, "ban.list", op.rule, &r); err != nil {
		return err
	}
	if op.json {
		return printJSON(io, r)
	}
	return table(io, func(w writer) {
		fmt.Fprintln(w, "ROUTE\tSUBJECT\tENDS IN\tBY\tREASON")
		for _, b := range r.Bans {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", orAll(b.Route), orAll(b.Subject), left(b.ExpiresInMs), b.By, b.Reason)
		}
	})
}

func overrideList(ctx context.Context, c *client.Client, io stdio, op *operation) error {
	var r wire.RuleReply
	if err := c.Admin(ctx, "override.list", op.rule, &r); err != nil {
		return err
	}
	if op.json {
		return printJSON(io, r)
	}
	return table(io, func(w writer) {
		fmt.Fprintln(w, "ROUTE\tMODE\tENDS IN\tBY\tREASON")
		for _, o := range r.Overrides {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.Route, o.Mode, left(o.ExpiresInMs), o.By, o.Reason)
		}
	})
}

// writer is io.Writer, where io is a command's standard files.
type writer = io.Writer

func table(io stdio, rows func(writer)) error {
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	rows(w)
	return w.Flush()
}

func printJSON(io stdio, v any) error { return json.NewEncoder(io.out).Encode(v) }

func orAll(s string) string {
	if s == "" {
		return "(all)"
	}
	return s
}

func left(ms uint64) time.Duration { return (time.Duration(ms) * time.Millisecond).Round(time.Second) }

package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion/client"
	"github.com/atrion-io/atrion/internal/wire"
	"github.com/atrion-io/atrion/physics"
)

// remote is how a command reaches a node.
type remote struct {
	server  string
	access  access
	timeout time.Duration
}

func (r *remote) flags(fs *flag.FlagSet) {
	fs.StringVar(&r.server, "s", "", "NATS `URL` (also $NATS_URL; default "+nats.DefaultURL+")")
	fs.StringVar(&r.server, "server", "", "the same")
	r.access.flags(fs)
	fs.DurationVar(&r.timeout, "timeout", 2*time.Second, "how long to wait")
}

// dial connects and calls do with a client, within the timeout.
func (r *remote) dial(ctx context.Context, do func(context.Context, *client.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := checkURLs(r.server); err != nil {
		return usageError{fmt.Errorf("flag -s %w", err)}
	}
	server := cmp.Or(r.server, os.Getenv("NATS_URL"), nats.DefaultURL)
	r.access.fromEnvironment()
	opts, err := r.access.options()
	if err != nil {
		return err
	}
	opts = append(opts, nats.Name("atrion-node"), nats.Timeout(r.timeout), nats.NoReconnect())
	// A server that refuses a message does not answer it: there is no use in
	// waiting on.
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	opts = append(opts, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refuse(err) }))
	nc, err := nats.Connect(server, opts...)
	server = redacted(server)
	if errors.Is(err, nats.ErrAuthorization) {
		return fmt.Errorf("NATS at %s does not know this user (%w): set $NATS_USER and $NATS_PASSWORD, or name a --nkey-file or --creds", server, err)
	}
	if err != nil {
		return fmt.Errorf("no NATS at %s (%w): start a node with \"atrion-node\", or name another server with -s", server, err)
	}
	defer nc.Close()
	err = do(ctx, client.New(nc))
	if errors.Is(err, client.ErrNoNode) {
		return fmt.Errorf("NATS at %s runs, but no atrion node listens on it: start one with \"atrion-node --nats %s\"", server, server)
	}
	if err == nil {
		err = nc.FlushWithContext(ctx)
	}
	if last := nc.LastError(); errors.Is(last, nats.ErrPermissionViolation) {
		return fmt.Errorf("NATS at %s does not let this user do that (%w): docs/operations.md has what each role may do, and where it must want its answers", server, last)
	}
	return err
}

func askCommand(ctx context.Context, io stdio, args []string) error {
	fs := flagSet(io, "ask", "ROUTE [flags]")
	var r remote
	var q client.Request
	r.flags(fs)
	fs.Float64Var(&q.Voltage, "voltage", 0, "`volts` bid (default: the node's)")
	fs.StringVar(&q.Tier, "tier", "", "`tier` instead of a voltage: critical, high, normal, low, bulk, or one of the node's own")
	fs.IntVar(&q.Retry, "retry", 0, "this is the n-th `try` after the first, which bids less (0..100)")
	fs.StringVar(&q.Subject, "subject", "", "`who` asks: what bans and quotas go by")
	fs.BoolVar(&q.Hold, "hold", false, "take a seat; \"report --permit\" returns it")
	asJSON := fs.Bool("json", false, "print JSON")
	rest, err := parseFlags(fs, args, 1)
	if err != nil {
		return err
	}
	return r.dial(ctx, func(ctx context.Context, c *client.Client) error {
		d, err := c.Decide(ctx, rest[0], q)
		if err != nil {
			return err
		}
		if *asJSON {
			body, err := wire.AppendReply(nil, &d, wire.JSON)
			if err != nil {
				return err
			}
			fmt.Fprintf(io.out, "%s\n", body)
		} else {
			printDecision(io, d)
		}
		if !d.Allow {
			return errShed
		}
		return nil
	})
}

func printDecision(io stdio, d client.Decision) {
	verb := "shed"
	if d.Allow {
		verb = "pass"
	}
	capped := ""
	if d.Capped {
		capped = " (capped)"
	}
	fmt.Fprintf(io.out, "%s  V=%.4g%s R=%.4g (base %.4g + pressure %.4g + momentum %.4g + scar %.4g)  %s, %s, node %s\n",
		verb, d.Voltage, capped, d.Resistance, d.Terms.Base, d.Terms.Pressure, d.Terms.Momentum, d.Terms.Scar, d.Mode, d.Reason, d.Node)
	if b := d.Ban; b.By != "" {
		fmt.Fprintf(io.out, "ban of %s on %s by %s (%s)\n", orAll(b.Subject), orAll(b.Route), b.By, b.Reason)
	}
	if o := d.Override; o.By != "" {
		fmt.Fprintf(io.out, "override of %s: %s by %s (%s); the law says %s\n", o.Route, o.Mode, o.By, o.Reason, cmp.Or(d.Verdict, d.Reason))
	}
	if d.RetryAfterMs > 0 {
		fmt.Fprintf(io.out, "retry after %v\n", time.Duration(d.RetryAfterMs)*time.Millisecond)
	}
	if d.Permit != "" {
		fmt.Fprintf(io.out, "permit %s\n", d.Permit)
	}
}

func reportCommand(ctx context.Context, io stdio, args []string) error {
	fs := flagSet(io, "report", "ROUTE [flags]")
	var r remote
	var s client.Sample
	r.flags(fs)
	fs.DurationVar(&s.Latency, "latency", 0, "of the call, as 45ms")
	fs.Float64Var(&s.ErrorRate, "error-rate", 0, "share of failed calls, 0 to 1")
	fs.Float64Var(&s.Saturation, "saturation", 0, "share of the callee's capacity in use, 0 to 1")
	outcome := fs.String("outcome", "ok", "ok, error, timeout, dropped or ignored")
	fs.StringVar(&s.Permit, "permit", "", "end this permit")
	count := fs.Int("count", 1, "report it so many times")
	rest, err := parseFlags(fs, args, 1)
	if err != nil {
		return err
	}
	var ok bool
	if s.Outcome, ok = physics.ParseOutcome(*outcome); !ok {
		return usageError{fmt.Errorf("outcome is %q (allowed: ok, error, timeout, dropped or ignored)", *outcome)}
	}
	if *count < 1 || *count > 1_000_000 {
		return usageError{fmt.Errorf("count is %d (allowed: 1 to 1000000)", *count)}
	}
	return r.dial(ctx, func(_ context.Context, c *client.Client) error {
		for range *count {
			if err := c.Report(rest[0], s); err != nil {
				return err
			}
		}
		return nil
	})
}

func explainCommand(ctx context.Context, io stdio, args []string) error {
	fs := flagSet(io, "explain", "ROUTE [flags]")
	var r remote
	r.flags(fs)
	voltage := fs.Float64("voltage", 0, "`volts` bid (default: the node's)")
	asJSON := fs.Bool("json", false, "print JSON")
	rest, err := parseFlags(fs, args, 1)
	if err != nil {
		return err
	}
	return r.dial(ctx, func(ctx context.Context, c *client.Client) error {
		x, err := c.Explain(ctx, rest[0], *voltage)
		var refused *client.Error
		if errors.As(err, &refused) && refused.Code == 404 {
			return fmt.Errorf("no node has seen route %q yet: nothing was asked or reported about it", rest[0])
		}
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(io.out).Encode(x)
		}
		fmt.Fprintf(io.out, "%sNode %s.\n", x.Text, x.Node)
		return nil
	})
}

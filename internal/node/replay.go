package node

import (
	"bufio"
	"context"
	"os"

	"github.com/atrion-io/atrion/internal/replay"
	"github.com/atrion-io/atrion/physics/classic"
)

func replayCommand(ctx context.Context, io stdio, args []string) error {
	fs := flagSet(io, "replay", "[flags] FILE.jsonl")
	law := fs.String("law", classic.Name, "control `law`")
	rest, err := parseFlags(fs, args, 1)
	if err != nil {
		return err
	}
	in := io.in
	if rest[0] != "-" {
		f, err := os.Open(rest[0])
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	out := bufio.NewWriter(io.out)
	if err := replay.Run(ctx, *law, in, out); err != nil {
		_ = out.Flush() // what was computed before the bad line is good
		return err
	}
	return out.Flush()
}

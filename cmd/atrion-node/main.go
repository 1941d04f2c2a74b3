// Command atrion-node decides which requests may pass: one binary with an
// embedded NATS server, or a member of an existing NATS system. Run it without
// arguments, or see "atrion-node help".
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/atrion-io/atrion/internal/node"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := node.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

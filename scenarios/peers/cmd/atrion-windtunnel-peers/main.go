// Command atrion-windtunnel-peers runs other libraries' controllers, their real
// code in virtual time, through the cases of the wind tunnel, and writes one
// JSON object a line. atrion-node windtunnel calls it to put the peers beside
// Atrion's own laws.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
	"github.com/atrion-io/atrion/scenarios/peers/tunnel"
)

func main() {
	var cases []string
	for _, c := range scenarios.Cases() {
		cases = append(cases, c.Name)
	}
	a, err := parse(os.Args[1:], cases, os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "atrion-windtunnel-peers: %v\n", err)
		os.Exit(2)
	case a.list:
		for _, name := range tunnel.Names() {
			fmt.Println(name)
		}
		return
	}
	out := &lines{w: os.Stdout}
	go out.endOnSignal()
	withT(func(t *testing.T) int {
		if err := run(t, a, out); err != nil {
			fmt.Fprintf(os.Stderr, "atrion-windtunnel-peers: %v\n", err)
			return 1
		}
		return 0
	})
}

// run plays what was asked for, the seeds innermost.
func run(t *testing.T, a args, out io.Writer) error {
	seeds := int(a.last - a.first + 1)
	perScenario := len(a.controllers) * seeds
	type outcome struct {
		line []byte
		err  error
	}
	return inOrder(len(a.scenarios)*perScenario, a.parallel, func(i int) outcome {
		c, _ := scenarios.Lookup(a.scenarios[i/perScenario])
		name := a.controllers[i%perScenario/seeds]
		result, err := tunnel.Run(t, &c.Scenario, name, a.first+uint64(i%seeds), sim.Options{})
		if err != nil {
			return outcome{err: err}
		}
		line, err := json.Marshal(result)
		return outcome{append(line, '\n'), err}
	}, func(o outcome) error {
		if o.err != nil {
			return o.err
		}
		_, err := out.Write(o.line)
		return err
	})
}

// lines writes whole lines, and none after the end.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// endOnSignal ends the process between two lines. It must ask for the signals
// itself: a library among the peers catches them and would take its time.
func (l *lines) endOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	l.mu.Lock()
	os.Exit(130)
}

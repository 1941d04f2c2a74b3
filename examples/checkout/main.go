// Command checkout shows what Atrion does for a service, on real parts: an HTTP
// service of finite capacity, a load generator that does not care how it is
// doing, a slow-down and an outage; guarded once by the library and once
// by a node over NATS.
//
//	go run ./examples/checkout
//
// It prints one line a second and takes about 45 seconds.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	scale := flag.Float64("scale", 1, "stretch of the phases: 0.2 runs five times as fast")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if _, err := run(ctx, os.Stdout, *scale); err != nil {
		fmt.Fprintln(os.Stderr, "checkout:", err)
		os.Exit(1)
	}
}

// phase is a stretch of time in which the service has one condition.
type phase struct {
	name     string
	duration time.Duration
	fault    fault
}

var story = []phase{
	{"healthy", 4 * time.Second, fault{}},
	{"slow", 4 * time.Second, fault{slower: 12}},
	{"healthy", 5 * time.Second, fault{}},
	{"down", 8 * time.Second, fault{errors: 1}},
	{"healthy", 6 * time.Second, fault{}},
}

// run plays the story under every guard and returns what happened, by guard.
func run(ctx context.Context, w io.Writer, scale float64) (map[string][]tally, error) {
	results := map[string][]tally{}
	for _, g := range []struct {
		name string
		make func() (guard, error)
	}{
		{"through the library", newLibraryGuard},
		{"over NATS", newBusGuard},
	} {
		guard, err := g.make()
		if err != nil {
			return nil, err
		}
		results[g.name], err = play(ctx, w, g.name, guard, scale)
		guard.close()
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// play runs the story once. It returns one tally per phase.
func play(ctx context.Context, w io.Writer, name string, g guard, scale float64) ([]tally, error) {
	svc, err := startService()
	if err != nil {
		return nil, err
	}
	defer svc.stop()
	fmt.Fprintf(w, "\nGuarded %s. %d workers of %v serve %d requests/s; %d requests/s are offered.\n",
		name, workers, serviceTime, int(workers/serviceTime.Seconds()), offered)
	fmt.Fprintf(w, "%-9s %8s %9s %6s %7s %9s %9s  %s\n", "phase", "offered", "admitted", "shed", "errors", "p50", "R (ohm)", "mode")
	load := newLoad(svc.url, g)
	defer load.stop()
	var tallies []tally
	for _, p := range story {
		svc.set(p.fault)
		var sum tally
		end := time.Now().Add(time.Duration(float64(p.duration) * scale))
		for time.Now().Before(end) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(min(time.Second, time.Until(end))):
			}
			t := load.take()
			t.resistance, t.mode = g.state()
			sum.add(t)
			fmt.Fprintf(w, "%-9s %8d %9d %6d %7d %9v %9.1f  %s\n", p.name, t.offered, t.admitted, t.shed, t.errors,
				t.median().Round(100*time.Microsecond), t.resistance, t.mode)
		}
		tallies = append(tallies, sum)
	}
	return tallies, nil
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/atrion-io/atrion/scenarios/peers/tunnel"
)

// args is what the command line asks for.
type args struct {
	list        bool
	controllers []string
	scenarios   []string
	first, last uint64 // seeds
	parallel    int
}

const usage = `Runs the peers' libraries in the wind tunnel; a JSON object a line on the
standard output, by scenario, controller and seed.

`

// parse reads the command line; cases are the known scenarios. flag.ErrHelp
// means that the usage was asked for and written.
func parse(line []string, cases []string, out io.Writer) (args, error) {
	a := args{}
	f := flag.NewFlagSet("atrion-windtunnel-peers", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&a.list, "list", false, "print the names of the controllers and exit")
	controllers := f.String("controller", "", "`names` of controllers, with commas; empty: all")
	scenarios := f.String("scenario", "", "`names` of scenarios, with commas; empty: all")
	seeds := f.String("seeds", "1-10", "`range` of seeds, as 1-10 or 3")
	f.IntVar(&a.parallel, "parallel", runtime.GOMAXPROCS(0), "`runs` at a time")
	if err := f.Parse(line); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, usage)
			f.SetOutput(out)
			f.PrintDefaults()
		}
		return a, err
	}
	if f.NArg() > 0 {
		return a, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if a.parallel < 1 {
		return a, fmt.Errorf("-parallel %d: must be at least 1", a.parallel)
	}
	var err error
	if a.first, a.last, err = seedRange(*seeds); err != nil {
		return a, err
	}
	if a.controllers, err = choose("controller", *controllers, tunnel.Names()); err != nil {
		return a, err
	}
	a.scenarios, err = choose("scenario", *scenarios, cases)
	return a, err
}

// choose splits a list of names, all of which must be known.
func choose(what, list string, known []string) ([]string, error) {
	if list == "" {
		return known, nil
	}
	names := strings.Split(list, ",")
	for i, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown %s %q; known: %s", what, name, strings.Join(known, " "))
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("%s %q twice", what, name)
		}
	}
	return names, nil
}

// seedRange reads 3 or 1-10.
func seedRange(s string) (first, last uint64, err error) {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	first, err = strconv.ParseUint(from, 10, 32)
	if err == nil {
		last, err = strconv.ParseUint(to, 10, 32)
	}
	if err != nil || last < first {
		return 0, 0, fmt.Errorf("-seeds %q: must be a seed, or two with a minus between them, the greater last", s)
	}
	return first, last, nil
}

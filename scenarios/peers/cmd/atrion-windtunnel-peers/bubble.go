package main

import (
	"os"
	"testing"
)

// withT calls run with a *testing.T, of which testing/synctest makes its
// bubbles, and ends the process with its code. Nothing of package testing is
// seen from outside: it reads its own flags from the command line, so it gets
// none, and it would print a verdict, so the process ends before it can.
func withT(run func(t *testing.T) int) {
	os.Args = os.Args[:1]
	match := func(string, string) (bool, error) { return true, nil }
	testing.Main(match, []testing.InternalTest{{
		Name: "atrion-windtunnel-peers",
		F:    func(t *testing.T) { os.Exit(run(t)) },
	}}, nil, nil)
}

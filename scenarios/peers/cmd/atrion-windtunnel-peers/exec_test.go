package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/atrion-io/atrion/scenarios/peers/tunnel"
)

const asProgram = "ATRION_TEST_AS_PROGRAM"

// TestMain lets the test binary be the program, so that the tests need not
// build it.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

func TestProgram(t *testing.T) {
	for _, test := range []struct {
		args   []string
		code   int
		out    string
		errors string
	}{
		{[]string{"--list"}, 0, strings.Join(tunnel.Names(), "\n") + "\n", ""},
		{[]string{"--controller", "hystrix"}, 2, "", `unknown controller "hystrix"`},
		{[]string{"--scenario", "nowhere"}, 2, "", `unknown scenario "nowhere"`},
	} {
		cmd := program(t, test.args...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != test.code {
			t.Errorf("%q: code %d, want %d", test.args, code, test.code)
		}
		if out.String() != test.out || !strings.Contains(errs.String(), test.errors) {
			t.Errorf("%q: %q, %q", test.args, out.String(), errs.String())
		}
	}
}

// A bubble outside of go test: nothing but the lines is written.
func TestProgramRuns(t *testing.T) {
	cmd := program(t, "--controller", "go-resiliency,gozero-shedder", "--scenario", "low1rps", "--seeds", "1-2")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%v, %s", err, errs.String())
	}
	lines := bytes.Split(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
	if len(lines) != 4 {
		t.Fatalf("%d lines: %s", len(lines), out)
	}
	for _, line := range lines {
		if !bytes.HasPrefix(line, []byte("{")) || !bytes.HasSuffix(line, []byte("}")) {
			t.Errorf("not an object: %s", line)
		}
	}
}

// An interrupt stops the program at once, after a whole line.
func TestInterrupt(t *testing.T) {
	cmd := program(t, "--controller", "gobreaker", "--scenario", "coldsmall4x", "--seeds", "1-100000")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(pipe)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if line != "" {
				t.Errorf("ends with %q", line)
			}
			break
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("ended with %v, want code 130", err)
	}
}

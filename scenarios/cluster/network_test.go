//go:build linux

package cluster

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// inNamespace is set, to the binary, in a test process that has a network of its
// own, where it may make links as it likes.
const inNamespace = "ATRION_CLUSTER_NETNS"

// namespace is the network of one node: a link to the clients and one to the
// other members.
type namespace struct {
	index int
	goOn  io.WriteCloser // tells the process that its links are there
}

// networkAllowed reports whether this machine lets us make namespaces.
func networkAllowed() error {
	cmd := exec.Command("sh", "-c", "ip link set lo up && ip link add br0 type bridge && ip link add v0 type veth peer name v1 && command -v nsenter")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// rerun runs this test again in a process with a network of its own, and takes
// its rows into the table.
func rerun(t *testing.T, bin string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), inNamespace+"="+bin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if r, ok := strings.CutPrefix(strings.TrimSpace(line), rowMark); ok {
			table.add(r)
		}
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func ip(format string, args ...any) error {
	cmd := fmt.Sprintf(format, args...)
	if out, err := exec.Command("sh", "-c", cmd).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}

// separate gives every node a network of its own, on two bridges: the clients'
// and the members'.
func (f *fleet) separate() {
	f.t.Helper()
	err := ip(`ip link set lo up
		ip link add clients type bridge && ip addr add 10.98.1.254/24 dev clients && ip link set clients up
		ip link add members type bridge && ip link set members up`)
	if err != nil {
		f.t.Fatal(err)
	}
	for i, n := range f.nodes {
		n.netns = &namespace{index: i + 1}
		n.url = fmt.Sprintf("nats://10.98.1.%d:4222", i+1)
		n.cluster = fmt.Sprintf("10.98.2.%d:6222", i+1)
	}
}

// command runs the binary in a network of its own as soon as enter has made the
// links.
func (ns *namespace) command(bin string, args []string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", `read go && exec "$@"`, "sh", bin}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	ns.goOn, _ = cmd.StdinPipe()
	return cmd
}

// enter makes the links of the process and lets it go on.
func (ns *namespace) enter(pid int) error {
	i := ns.index
	err := ip(`ip link del c%[1]d 2>/dev/null; ip link del m%[1]d 2>/dev/null
		ip link add c%[1]d type veth peer name clients netns %[2]d && ip link set c%[1]d master clients up &&
		ip link add m%[1]d type veth peer name members netns %[2]d && ip link set m%[1]d master members up &&
		nsenter -t %[2]d -n sh -c 'ip link set lo up && ip addr add 10.98.1.%[1]d/24 dev clients && ip link set clients up && ip addr add 10.98.2.%[1]d/24 dev members && ip link set members up'`, i, pid)
	if err == nil {
		_, err = io.WriteString(ns.goOn, "go\n")
	}
	return err
}

// cut takes the node's link to the other members down, or up again. What was
// sent into it is lost; nobody is told.
func (ns *namespace) cut(down bool) error {
	state := "up"
	if down {
		state = "down"
	}
	return ip("ip link set m%d %s", ns.index, state)
}

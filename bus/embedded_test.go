package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func startTest(t *testing.T, c EmbeddedConfig) *Embedded {
	t.Helper()
	e, err := StartEmbedded(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func bucket(t *testing.T, nc *nats.Conn) jetstream.KeyValue {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateOrUpdateKeyValue(within(t), jetstream.KeyValueConfig{Bucket: "B"})
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func TestEmbeddedServes(t *testing.T) {
	e := startTest(t, EmbeddedConfig{Port: -1, StoreDir: t.TempDir(), ServerName: "me"})
	if !strings.HasPrefix(e.ClientURL(), "nats://127.0.0.1:") {
		t.Errorf("ClientURL = %q", e.ClientURL())
	}
	outside, err := nats.Connect(e.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	if outside.ConnectedServerName() != "me" {
		t.Errorf("server name = %q", outside.ConnectedServerName())
	}
	if _, err := e.Conn().Subscribe("echo", func(m *nats.Msg) { m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	e.Conn().Flush()
	if m, err := outside.Request("echo", []byte("x"), 5*time.Second); err != nil || string(m.Data) != "x" {
		t.Errorf("request: %v, %v", m, err)
	}
	if _, err := bucket(t, e.Conn()).Put(within(t), "k", []byte("v")); err != nil {
		t.Error(err)
	}
}

func TestEmbeddedDoesNotListen(t *testing.T) {
	e := startTest(t, EmbeddedConfig{DontListen: true, Memory: true})
	if e.ClientURL() != "" {
		t.Errorf("ClientURL = %q", e.ClientURL())
	}
	bucket(t, e.Conn())
	if a := e.server.Addr(); a != nil {
		t.Errorf("listens on %v", a)
	}
}

func TestEmbeddedKeepsData(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		e := startTest(t, EmbeddedConfig{DontListen: true, StoreDir: dir})
		kv := bucket(t, e.Conn())
		if i > 0 {
			entry, err := kv.Get(within(t), "k")
			if err != nil || string(entry.Value()) != fmt.Sprint(i-1) {
				t.Fatalf("start %d: Get = %v, %v", i, entry, err)
			}
		}
		if _, err := kv.Put(within(t), "k", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		if err := e.Shutdown(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEmbeddedMemoryLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	e := startTest(t, EmbeddedConfig{DontListen: true, Memory: true})
	bucket(t, e.Conn())
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 1 {
		t.Errorf("%d temporary directories while running; want 1", len(left))
	}
	if err := e.Shutdown(within(t)); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// wantError starts a server that must not start, and checks what it says.
func wantError(t *testing.T, c EmbeddedConfig, says ...string) {
	t.Helper()
	e, err := StartEmbedded(c)
	if err == nil {
		e.Close()
		t.Fatalf("started; want an error that says %q", says)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than one line", err)
	}
}

func TestEmbeddedRefusesConfig(t *testing.T) {
	for _, c := range []struct {
		config EmbeddedConfig
		says   string
	}{
		{EmbeddedConfig{}, `StoreDir is ""; allowed: a directory`},
		{EmbeddedConfig{Memory: true, StoreDir: "x"}, `StoreDir is "x"`},
		{EmbeddedConfig{Memory: true, Port: 65536}, "Port is 65536; allowed: 1..65535"},
		{EmbeddedConfig{Memory: true, Port: -2}, "Port is -2"},
		{EmbeddedConfig{Memory: true, MaxMemory: -1}, "MaxMemory is -1"},
		{EmbeddedConfig{Memory: true, MaxStore: -1}, "MaxStore is -1"},
		{EmbeddedConfig{Memory: true, MaxConnections: -1}, "MaxConnections is -1"},
		{EmbeddedConfig{Memory: true, StartTimeout: -1}, "StartTimeout is -1ns"},
		{EmbeddedConfig{Memory: true, Port: -1, Host: "0.0.0.0"}, `Host is "0.0.0.0" without authentication`},
	} {
		wantError(t, c.config, c.says)
		if _, err := StartEmbedded(c.config); !errors.Is(err, ErrInvalidConfig) {
			t.Errorf("%v: not ErrInvalidConfig", err)
		}
	}
}

func TestEmbeddedAuthentication(t *testing.T) {
	e := startTest(t, EmbeddedConfig{
		Memory: true, Port: -1, Host: "0.0.0.0",
		Configure:   func(o *server.Options) { o.Username, o.Password = "u", "p" },
		ConnOptions: []nats.Option{nats.UserInfo("u", "p")},
	})
	bucket(t, e.Conn())
	if nc, err := nats.Connect(e.ClientURL()); !errors.Is(err, nats.ErrAuthorization) {
		nc.Close()
		t.Errorf("without credentials: %v", err)
	}
}

func TestEmbeddedPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()
	wantError(t, EmbeddedConfig{Port: port, StoreDir: dir},
		"port 127.0.0.1:"+strconv.Itoa(port)+" is taken: stop the server", "--listen")
	wantError(t, EmbeddedConfig{Port: port, Host: "192.0.2.1", Insecure: true, StoreDir: dir}, "cannot listen on 192.0.2.1", "--listen")
	l.Close()
	startTest(t, EmbeddedConfig{Port: port, StoreDir: dir}) // nothing was left locked
}

// A port that is taken between our look and the server's is a fatal error of
// the server: it must reach the caller, and not end the process.
func TestEmbeddedFatalIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := time.Now()
	wantError(t, EmbeddedConfig{
		Port: -1, Memory: true,
		Configure: func(o *server.Options) { o.Port = l.Addr().(*net.TCPAddr).Port },
	}, "embedded server", "address already in use")
	if d := time.Since(before); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestEmbeddedNotReady(t *testing.T) {
	wantError(t, EmbeddedConfig{DontListen: true, Memory: true, StartTimeout: 1}, "not ready within 1ns", "more time")
}

// A start that fails leaves nothing locked.
func TestEmbeddedFailsClean(t *testing.T) {
	dir := t.TempDir()
	c := EmbeddedConfig{DontListen: true, StoreDir: dir, StartTimeout: 1}
	for range 2 {
		wantError(t, c, "not ready")
	}
	c.StartTimeout = 0
	startTest(t, c)
}

func TestConnLogIsLimited(t *testing.T) {
	rec := &recorder{}
	l := newConnLog(slog.New(rec), "test")
	for range 1000 {
		l.handle(nil, nil, nats.ErrSlowConsumer)
	}
	l.last = l.last.Add(-time.Minute)
	l.handle(nil, nil, nats.ErrSlowConsumer)
	if n := rec.count("connection error"); n < 2 || n > 5 || l.hidden != 0 {
		t.Errorf("%d lines for 1001 errors", n)
	}
	if rec.count("suppressed=") == 0 {
		t.Error("no line says how many were suppressed")
	}
}

func TestStoreInUse(t *testing.T) {
	dir := t.TempDir()
	first := startTest(t, EmbeddedConfig{DontListen: true, StoreDir: dir})
	wantError(t, EmbeddedConfig{DontListen: true, StoreDir: dir},
		"store directory "+dir+" is in use by another process (pid "+strconv.Itoa(os.Getpid())+")", "--store")
	bucket(t, first.Conn()) // the first goes on
	if err := first.Shutdown(within(t)); err != nil {
		t.Fatal(err)
	}
	startTest(t, EmbeddedConfig{DontListen: true, StoreDir: dir})
}

// A process that is killed leaves the lock file, but not the lock.
func TestStoreOfKilledProcess(t *testing.T) {
	if dir := os.Getenv("ATRION_TEST_LOCK"); dir != "" {
		if _, err := openStore(dir, Standalone); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		time.Sleep(time.Minute)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestStoreOfKilledProcess$")
	cmd.Env = append(os.Environ(), "ATRION_TEST_LOCK="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	b := make([]byte, 100)
	if n, err := out.Read(b); err != nil || string(b[:n]) != "locked\n" {
		t.Fatalf("child: %q, %v", b[:n], err)
	}
	wantError(t, EmbeddedConfig{DontListen: true, StoreDir: dir}, fmt.Sprintf("in use by another process (pid %d)", cmd.Process.Pid))
	cmd.Process.Kill()
	cmd.Wait()
	startTest(t, EmbeddedConfig{DontListen: true, StoreDir: dir})
}

func TestStoreMode(t *testing.T) {
	dir := t.TempDir()
	startTest(t, EmbeddedConfig{DontListen: true, StoreDir: dir}).Close()
	d, err := openStore(dir, Standalone)
	if err != nil {
		t.Fatal(err)
	}
	d.close()
	if _, err := openStore(dir, Clustered); err == nil || !strings.Contains(err.Error(), "was written in mode standalone, which a server in mode cluster would destroy") {
		t.Errorf("standalone directory for a cluster: %v", err)
	}
	write := func(s string) {
		if err := os.WriteFile(filepath.Join(dir, modeFile), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cluster\n")
	wantError(t, EmbeddedConfig{DontListen: true, StoreDir: dir}, "store directory "+dir+" was written in mode cluster", "--store")
	write("what")
	wantError(t, EmbeddedConfig{DontListen: true, StoreDir: dir}, `mode "what"`, "standalone, leaf, cluster")
	os.Remove(filepath.Join(dir, modeFile))
	wantError(t, EmbeddedConfig{DontListen: true, StoreDir: dir}, "not ours", "--store")
	write("standalone")
	startTest(t, EmbeddedConfig{DontListen: true, StoreDir: dir})
}

func TestStoreNotWritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, EmbeddedConfig{DontListen: true, StoreDir: filepath.Join(file, "dir")}, "cannot be made", "--store")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, lockFile), 0o700); err != nil {
		t.Fatal(err)
	}
	wantError(t, EmbeddedConfig{DontListen: true, StoreDir: dir}, "is not writable", "--store")
	// The server's own trouble with its files comes through as well.
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, modeFile), []byte("standalone"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, EmbeddedConfig{DontListen: true, StoreDir: dir}, "embedded server", "JetStream")
	if os.Getuid() != 0 { // root may write anywhere
		dir = t.TempDir()
		os.Chmod(dir, 0o500)
		wantError(t, EmbeddedConfig{DontListen: true, StoreDir: dir}, "is not writable")
	}
}

func TestEmbeddedConnectionLimit(t *testing.T) {
	e := startTest(t, EmbeddedConfig{Memory: true, Port: -1, MaxConnections: 3}) // one is ours
	for range 2 {
		nc, err := nats.Connect(e.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
	}
	// The server says why and hangs up at once; whether the client reads the
	// reason or runs into the broken connection first is a matter of luck.
	if nc, err := nats.Connect(e.ClientURL()); err == nil {
		nc.Close()
		t.Error("fourth client: no error")
	}
	if _, err := e.Connect("more"); err == nil {
		t.Error("fourth client in process: no error")
	}
	bucket(t, e.Conn()) // those who are in stay in
}

func goroutines() int {
	runtime.GC()
	return runtime.NumGoroutine()
}

func settled(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for goroutines() > before {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines; there were %d\n%s", goroutines(), before, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestEmbeddedShutdownLeavesNoGoroutines(t *testing.T) {
	before := goroutines()
	for _, c := range []EmbeddedConfig{
		{Memory: true, DontListen: true},
		{Memory: true, Port: -1},
		{StoreDir: t.TempDir(), Port: -1},
	} {
		e := startTest(t, c)
		nc, err := e.Connect("other")
		if err != nil {
			t.Fatal(err)
		}
		nc.Subscribe("x", func(*nats.Msg) {})
		bucket(t, nc)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := e.Shutdown(within(t)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if !nc.IsClosed() || !e.Conn().IsClosed() {
			t.Error("connections are open after Shutdown")
		}
		if _, err := e.Connect("late"); err == nil {
			t.Error("Connect after Shutdown: no error")
		}
	}
	// Failed starts neither.
	StartEmbedded(EmbeddedConfig{DontListen: true, Memory: true, StartTimeout: 1})
	settled(t, before)
}

func TestEmbeddedShutdownDrains(t *testing.T) {
	e := startTest(t, EmbeddedConfig{Memory: true, DontListen: true})
	nc, err := e.Connect("worker")
	if err != nil {
		t.Fatal(err)
	}
	var got int
	started := make(chan struct{}, 1)
	nc.Subscribe("x", func(*nats.Msg) {
		select {
		case started <- struct{}{}:
		default:
		}
		time.Sleep(time.Millisecond)
		got++
	})
	nc.Flush()
	for range 100 {
		e.Conn().Publish("x", nil)
	}
	e.Conn().Flush()
	<-started
	if err := e.Shutdown(within(t)); err != nil {
		t.Fatal(err)
	}
	if got != 100 {
		t.Errorf("%d of 100 messages were handled", got)
	}
}

// A subscriber that is stuck holds Shutdown up no longer than its context.
func TestEmbeddedShutdownIsBounded(t *testing.T) {
	e := startTest(t, EmbeddedConfig{Memory: true, DontListen: true})
	nc, err := e.Connect("stuck")
	if err != nil {
		t.Fatal(err)
	}
	started, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	nc.Subscribe("x", func(*nats.Msg) { close(started); <-release })
	nc.Flush()
	e.Conn().Publish("x", nil)
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	before := time.Now()
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if d := time.Since(before); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

type recorder struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := rec.Level.String() + " " + rec.Message
	rec.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	r.lines = append(r.lines, line)
	return nil
}

func (r *recorder) count(part string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

func TestEmbeddedLogs(t *testing.T) {
	rec := &recorder{}
	e := startTest(t, EmbeddedConfig{Memory: true, Port: -1, Logger: slog.New(rec)})
	if rec.count("DEBUG Server is ready") != 1 {
		t.Errorf("no notice at debug level: %q", rec.lines)
	}
	// A subscriber that loses thousands of messages is one line, or two.
	block := make(chan struct{})
	sub, err := e.Conn().Subscribe("flood", func(*nats.Msg) { <-block })
	if err != nil {
		t.Fatal(err)
	}
	sub.SetPendingLimits(1, -1)
	nc, err := e.Connect("flooder")
	if err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		nc.Publish("flood", nil)
	}
	nc.Flush()
	deadline := time.Now().Add(5 * time.Second)
	for rec.count("connection error") == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	close(block)
	if n := rec.count("connection error"); n < 1 || n > 5 {
		t.Errorf("%d lines about a slow subscriber", n)
	}
}

// Traps that the options must avoid; each was a working program's surprise.
func TestEmbeddedOptions(t *testing.T) {
	var got *server.Options
	startTest(t, EmbeddedConfig{Memory: true, Port: -1, Configure: func(o *server.Options) { got = o }})
	if got.Host != "127.0.0.1" || !got.NoSigs || !got.NoFastProducerStall || got.WriteDeadline > 2*time.Second ||
		got.MaxPending <= server.JsFlowControlMaxPending || got.MaxPending > 64<<20 || got.JetStreamMaxMemory <= 0 || got.JetStreamMaxStore <= 0 {
		t.Errorf("options %+v", got)
	}
}

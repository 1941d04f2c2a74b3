package node

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/client"
)

// confFile writes a configuration file that only its owner can read.
func confFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// configured is the configuration of a serve command line.
func configured(t *testing.T, args ...string) Config {
	t.Helper()
	c, _, err := parseServe(stdio{nil, io.Discard, io.Discard}, args)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// bcrypted is "hashed", as "nats server passwd" or htpasswd -nbB would print it, at
// the least cost there is: checking it must not take the time that a connection has.
const bcrypted = "$2a$04$9x3/QuOSNTmlOrC3/kp/oOY7HGSItyZfwLQ80gISxrnkF3QWUuD5y"

// Users of the file, whose secrets come from the file itself, the environment,
// another file, a hash and a key, do with the client commands what their roles
// allow, and hear what is wrong if they try more.
func TestUsersOfTheFile(t *testing.T) {
	t.Setenv("ATRION_TEST_OBS", "from-env")
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := pair.PublicKey()
	seed, _ := pair.Seed()
	c := configured(t, "-c", confFile(t, fmt.Sprintf(`
		node: n1, listen: "127.0.0.1:-1", store_dir: %q, law: classic
		auth { users: [
			{user: svc, password: pl4in, role: service}
			{user: obs, password: $ATRION_TEST_OBS, role: observer}
			{user: obs2, password: "$ATRION_TEST_OBS", role: observer}
			{user: filed, password: %q, role: service}
			{user: hashed, password: %q, role: service}
			{nkey: %s, role: admin}
		] }`, t.TempDir(), "file:"+file("pw", "from-file\n"), bcrypted, public)))
	if len(c.warned()) != 0 {
		t.Errorf("warnings %q", c.warned())
	}
	n := startNode(t, c)
	seedFile := file("seed", string(seed))
	for _, u := range []struct {
		user, password, nkey string
		asks, explains       int
	}{
		{"svc", "pl4in", "", exitOK, exitFail},
		{"filed", "from-file", "", exitOK, exitFail},
		{"hashed", "hashed", "", exitOK, exitFail},
		{"obs", "from-env", "", exitFail, exitOK},
		{"obs2", "from-env", "", exitFail, exitOK},
		{"", "", seedFile, exitFail, exitOK},
		{"svc", "wrong", "", exitFail, exitFail},
		{"hashed", bcrypted, "", exitFail, exitFail},
		{"", "", "", exitFail, exitFail},
	} {
		t.Setenv("NATS_USER", u.user)
		t.Setenv("NATS_PASSWORD", u.password)
		t.Setenv("NATS_NKEY", u.nkey)
		for _, cmd := range []struct {
			args []string
			want int
		}{{[]string{"ask", "r"}, u.asks}, {[]string{"report", "r", "--latency", "5ms"}, u.asks}, {[]string{"explain", "r"}, u.explains}} {
			_, errs, code := cli(t, "", append(cmd.args, "-s", n.URL())...)
			if code != cmd.want {
				t.Errorf("%s%s %s: exit %d, want %d: %s", u.user, u.nkey, cmd.args[0], code, cmd.want, errs)
			}
			if cmd.want == exitFail && !strings.Contains(errs, "does not know this user") && !strings.Contains(errs, "does not let this user do that") {
				t.Errorf("%s %s: %q does not say why", u.user, cmd.args[0], errs)
			}
			if u.password != "" && strings.Contains(errs, u.password) && u.password != "hashed" {
				t.Errorf("%q shows the password", errs)
			}
		}
	}
}

// An observer may ask who is there, and chooses where that is answered: not
// where state is.
func TestNobodyWritesThroughTheNode(t *testing.T) {
	c := testConfig(t)
	c.Users = []bus.User{{Name: "obs", Password: "o", Role: bus.RoleObserver}}
	n := startNode(t, c)
	js, err := jetstream.New(n.embedded.Conn())
	if err != nil {
		t.Fatal(err)
	}
	obs := connectTo(t, n.URL(), nats.UserInfo("obs", "o"), nats.CustomInboxPrefix(bus.InboxPrefix("obs")))
	for _, subject := range []string{"$SRV.PING", "$SRV.STATS", "atrion.admin.health"} {
		if err := obs.PublishRequest(subject, "$KV.ATRION_STATE.r.n1", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := obs.Request(subject, nil, 5*time.Second); err != nil { // and by then the other was answered
			t.Fatal(err)
		}
	}
	stream, err := js.Stream(t.Context(), "KV_ATRION_STATE")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := stream.GetLastMsgForSubject(t.Context(), "$KV.ATRION_STATE.r.n1"); !errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("an answer was stored as state: %v, %v", m, err)
	}
}

func TestAuthErrors(t *testing.T) {
	t.Setenv("NOT_EMPTY", "x")
	for _, c := range []struct{ text, want string }{
		{`auth { users: [ {user: a, password: "MARKER", role: root} ] }`, "node.conf:1: auth.users[0]: bus: invalid config: role is"},
		{`auth { users: [ {user: a, password: "$NO_SUCH_VARIABLE", role: service} ] }`, "auth.users[0].password refers to an environment variable that is not set"},
		{`auth { users: [ {user: a, password: "file:/no/such/file", role: service} ] }`, "no/such/file"},
		{`auth { users: [ {user: a, pass: "MARKER", role: service} ] }`, "auth.users[0].pass is unknown"},
		{`auth { users: [ {user: a, role: service} ] }`, "password is empty for user a"},
		{`auth { users: [ "MARKER" ] }`, "[0] is no block"},
		{`auth { users: MARKER }`, "is no list"},
		{`auth { user: a, password: MARKER }`, `unknown setting "auth.user"`},
		{`auth { users: [ {user: a, password: MARKER, role: service}, {user: a, password: MARKER, role: admin} ] }`, "user a is there twice"},
		{`listen: "0.0.0.0:4222"`, "list users in auth of the file"},
		{`monitor: "0.0.0.0:8222"`, "set monitor_insecure"},
		{`nats: "nats://u:MARKER@127.0.0.1:1"`, "nats has a password in it"},
		{`leaf { remotes: ["nats-leaf://u:MARKER@127.0.0.1:1"] }`, "leaf.remotes has a password in it"},
		{`tls { cert: "/no/such/cert", key: "/no/such/key" }`, "/no/such/cert"},
		{`tls { verify: true }`, "verify without ca"},
		{`tls { cert: "/no/such/cert" }`, "both, or neither"},
	} {
		path := confFile(t, c.text+"\n")
		_, errs, code := cli(t, "", "-c", path, "-t")
		if code != exitFail || !strings.Contains(errs, c.want) || strings.Contains(errs, "MARKER") {
			t.Errorf("%s: exit %d, %q lacks %q", c.text, code, errs, c.want)
		}
	}
	// With users, and TLS not yet, the way is free, with a word of warning.
	path := confFile(t, `listen: "0.0.0.0:4222", auth { users: [ {user: a, password: MARKER, role: service} ] }`)
	if out, errs, code := cli(t, "", "-t", "-c", path); code != exitOK || !strings.Contains(out, "valid") || !strings.Contains(errs, "without TLS") || strings.Contains(out+errs, "MARKER") {
		t.Errorf("%q %q %d", out, errs, code)
	}
	// A secret that others can read is worth one too, but not one from elsewhere.
	for text, want := range map[string]bool{
		`auth { users: [ {user: a, password: MARKER, role: service} ] }`:                true,
		`cluster { password: "MARKER" }`:                                                true,
		`auth { users: [ {user: a, password: "$NOT_EMPTY", role: service} ] }`:          false,
		fmt.Sprintf(`auth {users: [{user: a, password: %q, role: service}]}`, bcrypted): false,
	} {
		path := confFile(t, text)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		_, errs, _ := cli(t, "", "-t", "-c", path)
		if got := strings.Contains(errs, "chmod 600 "+path); got != want {
			t.Errorf("%s: warned %v, want %v: %q", text, got, want, errs)
		}
	}
	for _, args := range [][]string{{"ask", "r", "-s", "nats://u:MARKER@127.0.0.1:1"}, {"report", "r", "-server=nats://u:MARKER@127.0.0.1:1"}} {
		if _, errs, code := cli(t, "", args...); code != exitUsage || !strings.Contains(errs, "password in it") || strings.Contains(errs, "MARKER") {
			t.Errorf("%v: %q %d", args, errs, code)
		}
	}
	t.Setenv("NATS_URL", "nats://u:MARKER@"+freeAddr(t))
	if _, errs, code := cli(t, "", "ask", "r"); code != exitFail || strings.Contains(errs, "MARKER") {
		t.Errorf("%q %d", errs, code)
	}
}

// No secret is in a log of any level, on a status page, in an answer or among
// the arguments of the process.
func TestSecretsAreNotShown(t *testing.T) {
	bin := binary(t)
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := pair.Seed()
	for format, mode := range map[string]string{
		"text": fmt.Sprintf(`cluster { name: c, listen: %q, routes: [ "nats://%s" ], user: u, password: MARKER3 }`, freeAddr(t), freeAddr(t)),
		"json": fmt.Sprintf(`leaf { remotes: [ "nats-leaf://%s" ], user: u, password: MARKER3 }`, freeAddr(t)),
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			monitor := freeAddr(t)
			path := confFile(t, fmt.Sprintf(`
				node: n1, listen: "127.0.0.1:-1", store_dir: %q, monitor: %q, nats_password: MARKER1
				%s
				log { level: debug, format: %s }
				auth { users: [ {user: svc, password: MARKER4, role: service}, {user: obs, password: "$MARKER_ENV", role: observer} ] }`,
				t.TempDir(), monitor, mode, format))
			cmd := exec.Command(bin, "-c", path)
			cmd.Env = append(os.Environ(), "MARKER_ENV=MARKER5", "NATS_PASSWORD="+string(seed))
			var log bytes.Buffer
			cmd.Stdout, cmd.Stderr = &log, &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			stop := sync.OnceFunc(func() {
				_ = cmd.Process.Signal(os.Interrupt)
				_ = cmd.Wait()
			})
			defer stop()
			seen := ""
			waitFor(t, "monitoring", func() bool {
				for _, page := range []string{"healthz", "readyz", "varz"} {
					resp, err := http.Get("http://" + monitor + "/" + page)
					if err != nil {
						return false
					}
					b, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					seen += string(b)
				}
				return true
			})
			args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
			stop()
			seen += string(args) + log.String()
			if strings.Contains(seen, "MARKER") || strings.Contains(seen, string(seed)) {
				t.Errorf("a secret is shown:\n%s", seen)
			}
			if !strings.Contains(log.String(), "atrion-node ready") || !strings.Contains(log.String(), "DEBUG") || !strings.Contains(seen, `"mode"`) {
				t.Errorf("nothing was looked at:\n%s", seen)
			}
		})
	}
}

// certificates are an authority, and a certificate of it for this machine.
func certificates(t *testing.T) (files bus.TLSFiles) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sign := func(serial int64, template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
		template.SerialNumber = big.NewInt(serial)
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER := sign(1, ca, ca, caKey, caKey)
	leaf := &x509.Certificate{
		Subject: pkix.Name{CommonName: "node"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der := sign(2, leaf, ca, key, caKey)
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return bus.TLSFiles{CA: write("ca.pem", "CERTIFICATE", caDER), Cert: write("cert.pem", "CERTIFICATE", der), Key: write("key.pem", "EC PRIVATE KEY", keyDER), Verify: true}
}

// Members that show each other a password and certificates form a cluster; a
// stranger does not get in.
func TestClusterOfStrangers(t *testing.T) {
	t.Parallel()
	configs := clusterConfigs(t, 4)
	files := certificates(t)
	for i := range configs {
		configs[i].Cluster.User, configs[i].Cluster.Password, configs[i].Cluster.TLS = "member", "secret", files
		configs[i].Users = []bus.User{{Name: "svc", Password: "s", Role: bus.RoleService}}
		configs[i].Cluster.Routes = configs[i].Cluster.Routes[:3]
	}
	nodes := startAll(t, configs[:3])
	for _, n := range nodes {
		waitFor(t, "members well", func() bool { s, _, _ := status(t, n); return s == "ok" })
		// A service is allowed what the cluster makes of its messages.
		svc := connectTo(t, n.URL(), nats.UserInfo("svc", "s"), nats.CustomInboxPrefix(bus.InboxPrefix("svc")), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		d, err := client.New(svc).Decide(t.Context(), "r", client.Request{Hold: true})
		if err != nil || d.Permit == "" {
			t.Fatalf("%+v, %v", d, err)
		}
		if err := errors.Join(client.New(svc).Report("r", client.Sample{Permit: d.Permit}), svc.Flush()); err != nil || svc.LastError() != nil {
			t.Errorf("report: %v, %v", err, svc.LastError())
		}
		waitFor(t, "the permit ended where it was given", func() bool { s := n.service.Stats(); return s.Holds == 0 && s.TelemetryMessages == 1 })
		if s := n.service.Stats(); s.UnknownPermits != 0 || s.HoldsExpired != 0 {
			t.Errorf("%+v", s)
		}
	}
	for what, change := range map[string]func(*clusterConfig){
		"no password":     func(c *clusterConfig) { c.Password = "" },
		"another one":     func(c *clusterConfig) { c.Password = "guess" },
		"no certificates": func(c *clusterConfig) { c.TLS = bus.TLSFiles{} },
		"other authority": func(c *clusterConfig) { c.TLS = certificates(t) },
	} {
		c := configs[3]
		change(&c.Cluster)
		stranger, err := bus.StartEmbedded(bus.EmbeddedConfig{Port: -1, ServerName: "stranger", StoreDir: t.TempDir(), Cluster: &bus.ClusterConfig{
			Name: "test", Host: "127.0.0.1", Port: -1, Routes: c.Cluster.Routes, User: c.Cluster.User, Password: c.Cluster.Password, TLS: c.Cluster.TLS,
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
		if trouble := stranger.Settle(ctx); !strings.Contains(trouble, "no quorum") {
			t.Errorf("%s: the stranger is in: %q", what, trouble)
		}
		cancel()
		stranger.Close()
	}
}

// Clients come over TLS, with certificates where the node wants them, and a
// node joins another as a user of the role node.
func TestTLSAndTheNodeRole(t *testing.T) {
	files := certificates(t)
	c := testConfig(t)
	c.TLS = files
	c.Users = []bus.User{{Name: "svc", Password: "s", Role: bus.RoleService}, {Name: "peer", Password: "p", Role: bus.RoleNode}, {Name: "obs", Password: "o", Role: bus.RoleObserver}}
	n := startNode(t, c)
	t.Setenv("NATS_USER", "svc")
	t.Setenv("NATS_PASSWORD", "s")
	for _, cmd := range []struct {
		args []string
		want int
	}{
		{[]string{"--ca", files.CA, "--cert", files.Cert, "--key", files.Key}, exitOK},
		{[]string{"--ca", files.CA}, exitFail}, // verify wants a certificate
		{nil, exitFail},
	} {
		if _, errs, code := cli(t, "", append([]string{"ask", "r", "-s", n.URL()}, cmd.args...)...); code != cmd.want {
			t.Errorf("%v: exit %d, want %d: %s", cmd.args, code, cmd.want, errs)
		}
	}
	var log bytes.Buffer
	joinedConfig := testConfig(t)
	joinedConfig.Node, joinedConfig.NATS, joinedConfig.Monitor = "n2", n.URL(), "127.0.0.1:0"
	joinedConfig.Access = access{User: "peer", Password: "p", TLS: bus.TLSFiles{CA: files.CA, Cert: files.Cert, Key: files.Key}}
	second, err := Start(context.Background(), joinedConfig, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if s, mode, why := status(t, second); s != "ok" || mode != "client" {
		t.Errorf("%s %s %s", s, mode, why)
	}
	for range 60 {
		if err := second.engine.Observe("r2", atrion.Telemetry{ErrorRate: 1, Latency: time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the second node's state is stored", func() bool { return second.engine.Stats().Saves > 0 })
	obs := connectTo(t, n.URL(), nats.UserInfo("obs", "o"), nats.CustomInboxPrefix(bus.InboxPrefix("obs")), nats.RootCAs(files.CA), nats.ClientCert(files.Cert, files.Key))
	var health bus.Health
	ask(t, obs, "atrion.node.n2.health", &health)
	if health.Node != "n2" {
		t.Errorf("%+v", health)
	}
	stop(t, second)
	if strings.Contains(log.String(), "ermissions") {
		t.Errorf("the role node lacks something a node needs:\n%s", &log)
	}
	joinedConfig.Access.Password = "wrong"
	if _, err := Start(context.Background(), joinedConfig, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "does not know this node") {
		t.Errorf("a wrong password: %v", err)
	}
}

// A leaf that its hub knows, over TLS, is let in; one with another password, or
// that does not trust the hub, is not, and says that it is cut off.
func TestLeafOfAStranger(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	_, port, err := splitAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	files := certificates(t)
	server := files
	server.Verify = false
	config, err := server.Load()
	if err != nil {
		t.Fatal(err)
	}
	hubOf(t, func(o *natsserver.Options) {
		o.LeafNode.Port, o.LeafNode.Username, o.LeafNode.Password = port, "leaf", "secret"
		o.LeafNode.TLSConfig, o.LeafNode.TLSTimeout = config, 5
	})
	start := func(name, password string, trusts bus.TLSFiles) *bus.Embedded {
		e, err := bus.StartEmbedded(bus.EmbeddedConfig{Port: -1, ServerName: name, Memory: true, Leaf: &bus.LeafConfig{
			Remotes: []string{"nats-leaf://" + addr}, User: "leaf", Password: bus.Secret(password), TLS: trusts, Domain: name,
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		return e
	}
	good := start("good", "secret", bus.TLSFiles{CA: files.CA})
	bad := []*bus.Embedded{start("wrong", "guess", bus.TLSFiles{CA: files.CA}), start("distrusts", "secret", bus.TLSFiles{CA: certificates(t).CA})}
	waitFor(t, "the leaf is in", func() bool { return good.Trouble() == "" })
	time.Sleep(time.Second) // as long as the good one had, and more
	for i, e := range bad {
		if trouble := e.Trouble(); !strings.Contains(trouble, "cut off from its hub") || strings.Contains(trouble, "guess") {
			t.Errorf("stranger %d: %q", i, trouble)
		}
	}
}

package node

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/physics/ohmic"
	"github.com/atrion-io/atrion/vec"
)

// Config is everything a node can be told, by file or flag.
type Config struct {
	Node       string // name of this node
	Listen     string // host:port of the embedded NATS server
	Insecure   bool   // allow Listen beyond loopback, without authentication
	StoreDir   string // of the embedded server's JetStream
	Cluster    clusterConfig
	Leaf       leafConfig
	Users      []bus.User // who may use the embedded server; none: everybody
	TLS        bus.TLSFiles
	NATS       string // URL of an existing NATS to join instead of embedding one
	Access     access // to NATS
	Monitor    string // host:port of the monitoring HTTP server; "": off
	MonitorAny bool   // allow Monitor beyond loopback; it has no authentication
	State      string // where route states live: "kv" or "memory"
	Bucket     string // of the KV
	Replicas   int    // of the KV; 0: what the mode says
	Domain     string // JetStream domain of the KV; "": what the mode says
	StateTTL   time.Duration
	Gossip     time.Duration // between two words of a node about its routes
	Budget     int           // words in that time
	Law        string
	Voltage    float64
	Tiers      map[string]float64 // names to volts
	Floors     map[string]float64 // tiers to shares
	Quota      atrion.Quota
	TrustBids  bool // in headers
	Affinity   bool // each route is decided by one node
	MaxRoutes  int
	Mailbox    int
	IdleAfter  time.Duration
	FailClosed bool
	HoldTTL    time.Duration
	Drain      time.Duration // bound on a graceful stop
	LogLevel   string
	LogFormat  string
	Vec        string // kernel level: auto, or one of vec.Supported
	Classic    classic.Config

	warnings []string // what is allowed, but worth a word
	plain    []string // secrets that did not come from elsewhere, until the file is checked
}

// DefaultConfig is a node on loopback that keeps its state under the user's
// home.
func DefaultConfig() Config {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "atrion"
	}
	return Config{
		Node:      host,
		Listen:    "127.0.0.1:4222",
		StoreDir:  defaultStore(),
		State:     "kv",
		Bucket:    "ATRION_STATE",
		StateTTL:  24 * time.Hour,
		Gossip:    100 * time.Millisecond,
		Budget:    1000,
		Law:       ohmic.Name,
		Voltage:   atrion.DefaultVoltage,
		MaxRoutes: 1_000_000,
		Mailbox:   4096,
		IdleAfter: 15 * time.Minute,
		HoldTTL:   2 * time.Second,
		Drain:     10 * time.Second,
		LogLevel:  "info",
		LogFormat: "text",
		Vec:       "auto",
		Classic:   classic.DefaultConfig(),
	}
}

// defaultStore follows the XDG base directory rules. "" if there is no home.
func defaultStore() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "atrion")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "atrion")
	}
	return ""
}

// setting is one thing that can be configured: "log.level" in the file's
// log { level: ... }, "-log-level" as a flag. One table serves both, so that
// they cannot differ.
type setting struct {
	name  string
	usage string
	set   func(value string) error
	get   func() string
	bool  bool
	short string // the flag, where it is not made of the name

	secret bool // only the file has it
	block  bool // in the file: name { key: value ... }
}

// flag is the setting's name on the command line.
func (s *setting) flag() string {
	if s.short != "" {
		return s.short
	}
	return strings.NewReplacer(".", "-", "_", "-").Replace(s.name)
}

// settings are the settings of c, in the order in which help shows them.
func (c *Config) settings() []setting {
	k := &c.Classic
	all := []setting{
		text("node", "name of this node", &c.Node),
		text("listen", "host:port of the embedded NATS server; port -1 picks a free one", &c.Listen),
		toggle("listen_insecure", "allow listen and cluster.listen beyond loopback without authentication", &c.Insecure),
		text("store_dir", "directory of the embedded server's JetStream", &c.StoreDir),
		text("cluster.name", "name of the embedded cluster this node is a member of", &c.Cluster.Name),
		text("cluster.listen", "host:port for the other members of the cluster", &c.Cluster.Listen),
		text("cluster.advertise", "host:port that members tell each other instead of cluster.listen", &c.Cluster.Advertise),
		list("cluster.routes", "cluster.listen of every member, as nats://host:port,...", &c.Cluster.Routes).as("routes"),
		text("cluster.user", "user that the members show each other", &c.Cluster.User),
		c.secret("cluster.password", "password that the members show each other", &c.Cluster.Password),
		list("leaf.remotes", "URLs of an existing NATS that this node's server is a leaf of, as nats-leaf://host:port,...", &c.Leaf.Remotes),
		text("leaf.credentials", "credentials file for leaf.remotes", &c.Leaf.Credentials),
		text("leaf.user", "user for leaf.remotes", &c.Leaf.User),
		c.secret("leaf.password", "password for leaf.remotes", &c.Leaf.Password),
		text("leaf.domain", "JetStream domain of this leaf; empty: leaf-NODE", &c.Leaf.Domain),
		text("nats", "URL of an existing NATS to join instead of embedding a server", &c.NATS),
		text("creds", "credentials file for nats", &c.Access.Creds),
		text("nats_nkey", "file with the seed of a key for nats", &c.Access.NKey).as("nkey-file"),
		text("nats_user", "user for nats; the password is in the file, or in $NATS_PASSWORD", &c.Access.User),
		c.secret("nats_password", "password for nats", &c.Access.Password),
		text("nats_inbox", "prefix of subjects for answers; empty: _INBOX_ and the user, or the key", &c.Access.Inbox),
		text("monitor", "host:port of the monitoring HTTP server; empty: off", &c.Monitor),
		toggle("monitor_insecure", "allow monitor beyond loopback; it has no authentication", &c.MonitorAny),
		text("state.store", "where route states are kept: kv (JetStream) or memory", &c.State),
		text("state.bucket", "JetStream KV bucket", &c.Bucket),
		whole("state.replicas", "replicas of the bucket; 0: 3 in a cluster, else 1", &c.Replicas),
		text("state.domain", "JetStream domain of the bucket; empty: hub for a leaf, else none", &c.Domain),
		span("state.ttl", "how long the state of a silent route is kept", &c.StateTTL),
		span("gossip.interval", "least time between two rounds of writes to the bucket", &c.Gossip),
		whole("gossip.budget", "states written in a round, those about which others are most wrong first", &c.Budget),
		text("law", "control law: ohmic (closed loop) or classic (as first published)", &c.Law),
		number("voltage", "volts of requests that bid none", &c.Voltage),
		pairs("tiers", "named voltages of your own, as gold=300,silver=150", &c.Tiers),
		pairs("floors", "least shares of the callee that tiers get under overload, as low=0.15,bulk=0.1", &c.Floors),
		number("quota.above", "volts that one identity may bid above only quota.rate times a second", &c.Quota.Above),
		number("quota.rate", "bids above quota.above a second of one identity; 0: no guard", &c.Quota.Rate),
		whole("quota.burst", "such bids at once; 0: a second's worth", &c.Quota.Burst),
		whole("quota.identities", "identities that quotas are kept for at a time; 0: 65536", &c.Quota.Identities),
		toggle("affinity", "each route is decided by one node of the fleet; all nodes must agree", &c.Affinity),
		toggle("trust_headers", "the headers Atrion-Tier and Atrion-Voltage say what a request bids", &c.TrustBids),
		whole("max_routes", "routes held at a time", &c.MaxRoutes),
		whole("mailbox", "samples waiting per route", &c.Mailbox),
		span("idle_after", "idle healthy routes are passivated after it", &c.IdleAfter),
		toggle("fail_closed", "routes whose law keeps failing reject instead of admit", &c.FailClosed),
		span("hold_ttl", "life of a permit held over NATS", &c.HoldTTL),
		span("drain", "bound on a graceful stop", &c.Drain),
		text("log.level", "debug, info, warn or error", &c.LogLevel),
		text("log.format", "text or json", &c.LogFormat),
		text("vec", "kernels: auto, portable, avx2 or avx512", &c.Vec),

		number("classic.base_resistance", "ohms of a healthy route", &k.BaseResistance),
		number("classic.decay_rate", "scar decay, 1/s", &k.DecayRate),
		number("classic.scar_factor", "ohms a traumatic call leaves", &k.ScarFactor),
		number("classic.damping_factor", "ohms per unit of momentum", &k.DampingFactor),
		number("classic.critical_pressure", "pressure above which a call is traumatic", &k.CriticalPressure),
		number("classic.break_multiplier", "static break point in bases (tuner off)", &k.BreakMultiplier),
		whole("classic.bootstrap_ticks", "calls until a new route is judged", &k.BootstrapTicks),
		number("classic.tanh_scale", "steepness of the pressure curve", &k.TanhScale),
		number("classic.slo.latency_ms", "normal latency, ms", &k.SLO.LatencyMs),
		number("classic.slo.error_rate", "normal error rate", &k.SLO.ErrorRate),
		number("classic.slo.criticality.latency", "weight of latency, 0 to 10", &k.SLO.Criticality.Latency),
		number("classic.slo.criticality.error", "weight of errors, 0 to 10", &k.SLO.Criticality.Error),
		number("classic.slo.criticality.saturation", "weight of saturation, 0 to 10", &k.SLO.Criticality.Saturation),
		toggle("classic.tuned", "learn break and recovery points per route", &k.Tuned),
		whole("classic.tuner.window", "memory of the tuner, observations", &k.Tuner.Window),
		number("classic.tuner.sensitivity", "standard deviations above the mean that trip", &k.Tuner.Sensitivity),
		number("classic.tuner.floor", "lowest break point, ohms", &k.Tuner.Floor),
		number("classic.tuner.ceiling", "highest break point, ohms", &k.Tuner.Ceiling),
		whole("classic.tuner.warmup", "observations before limits are learned", &k.Tuner.Warmup),
		number("classic.tuner.recovery_multiplier", "share of the break point below which a route recovers", &k.Tuner.RecoveryMultiplier),
		number("classic.tuner.fallback_break", "break point during warm-up, ohms", &k.Tuner.FallbackBreak),
	}
	all = append(all, tlsSettings("tls", "of the embedded server", &c.TLS)...)
	all = append(all, tlsSettings("cluster.tls", "for links between members", &c.Cluster.TLS)...)
	all = append(all, tlsSettings("leaf.tls", "for the link to leaf.remotes", &c.Leaf.TLS)...)
	return append(all, tlsSettings("nats_tls", "for nats", &c.Access.TLS)[:3]...) // a client verifies in any case
}

func text(name, usage string, p *string) setting {
	return setting{name: name, usage: usage,
		set: func(v string) error { *p = v; return nil },
		get: func() string { return *p }}
}

// list is a setting of several values, separated by commas on the command line.
func list(name, usage string, p *[]string) setting {
	return setting{name: name, usage: usage,
		set: func(v string) error {
			*p = nil
			for _, item := range strings.Split(v, ",") {
				if item = strings.TrimSpace(item); item != "" {
					*p = append(*p, item)
				}
			}
			return nil
		},
		get: func() string { return strings.Join(*p, ",") }}
}

// as is the setting with another name on the command line.
func (s setting) as(flag string) setting {
	s.short = flag
	return s
}

// pairs is a setting of names with a number each: a block in the file.
func pairs(name, usage string, p *map[string]float64) setting {
	return setting{name: name, usage: usage, block: true,
		set: func(v string) error {
			if v == "" {
				return nil
			}
			for _, item := range strings.Split(v, ",") {
				key, value, ok := strings.Cut(item, "=")
				x, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				if key = strings.TrimSpace(key); !ok || key == "" || err != nil {
					return fmt.Errorf("is %q (allowed: name=number, separated by commas)", v)
				}
				if *p == nil {
					*p = map[string]float64{}
				}
				(*p)[key] = x
			}
			return nil
		},
		get: func() string {
			var items []string
			for _, key := range slices.Sorted(maps.Keys(*p)) {
				items = append(items, fmt.Sprintf("%s=%g", key, (*p)[key]))
			}
			return strings.Join(items, ",")
		}}
}

func toggle(name, usage string, p *bool) setting {
	return setting{name: name, usage: usage, bool: true,
		set: func(v string) (err error) { *p, err = parse(v, strconv.ParseBool, "true or false"); return err },
		get: func() string { return strconv.FormatBool(*p) }}
}

func number(name, usage string, p *float64) setting {
	return setting{name: name, usage: usage,
		set: func(v string) (err error) { *p, err = parse(v, parseFloat, "a number"); return err },
		get: func() string { return strconv.FormatFloat(*p, 'g', -1, 64) }}
}

func whole(name, usage string, p *int) setting {
	return setting{name: name, usage: usage,
		set: func(v string) (err error) { *p, err = parse(v, strconv.Atoi, "a whole number"); return err },
		get: func() string { return strconv.Itoa(*p) }}
}

func span(name, usage string, p *time.Duration) setting {
	return setting{name: name, usage: usage,
		set: func(v string) (err error) {
			*p, err = parse(v, time.ParseDuration, `a duration with its unit, in quotes, as "1.5s" or "10m"`)
			return err
		},
		get: func() string { return p.String() }}
}

func parseFloat(v string) (float64, error) { return strconv.ParseFloat(v, 64) }

func parse[T any](v string, f func(string) (T, error), allowed string) (T, error) {
	x, err := f(v)
	if err != nil {
		return x, fmt.Errorf("is %q (allowed: %s)", v, allowed)
	}
	return x, nil
}

// Validate returns nil, or one error that names every wrong setting.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(name string, value any, allowed string) {
		errs = append(errs, fmt.Errorf("%s is %v (allowed: %s)", name, value, allowed))
	}
	if len(c.Node) == 0 || len(c.Node) > 64 || strings.ContainsFunc(c.Node, func(r rune) bool { return r < 0x21 || r == 0x7f }) {
		wrong("node", strconv.Quote(c.Node), "1 to 64 bytes without spaces and control characters")
	}
	errs = append(errs, c.validateMode(wrong))
	if c.NATS == "" {
		if host, _, err := net.SplitHostPort(c.Listen); err != nil {
			wrong("listen", strconv.Quote(c.Listen), "host:port")
		} else if !bus.IsLoopback(host) && !c.Insecure && len(c.Users) == 0 {
			wrong("listen", strconv.Quote(c.Listen), "a loopback address, as nobody has to say who they are: list users in auth of the file, join a secured NATS with nats, or set listen_insecure")
		}
		if c.StoreDir == "" && c.keeps() {
			wrong("store_dir", `""`, "a directory; there is no home directory to put it in")
		}
	}
	if c.Monitor != "" {
		if host, _, err := net.SplitHostPort(c.Monitor); err != nil || host == "" {
			wrong("monitor", strconv.Quote(c.Monitor), "host:port, with a host")
		} else if !bus.IsLoopback(host) && !c.MonitorAny {
			wrong("monitor", strconv.Quote(c.Monitor), "a loopback address, as it has no authentication, or set monitor_insecure")
		}
	}
	for _, u := range []struct{ name, list string }{
		{"nats", c.NATS}, {"cluster.routes", strings.Join(c.Cluster.Routes, ",")}, {"leaf.remotes", strings.Join(c.Leaf.Remotes, ",")},
	} {
		if err := checkURLs(u.list); err != nil {
			errs = append(errs, fmt.Errorf("%s %w", u.name, err))
		}
	}
	if auth := c.auth(); auth != nil {
		if err := auth.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("auth.users: %w", err))
		}
	}
	for _, l := range []struct {
		name  string
		files bus.TLSFiles
	}{{"tls", c.TLS}, {"cluster.tls", c.Cluster.TLS}, {"leaf.tls", c.Leaf.TLS}, {"nats_tls", c.Access.TLS}} {
		if _, err := l.files.Load(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", l.name, err))
		}
	}
	oneOf := func(name, value string, allowed ...string) {
		for _, a := range allowed {
			if value == a {
				return
			}
		}
		wrong(name, strconv.Quote(value), strings.Join(allowed, ", "))
	}
	oneOf("state.store", c.State, "kv", "memory")
	oneOf("law", c.Law, ohmic.Name, classic.Name)
	oneOf("log.level", c.LogLevel, "debug", "info", "warn", "error")
	oneOf("log.format", c.LogFormat, "text", "json")
	levels := []string{"auto"}
	for _, l := range vec.Supported() {
		levels = append(levels, l.String())
	}
	oneOf("vec", c.Vec, levels...)
	within(wrong, "state.replicas", c.Replicas, 0, 5)
	within(wrong, "gossip.interval", c.Gossip, 10*time.Millisecond, time.Hour)
	within(wrong, "gossip.budget", c.Budget, 1, 1_000_000)
	within(wrong, "state.ttl", c.StateTTL, time.Second, 365*24*time.Hour)
	within(wrong, "hold_ttl", c.HoldTTL, 10*time.Millisecond, 10*time.Minute)
	within(wrong, "drain", c.Drain, 100*time.Millisecond, 10*time.Minute)
	within(wrong, "max_routes", c.MaxRoutes, 1, 1<<24)
	within(wrong, "mailbox", c.Mailbox, 1, 1<<20)
	within(wrong, "idle_after", c.IdleAfter, time.Second, 24*time.Hour)
	if !(c.Voltage > 0 && c.Voltage <= atrion.MaxVoltage) {
		wrong("voltage", c.Voltage, "above 0, at most 1e+09")
	}
	if c.Law == classic.Name && len(c.Floors) > 0 {
		wrong("floors", "set", "none under the law classic, which knows none")
	}
	if err := (atrion.Config{Tiers: c.Tiers, Floors: c.Floors, Quota: c.Quota}).Validate(); err != nil {
		errs = append(errs, err)
	}
	if err := c.Classic.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func within[T int | time.Duration](wrong func(string, any, string), name string, v, low, high T) {
	if v < low || v > high {
		wrong(name, v, fmt.Sprintf("%v to %v", low, high))
	}
}

// law makes the control law that the configuration names; nil: the engine's
// default, ohmic.
func (c *Config) law() (physics.Law, error) {
	if c.Law == classic.Name {
		return classic.New(c.Classic)
	}
	return nil, nil
}

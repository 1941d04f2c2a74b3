package natskv

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion/providers"
)

// Defaults of Config.
const (
	DefaultBucket     = "ATRION_STATE"
	DefaultMaxEntries = 1 << 20
	DefaultMaxBytes   = 1 << 30   // of a bucket in files
	DefaultMaxMemory  = 128 << 20 // of a bucket in memory
	DefaultMarkerTTL  = time.Minute
	DefaultTimeout    = 500 * time.Millisecond
	DefaultInterval   = time.Second
)

// ErrInvalidConfig is wrapped by errors of a configuration, or of an existing
// bucket, that cannot work.
var ErrInvalidConfig = errors.New("natskv: invalid config")

// Config configures a provider. The zero value is valid.
//
// Bucket settings (Memory, Replicas, MaxBytes, MaxValue, MarkerTTL) are used
// where the bucket does not exist yet; one that exists is taken as it is.
type Config struct {
	// Bucket is the bucket's name: letters, digits, '_' and '-'. "":
	// DefaultBucket.
	Bucket string
	// Domain is the JetStream domain of the bucket, for a leaf node whose hub
	// has it. "": the connection's own.
	Domain string

	// Memory keeps the bucket in the servers' memory: faster, and lost with
	// the last of them.
	Memory bool
	// Replicas is on how many servers the bucket is, 1..5; 0: 1.
	Replicas int
	// MaxBytes is the most the bucket may use, keys, headers and overhead
	// included; JetStream sets it aside. A full bucket is ErrFull for new
	// keys. 1 or more; 0: DefaultMaxBytes, DefaultMaxMemory.
	MaxBytes int64
	// MaxValue is the most bytes of a value, 1..1 MiB; 0:
	// providers.DefaultMaxValue.
	MaxValue int
	// MaxEntries is the most entries of all nodes that this process mirrors,
	// about 250 bytes each plus key and value. Beyond it the provider is
	// degraded: new keys of its own are ErrFull, those of others are read from
	// the server, List ends with ErrFull. 1 or more; 0: DefaultMaxEntries.
	MaxEntries int

	// TTL is how long an entry lives without being written again, 1 s or more;
	// 0: for ever. What expires is Deleted to watchers.
	TTL time.Duration
	// MarkerTTL is how long the bucket remembers that a key was deleted or has
	// expired, 1 s or more; 0: DefaultMarkerTTL.
	MarkerTTL time.Duration

	// Timeout bounds every exchange with the server. Over 0; 0:
	// DefaultTimeout.
	Timeout time.Duration
	// Interval is how often the provider looks whether its watcher still sees
	// what happens in the bucket. A watcher that does not is replaced after
	// two of them. 10 ms or more; 0: DefaultInterval.
	Interval time.Duration
}

func (c Config) withDefaults() (Config, error) {
	if c.Bucket == "" {
		c.Bucket = DefaultBucket
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
		if c.Memory {
			c.MaxBytes = DefaultMaxMemory
		}
	}
	if c.MaxValue == 0 {
		c.MaxValue = providers.DefaultMaxValue
	}
	if c.MaxEntries == 0 {
		c.MaxEntries = DefaultMaxEntries
	}
	if c.MarkerTTL == 0 {
		c.MarkerTTL = DefaultMarkerTTL
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	wrong := func(field string, value any, allowed string) error {
		return fmt.Errorf("%w: %s is %v; allowed: %s", ErrInvalidConfig, field, value, allowed)
	}
	for i := 0; i < len(c.Bucket); i++ {
		if !plain(c.Bucket[i]) {
			return c, wrong("Bucket", fmt.Sprintf("%q", c.Bucket), "letters, digits, '_', '-'")
		}
	}
	for i := 0; i < len(c.Domain); i++ {
		if !plain(c.Domain[i]) {
			return c, wrong("Domain", fmt.Sprintf("%q", c.Domain), "letters, digits, '_', '-'")
		}
	}
	switch {
	case c.Replicas < 1 || c.Replicas > 5:
		return c, wrong("Replicas", c.Replicas, "1..5")
	case c.MaxBytes < 1:
		return c, wrong("MaxBytes", c.MaxBytes, "1 or more")
	case c.MaxValue < 1 || c.MaxValue > 1<<20:
		return c, wrong("MaxValue", c.MaxValue, "1..1048576")
	case c.MaxEntries < 1:
		return c, wrong("MaxEntries", c.MaxEntries, "1 or more")
	case c.TTL != 0 && c.TTL < time.Second:
		return c, wrong("TTL", c.TTL, "0, or 1s or more")
	case c.MarkerTTL < time.Second:
		return c, wrong("MarkerTTL", c.MarkerTTL, "1s or more")
	case c.Timeout < 0:
		return c, wrong("Timeout", c.Timeout, "over 0")
	case c.Interval < 10*time.Millisecond:
		return c, wrong("Interval", c.Interval, "10ms or more")
	}
	return c, nil
}

// headerRoom is what headers (time to live, operation, rollup) add to a value;
// JetStream counts them against the message size.
const headerRoom = 256

func (c Config) bucket() jetstream.KeyValueConfig {
	storage := jetstream.FileStorage
	if c.Memory {
		storage = jetstream.MemoryStorage
	}
	return jetstream.KeyValueConfig{
		Bucket:         c.Bucket,
		Description:    "Atrion: state that nodes share",
		MaxValueSize:   int32(c.MaxValue + headerRoom),
		History:        1, // values are whole states: only the newest counts
		MaxBytes:       c.MaxBytes,
		Storage:        storage,
		Replicas:       c.Replicas,
		LimitMarkerTTL: c.MarkerTTL,
	}
}

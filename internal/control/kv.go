package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// DefaultBucket is the bucket of a KV store.
const DefaultBucket = "ATRION_CONTROL"

// Limits of a store.
const (
	// MinTTL is the shortest life that JetStream gives a message.
	MinTTL = time.Second
	// maxBytes is the most the bucket may use: 64 documents of 256 KiB, and
	// 20,000 bans and overrides of all sizes, three times over.
	maxBytes = 64 << 20
	maxValue = MaxDocument + 8<<10
	// markerTTL is how long the bucket remembers that a key is gone. Where there
	// is history no message may live for less than that, so it is the least there
	// is; a watcher that was away reads the bucket anew and needs no markers.
	markerTTL = MinTTL
)

// KVConfig configures a KV store. The zero value is valid.
type KVConfig struct {
	Bucket   string // default DefaultBucket
	Domain   string // JetStream domain; "": the connection's own
	Replicas int    // of a bucket that is made; default 1
	Memory   bool   // a bucket that is made is in the servers' memory
	// Timeout bounds every exchange with the server. Default 500 ms.
	Timeout time.Duration
	// Interval is how often the store looks whether it still hears of changes.
	// Default 500 ms.
	Interval time.Duration
}

// KV is a store in a JetStream bucket: the document under "config" with its
// history, bans and overrides under keys of their own, which expire. Make one
// with NewKV; it is safe for concurrent use.
type KV struct {
	config  KVConfig
	nc      *nats.Conn
	js      jetstream.JetStream
	subject string // of a key, without it

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	loop   sync.WaitGroup

	mu       sync.Mutex
	kv       jetstream.KeyValue // nil until the bucket was reached once
	degraded string
}

var _ Store = (*KV)(nil)

// NewKV returns a store on a connection, which stays the caller's and should
// reconnect for ever. The bucket is made when it is reached and not there.
func NewKV(nc *nats.Conn, config KVConfig) (*KV, error) {
	if config.Bucket == "" {
		config.Bucket = DefaultBucket
	}
	config.Replicas = max(config.Replicas, 1)
	if config.Timeout <= 0 {
		config.Timeout = 500 * time.Millisecond
	}
	if config.Interval <= 0 {
		config.Interval = 500 * time.Millisecond
	}
	s := &KV{config: config, nc: nc, subject: "$KV." + config.Bucket + ".", degraded: "not reached yet"}
	var err error
	if config.Domain == "" {
		s.js, err = jetstream.New(nc)
	} else {
		s.js, err = jetstream.NewWithDomain(nc, config.Domain)
		s.subject = "$JS." + config.Domain + ".API." + s.subject
	}
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Follow implements [Store].
func (s *KV) Follow(f Follower) { s.loop.Go(func() { s.run(f) }) }

// Close implements [Store].
func (s *KV) Close(ctx context.Context) error {
	s.cancel()
	done := make(chan struct{})
	go func() { s.loop.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Degraded implements [Store].
func (s *KV) Degraded() string {
	if !s.nc.IsConnected() {
		return fmt.Sprintf("NATS connection is %v", s.nc.Status())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.degraded
}

func (s *KV) degrade(why string) {
	s.mu.Lock()
	s.degraded = why
	s.mu.Unlock()
}

// bucket returns the bucket, or an error if it was never reached. The context it
// returns bounds one exchange.
func (s *KV) bucket(ctx context.Context) (jetstream.KeyValue, context.Context, context.CancelFunc, error) {
	s.mu.Lock()
	kv := s.kv
	s.mu.Unlock()
	if kv == nil || !s.nc.IsConnected() {
		return nil, nil, nil, fmt.Errorf("%w: %s", ErrUnavailable, s.Degraded())
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	return kv, ctx, cancel, nil
}

func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}

// Newest implements [Store].
func (s *KV) Newest(ctx context.Context) (Record, error) {
	kv, ctx, cancel, err := s.bucket(ctx)
	if err != nil {
		return Record{}, err
	}
	defer cancel()
	e, err := kv.Get(ctx, configKey)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound): // ErrKeyDeleted is one too
		return Record{}, ErrNotFound
	case err != nil:
		return Record{}, unavailable("get", err)
	}
	r, err := parseRecord(e.Value(), e.Revision())
	if err != nil { // written by force: there is one, and it cannot be read
		return Record{Revision: e.Revision()}, nil
	}
	return r, nil
}

// History implements [Store].
func (s *KV) History(ctx context.Context) ([]Record, error) {
	kv, ctx, cancel, err := s.bucket(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	entries, err := kv.History(ctx, configKey)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, nil
	case err != nil:
		return nil, unavailable("history", err)
	}
	var all []Record
	for i := range entries {
		e := entries[len(entries)-1-i]
		if e.Operation() != jetstream.KeyValuePut {
			continue
		}
		r, err := parseRecord(e.Value(), e.Revision())
		if err != nil {
			r = Record{Revision: e.Revision(), Reason: err.Error(), Time: e.Created().UnixMilli()}
		}
		all = append(all, r)
	}
	return all, nil
}

// Write implements [Store].
func (s *KV) Write(ctx context.Context, r Record, last uint64) (uint64, error) {
	kv, ctx, cancel, err := s.bucket(ctx)
	if err != nil {
		return 0, err
	}
	defer cancel()
	var revision uint64
	if last == 0 {
		revision, err = kv.Create(ctx, configKey, encode(r))
	} else {
		revision, err = kv.Update(ctx, configKey, encode(r), last)
	}
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrKeyExists), errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
		return 0, ErrConflict
	case err != nil:
		return 0, unavailable("write", err)
	}
	return revision, nil
}

// Put implements [Store]. It is not the key-value API's Put, which loses the time
// to live; and of bans no history is kept.
func (s *KV) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	msg := nats.NewMsg(s.subject + key)
	msg.Data = value
	msg.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	// Whole seconds, and not less than it is: nodes end it exactly.
	return s.publish(ctx, msg, (ttl + time.Second - 1).Truncate(time.Second))
}

// Delete implements [Store].
func (s *KV) Delete(ctx context.Context, key string) error {
	msg := nats.NewMsg(s.subject + key)
	msg.Header.Set("KV-Operation", "PURGE")
	msg.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	return s.publish(ctx, msg, markerTTL)
}

func (s *KV) publish(ctx context.Context, msg *nats.Msg, ttl time.Duration) error {
	_, ctx, cancel, err := s.bucket(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if _, err := s.js.PublishMsg(ctx, msg, jetstream.WithMsgTTL(max(ttl, MinTTL)), jetstream.WithRetryAttempts(0)); err != nil {
		return unavailable("write", err)
	}
	return nil
}

// encode writes what always can be written.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a record of a document that was parsed
	}
	return b
}

package natskv

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/internal/table"
)

// Provider keeps entries in a bucket. It is safe for concurrent use. Make one
// with Open.
type Provider struct {
	config  Config
	nc      *nats.Conn
	js      jetstream.JetStream
	table   *table.Table
	subject string // of a key, without it

	kv      atomic.Pointer[jetstream.KeyValue] // nil until the bucket was reached once
	ttl     atomic.Bool                        // the bucket has per-key TTL
	refused atomic.Uint64

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   chan struct{} // closed when follow has ended
	synced chan struct{} // closed after the first sync
	kick   chan struct{} // asks for a look at the bucket now

	settled watch // the last that came into sync; of run alone

	mu       sync.Mutex
	degraded string // why the mirror is not current; "" if it is
	write    string // how the last write failed; "" if it did not
	writeAt  time.Time
}

// writeMemory is how long a failed write keeps the provider degraded. Another
// write, or another server or bucket, settles it earlier; without either nobody
// knows.
const writeMemory = 30 * time.Second

var _ providers.Provider = (*Provider)(nil)

// Open returns a provider on the bucket that config names, which it makes if
// there is none. It waits at most about three times Config.Timeout, or for
// ctx, for the bucket to be read; if NATS does not answer by then, that is no
// error: the provider is degraded, see Status, and catches up when it can. What
// trying again cannot cure (ErrInvalidConfig) is an error.
//
// nc stays the caller's. It should be one that reconnects for ever, and a
// connection of its own: state must not wait behind a flood of telemetry.
func Open(ctx context.Context, nc *nats.Conn, config Config) (*Provider, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Provider{
		config:   config,
		nc:       nc,
		table:    table.New(config.MaxEntries, false),
		subject:  "$KV." + config.Bucket + ".",
		done:     make(chan struct{}),
		synced:   make(chan struct{}),
		kick:     make(chan struct{}, 1),
		degraded: "opening",
	}
	if config.Domain == "" {
		p.js, err = jetstream.New(nc)
	} else {
		p.js, err = jetstream.NewWithDomain(nc, config.Domain)
		p.subject = "$JS." + config.Domain + ".API." + p.subject
	}
	if err != nil {
		return nil, fmt.Errorf("natskv: %w", err)
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go p.run(failed)

	timeout := time.NewTimer(3 * config.Timeout)
	defer timeout.Stop()
	select {
	case <-p.synced:
	case <-timeout.C:
	case err = <-failed:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		p.cancel()
		<-p.done
		return nil, err
	}
	return p, nil
}

// begin is what every operation checks first, in this order: a closed provider
// says so whatever else is wrong.
func (p *Provider) begin(ctx context.Context, invalid error) error {
	if p.ctx.Err() != nil {
		return providers.ErrClosed
	}
	if invalid != nil {
		return invalid
	}
	return ctx.Err()
}

func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{providers.ErrUnavailable}, args...)...)
}

// Get implements [providers.Provider].
func (p *Provider) Get(ctx context.Context, key providers.Key) (providers.Entry, error) {
	if err := p.begin(ctx, key.Validate()); err != nil {
		return providers.Entry{}, err
	}
	e, found, complete := p.table.Lookup(key)
	if found {
		return e, nil
	}
	if complete {
		return providers.Entry{}, providers.ErrNotFound
	}
	kv := p.kv.Load()
	if kv == nil || !p.nc.IsConnected() {
		return providers.Entry{}, unavailable("%s", p.Status().Degraded)
	}
	bounded, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	got, err := (*kv).Get(bounded, FormatKey(key))
	switch {
	case err == nil:
		// Only before the first sync: the reader's clock is all there is.
		return providers.Entry{Key: key, Value: got.Value(), Revision: got.Revision(), Time: got.Created(), Age: max(time.Since(got.Created()), 0)}, nil
	case errors.Is(err, jetstream.ErrKeyNotFound): // ErrKeyDeleted is one too
		return providers.Entry{}, providers.ErrNotFound
	case ctx.Err() != nil:
		return providers.Entry{}, ctx.Err()
	}
	return providers.Entry{}, unavailable("get: %w", err)
}

// Put implements [providers.Provider].
func (p *Provider) Put(ctx context.Context, key providers.Key, value []byte) (uint64, error) {
	if err := p.begin(ctx, key.Validate()); err != nil {
		return 0, err
	}
	if err := providers.CheckValue(value, p.config.MaxValue); err != nil {
		return 0, err
	}
	if !p.table.Room(key) {
		p.refused.Add(1)
		return 0, fmt.Errorf("%w: %d entries are mirrored; raise MaxEntries", providers.ErrFull, p.config.MaxEntries)
	}
	own := append(make([]byte, 0, len(value)), value...)
	return p.publish(ctx, providers.Entry{Key: key, Value: own}, nil, p.config.TTL)
}

// Delete implements [providers.Provider]. What the mirror says is not there is
// not asked for.
func (p *Provider) Delete(ctx context.Context, key providers.Key) error {
	if err := p.begin(ctx, key.Validate()); err != nil {
		return err
	}
	if _, found, complete := p.table.Lookup(key); !found && complete {
		return nil
	}
	var ttl time.Duration
	if p.ttl.Load() {
		ttl = p.config.MarkerTTL // or the markers of all keys ever would stay
	}
	_, err := p.publish(ctx, providers.Entry{Key: key, Deleted: true}, purge, ttl)
	return err
}

// purge makes a message of the bucket's stream delete its key.
var purge = nats.Header{
	"KV-Operation":      {"PURGE"},
	jetstream.MsgRollup: {jetstream.MsgRollupSubject},
}

// publish writes e and, when the bucket has it, mirrors it. It is not the
// key-value API's Put, because that loses the time to live.
func (p *Provider) publish(ctx context.Context, e providers.Entry, header nats.Header, ttl time.Duration) (uint64, error) {
	if !p.nc.IsConnected() {
		// The client would buffer it, and we would wait for the timeout.
		return 0, unavailable("%s", p.connection())
	}
	msg := nats.NewMsg(p.subject + FormatKey(e.Key))
	msg.Data = e.Value
	for k, v := range header {
		msg.Header[k] = v
	}
	opts := []jetstream.PublishOpt{jetstream.WithRetryAttempts(0)}
	if ttl > 0 {
		opts = append(opts, jetstream.WithMsgTTL(ttl))
	}
	epoch := p.table.Epoch()
	bounded, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	ack, err := p.js.PublishMsg(bounded, msg, opts...)
	if err != nil {
		return 0, p.writeFailed(ctx, err)
	}
	p.wrote("")
	e.Revision, e.Time = ack.Sequence, time.Now()
	if p.table.ApplyOwn(epoch, e) {
		p.look()
	}
	return ack.Sequence, nil
}

// JetStream error codes that mean more than "not now".
const (
	codeMessageTooLarge = 10054
	codeMaxBytes        = 10077
)

func (p *Provider) writeFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeMessageTooLarge:
			return fmt.Errorf("%w: %w", providers.ErrTooLarge, err)
		case codeMaxBytes:
			p.refused.Add(1)
			return fmt.Errorf("%w: %w", providers.ErrFull, err)
		}
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("%w: %w", providers.ErrTooLarge, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		// A full disk looks like this too: the server does not say no.
		err = fmt.Errorf("no acknowledgment within %v", p.config.Timeout)
	}
	p.wrote(err.Error())
	p.look() // no stream there? a new one?
	return unavailable("write: %w", err)
}

func (p *Provider) wrote(failure string) {
	p.mu.Lock()
	p.write, p.writeAt = failure, time.Now()
	p.mu.Unlock()
}

// look makes the follower look at the bucket now.
func (p *Provider) look() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// List implements [providers.Provider].
func (p *Provider) List(ctx context.Context, filter providers.Filter) iter.Seq2[providers.Entry, error] {
	return func(yield func(providers.Entry, error) bool) {
		err := p.begin(ctx, filter.Validate())
		if err == nil {
			err = p.waitSync(ctx)
		}
		if err != nil {
			yield(providers.Entry{}, err)
			return
		}
		s := p.table.Snapshot(filter)
		if s.Each(ctx, yield) && s.Overflow {
			yield(providers.Entry{}, fmt.Errorf("%w: the bucket holds more than the %d entries that are mirrored; raise MaxEntries", providers.ErrFull, p.config.MaxEntries))
		}
	}
}

// waitSync waits for the first sync, for as long as it moves: a large bucket
// takes seconds, an absent server is known after Config.Timeout.
func (p *Provider) waitSync(ctx context.Context) error {
	select {
	case <-p.synced:
		return nil
	default:
	}
	timeout := time.NewTimer(p.config.Timeout)
	defer timeout.Stop()
	for seen := p.table.Status().Revision; ; {
		select {
		case <-p.synced:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ctx.Done():
			return providers.ErrClosed
		case <-timeout.C:
		}
		now := p.table.Status().Revision
		if now == seen {
			return unavailable("%s", p.Status().Degraded)
		}
		seen = now
		timeout.Reset(p.config.Timeout)
	}
}

// Watch implements [providers.Provider].
func (p *Provider) Watch(ctx context.Context, filter providers.Filter) (providers.Watcher, error) {
	if err := p.begin(ctx, filter.Validate()); err != nil {
		return nil, err
	}
	return p.table.Watch(ctx, filter)
}

// Status implements [providers.Provider].
func (p *Provider) Status() providers.Status {
	s := p.table.Status()
	s.Refused = p.refused.Load()
	p.mu.Lock()
	s.Degraded = p.degraded
	if p.write != "" && time.Since(p.writeAt) < writeMemory {
		if s.Degraded != "" {
			s.Degraded += "; "
		}
		s.Degraded += "writes fail: " + p.write
	}
	p.mu.Unlock()
	switch {
	case p.ctx.Err() != nil:
		s.Degraded = "closed"
	case !p.nc.IsConnected():
		s.Degraded = p.connection()
	case s.Degraded == "" && p.table.Overflow():
		s.Degraded = fmt.Sprintf("the bucket holds more than the %d entries that are mirrored: raise MaxEntries", p.config.MaxEntries)
	}
	s.Ready = s.Degraded == ""
	return s
}

// connection says what is wrong with the connection.
func (p *Provider) connection() string {
	status := p.nc.Status()
	if err := p.nc.LastError(); err != nil && status != nats.CONNECTED {
		return fmt.Sprintf("NATS connection is %v: %v", status, err)
	}
	return fmt.Sprintf("NATS connection is %v", status)
}

// Close implements [providers.Provider]. The connection stays open.
func (p *Provider) Close(ctx context.Context) error {
	p.cancel()
	p.table.Close()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

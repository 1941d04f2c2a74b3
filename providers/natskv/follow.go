package natskv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion/internal/follow"
	"github.com/atrion-io/atrion/providers"
)

// A watch is one life of the bucket's watcher.
type watch struct {
	updates    <-chan jetstream.KeyValueEntry
	stop       func()
	created    time.Time // of the bucket
	base       uint64    // the bucket's last revision when it began
	seen       uint64    // the highest revision it is known to be past
	synced     bool
	reconnects uint64 // of the connection, when it began

	clock follow.Clock // the server's

	received uint64 // entries so far
	checked  uint64 // received at the last check
	idle     int    // checks in a row that found it behind and not moving
}

// errAgain: the watcher must be replaced, now.
var errAgain = errors.New("natskv: watcher replaced")

// run keeps the mirror current until Close. The first error that trying again
// does not cure goes to failed.
func (p *Provider) run(failed chan<- error) {
	defer close(p.done)
	status := p.nc.StatusChanged()
	defer p.nc.RemoveStatusListener(status)
	retry := time.Duration(0)
	created := time.Time{} // of the bucket that the mirror was made from
	for p.ctx.Err() == nil {
		w, err := p.attach(created)
		if err == nil {
			retry = 0
			created = w.created
			err = p.follow(w, status)
			w.stop()
		}
		if errors.Is(err, errAgain) {
			p.degrade("reading the bucket again")
			continue
		}
		p.degrade(err.Error())
		if errors.Is(err, ErrInvalidConfig) {
			select {
			case failed <- err:
			default:
			}
		}
		retry = follow.Longer(retry)
		follow.Pause(p.ctx, retry, status, nats.CONNECTED)
	}
}

func (p *Provider) degrade(why string) {
	p.mu.Lock()
	p.degraded = why
	p.mu.Unlock()
}

// attach finds or makes the bucket, tells the table what it is about to hear,
// and starts a watcher. created is of the bucket that the mirror was made from,
// if any.
func (p *Provider) attach(created time.Time) (*watch, error) {
	if !p.nc.IsConnected() {
		return nil, errors.New(p.connection())
	}
	w := &watch{reconnects: p.nc.Stats().Reconnects}
	// Taken before the bucket is asked: revisions we learn meanwhile may be
	// higher than its answer, and nothing is wrong then.
	known := p.table.Status().Revision

	ctx, cancel := context.WithTimeout(p.ctx, p.config.Timeout)
	defer cancel()
	kv, info, err := p.bind(ctx)
	if err != nil {
		return nil, err
	}
	p.kv.Store(&kv)
	p.ttl.Store(info.Config.AllowMsgTTL)
	w.created, w.base = info.Created, info.State.LastSeq
	w.clock = follow.ClockOf(info.TimeStamp)

	// Another bucket, or one that lost its newest entries: in either case
	// revisions begin again where we have been before.
	reset := !created.IsZero() && (!created.Equal(w.created) || w.base < known)
	p.table.BeginSync(reset, info.State.Msgs)

	w.updates, w.stop, err = follow.Watch(p.ctx, p.config.Timeout, func(life context.Context) (jetstream.KeyWatcher, error) { return kv.WatchAll(life) })
	if err != nil {
		return nil, fmt.Errorf("watch bucket %s: %w", p.config.Bucket, err)
	}
	return w, nil
}

// bind finds or makes the bucket.
func (p *Provider) bind(ctx context.Context) (jetstream.KeyValue, *jetstream.StreamInfo, error) {
	name := p.config.Bucket
	kv, err := p.js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = p.js.CreateKeyValue(ctx, p.config.bucket())
		if errors.Is(err, jetstream.ErrBucketExists) { // made by another node just now, in its own way
			kv, err = p.js.KeyValue(ctx, name)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	info := status.(*jetstream.KeyValueBucketStatus).StreamInfo()
	if p.config.TTL > 0 && !info.Config.AllowMsgTTL {
		return nil, nil, fmt.Errorf("%w: TTL is %v, but bucket %s exists and has no per-key TTL: enable it (nats stream edit KV_%s --allow-msg-ttl), use another bucket, or set TTL to 0",
			ErrInvalidConfig, p.config.TTL, name, name)
	}
	return kv, info, nil
}

// follow mirrors what w delivers until it must be replaced, and says why.
func (p *Provider) follow(w *watch, status <-chan nats.Status) error {
	ticker := time.NewTicker(p.config.Interval)
	defer ticker.Stop()
	for {
		select {
		case e, ok := <-w.updates:
			if !ok {
				return errors.New("the watcher ended")
			}
			if e == nil {
				p.inSync(w)
			} else {
				p.take(w, e)
			}
		case _, ok := <-status: // it may be old: what counts is how things are
			switch {
			case !ok:
				status = nil
			case !p.nc.IsConnected():
				return errors.New(p.connection())
			case p.nc.Stats().Reconnects != w.reconnects:
				// Its consumer may be gone with its server. It would find out
				// by itself, in 10 to 20 seconds.
				return errAgain
			}
		case <-p.kick:
			if err := p.check(w, false); err != nil {
				return err
			}
		case <-ticker.C:
			if err := p.check(w, true); err != nil {
				return err
			}
		case <-p.ctx.Done():
			return p.ctx.Err()
		}
	}
}

func (p *Provider) inSync(w *watch) {
	if w.synced {
		return
	}
	w.synced = true
	w.seen = max(w.seen, w.base)
	p.table.EndSync(w.base, time.Now())
	p.degrade("")
	if !w.created.Equal(p.settled.created) || w.reconnects != p.settled.reconnects {
		p.wrote("") // whatever failed to write is not who writes now
	}
	p.settled = *w
	select {
	case <-p.synced:
	default:
		close(p.synced)
	}
}

func (p *Provider) take(w *watch, e jetstream.KeyValueEntry) {
	w.received++
	w.seen = max(w.seen, e.Revision())
	key, err := ParseKey(e.Key())
	if err != nil {
		return // not ours: somebody keeps other things in the bucket
	}
	entry := providers.Entry{Key: key, Revision: e.Revision(), Time: e.Created()}
	if entry.Deleted = e.Operation() != jetstream.KeyValuePut; !entry.Deleted {
		entry.Value = e.Value()
	}
	if !w.synced {
		// Written before we listened: how long ago, the server's clock tells at
		// both ends. What comes later has just been written.
		entry.Age = w.clock.Age(e.Created())
	}
	p.table.Apply(entry)
}

// check compares the watcher with the bucket. A watcher that is behind and
// does not move at two checks in a row is replaced; a bucket that is not the
// one it was, or not there, is taken up anew at once.
func (p *Provider) check(w *watch, regular bool) error {
	if p.nc.Stats().Reconnects != w.reconnects {
		return errAgain // its event was lost in a crowd of others
	}
	known := p.table.Status().Revision
	ctx, cancel := context.WithTimeout(p.ctx, p.config.Timeout)
	defer cancel()
	stream, err := p.js.Stream(ctx, "KV_"+p.config.Bucket)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return errAgain
	}
	if err != nil {
		// Not an answer about this watcher. It may be as good as ever; the
		// operator should know that the bucket does not answer.
		if w.synced && p.ctx.Err() == nil {
			p.degrade(fmt.Sprintf("bucket %s does not answer: %v", p.config.Bucket, err))
		}
		return nil
	}
	info := stream.CachedInfo()
	if !info.Created.Equal(w.created) || info.State.LastSeq < known {
		return errAgain
	}
	if w.synced {
		p.degrade("")
	}
	if !regular {
		return nil
	}
	if (!w.synced || info.State.LastSeq > w.seen) && w.received == w.checked {
		w.idle++
	} else {
		w.idle = 0
	}
	w.checked = w.received
	if w.idle == 2 {
		return errAgain
	}
	return nil
}

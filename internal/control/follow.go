package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/atrion-io/atrion/internal/follow"
)

// errAgain: the watcher must be replaced, now.
var errAgain = errors.New("reading the bucket again")

// watch is one life of the bucket's watcher.
type watch struct {
	updates    <-chan jetstream.KeyValueEntry
	stop       func()
	created    time.Time // of the bucket
	seen       uint64    // the highest revision it is known to be past
	last       uint64    // the bucket's when it began
	behind     int       // checks in a row that found it behind
	synced     bool
	reconnects uint64 // of the connection, when it began

	clock follow.Clock // the server's
}

// run keeps f current until Close.
func (s *KV) run(f Follower) {
	status := s.nc.StatusChanged()
	defer s.nc.RemoveStatusListener(status)
	retry := time.Duration(0)
	created := time.Time{}
	for s.ctx.Err() == nil {
		w, err := s.attach(f, created)
		if err == nil {
			created, retry = w.created, 0
			err = s.follow(w, f, status)
			w.stop()
		}
		s.degrade(err.Error())
		if errors.Is(err, errAgain) {
			continue
		}
		retry = follow.Longer(retry)
		follow.Pause(s.ctx, retry, status, nats.CONNECTED)
	}
}

// attach finds or makes the bucket and starts a watcher.
func (s *KV) attach(f Follower, created time.Time) (*watch, error) {
	if !s.nc.IsConnected() {
		return nil, fmt.Errorf("NATS connection is %v", s.nc.Status())
	}
	w := &watch{reconnects: s.nc.Stats().Reconnects}
	ctx, cancel := context.WithTimeout(s.ctx, s.config.Timeout)
	defer cancel()
	kv, info, err := s.bind(ctx)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", s.config.Bucket, err)
	}
	w.created, w.last = info.Created, info.State.LastSeq
	w.clock = follow.ClockOf(info.TimeStamp)
	s.mu.Lock()
	s.kv = kv
	s.mu.Unlock()
	f.Began(!created.IsZero() && !created.Equal(w.created))

	w.updates, w.stop, err = follow.Watch(s.ctx, s.config.Timeout, func(life context.Context) (jetstream.KeyWatcher, error) { return kv.WatchAll(life) })
	if err != nil {
		return nil, fmt.Errorf("watch bucket %s: %w", s.config.Bucket, err)
	}
	return w, nil
}

func (s *KV) bind(ctx context.Context) (jetstream.KeyValue, *jetstream.StreamInfo, error) {
	kv, err := s.js.KeyValue(ctx, s.config.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		storage := jetstream.FileStorage
		if s.config.Memory {
			storage = jetstream.MemoryStorage
		}
		kv, err = s.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: s.config.Bucket, Description: "Atrion: configuration, bans and overrides", History: MaxHistory,
			MaxValueSize: maxValue, MaxBytes: maxBytes, Storage: storage, Replicas: s.config.Replicas, LimitMarkerTTL: markerTTL,
		})
		if errors.Is(err, jetstream.ErrBucketExists) { // made by another node just now
			kv, err = s.js.KeyValue(ctx, s.config.Bucket)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return nil, nil, err
	}
	info := status.(*jetstream.KeyValueBucketStatus).StreamInfo()
	if !info.Config.AllowMsgTTL {
		return nil, nil, fmt.Errorf("it exists and has no per-key TTL, without which bans do not expire: enable it (nats stream edit KV_%s --allow-msg-ttl) or use another bucket", s.config.Bucket)
	}
	return kv, info, nil
}

// follow tells f what w delivers until it must be replaced, and says why.
func (s *KV) follow(w *watch, f Follower, status <-chan nats.Status) error {
	ticker := time.NewTicker(s.config.Interval)
	defer ticker.Stop()
	for {
		select {
		case e, ok := <-w.updates:
			switch {
			case !ok:
				return errors.New("the watcher ended")
			case e == nil:
				w.synced, w.seen = true, max(w.seen, w.last)
				s.degrade("")
				f.Current()
				continue
			}
			w.seen = max(w.seen, e.Revision())
			if e.Operation() == jetstream.KeyValuePut {
				f.Found(e.Key(), e.Value(), e.Revision(), w.clock.Age(e.Created()))
			} else {
				f.Gone(e.Key())
			}
		case _, ok := <-status: // it may be old: what counts is how things are
			switch {
			case !ok:
				status = nil
			case !s.nc.IsConnected():
				return fmt.Errorf("NATS connection is %v", s.nc.Status())
			case s.nc.Stats().Reconnects != w.reconnects:
				// Its consumer may be gone with its server. It would find out
				// by itself, in 10 to 20 seconds.
				return errAgain
			}
		case <-ticker.C:
			if err := s.check(w); err != nil {
				return err
			}
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// check compares the watcher with the bucket. One that is behind at two checks in
// a row is replaced; a bucket that is not the one it was is taken up anew.
func (s *KV) check(w *watch) error {
	if s.nc.Stats().Reconnects != w.reconnects {
		return errAgain
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.config.Timeout)
	defer cancel()
	stream, err := s.js.Stream(ctx, "KV_"+s.config.Bucket)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return errAgain
	}
	if err != nil {
		if s.ctx.Err() == nil { // not an answer about this watcher
			s.degrade(fmt.Sprintf("bucket %s does not answer: %v", s.config.Bucket, err))
		}
		return nil
	}
	info := stream.CachedInfo()
	if !info.Created.Equal(w.created) || info.State.LastSeq < w.seen {
		return errAgain
	}
	w.clock = follow.ClockOf(info.TimeStamp)
	if w.synced {
		s.degrade("")
	}
	if w.behind++; w.synced && info.State.LastSeq <= w.seen {
		w.behind = 0
	}
	if w.behind == 2 {
		return errAgain
	}
	return nil
}

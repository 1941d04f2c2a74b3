package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/text"
)

// reserved are names that operators cannot sign with.
var reserved = map[string]bool{atrion.ByRule: true, atrion.ByUpstream: true}

// signed checks who asks for something and why.
func signed(by, reason string, needed bool) error {
	switch {
	case by == "" || len(by) > 64 || !text.Plain(by):
		return wrongField("by", fmt.Sprintf("%.48q", by), "1 to 64 bytes of UTF-8 without control characters: who asks for it")
	case reserved[by]:
		return wrongField("by", fmt.Sprintf("%q", by), "anything but rule and upstream, which are no operators")
	case needed && reason == "" || len(reason) > 256 || !text.Plain(reason):
		return wrongField("reason", fmt.Sprintf("%.48q", reason), "1 to 256 bytes of UTF-8 without control characters: why")
	}
	return nil
}

func wrongField(field, value, allowed string) error {
	return &atrion.FieldError{Field: field, Value: value, Allowed: allowed}
}

// Status is the document that is newest in the store and the one in force here.
type Status struct {
	Record         // the newest; ErrNotFound has none
	InForce uint64 // revision in force at this node; 0: as it was started
	Refused string // why the newest is not; "": it is
}

// Config returns the newest document.
func (c *Controller) Config(ctx context.Context) (Status, error) {
	r, err := c.store.Newest(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	return Status{Record: r, InForce: c.inForce.Revision, Refused: c.refused}, err
}

// Revision returns the document of that revision.
func (c *Controller) Revision(ctx context.Context, revision uint64) (Record, error) {
	all, err := c.store.History(ctx)
	if err != nil {
		return Record{}, err
	}
	for _, r := range all {
		if r.Revision == revision {
			return r, nil
		}
	}
	return Record{}, fmt.Errorf("%w: no document of revision %d among the last %d", ErrNotFound, revision, MaxHistory)
}

// History returns the documents that are kept, newest first.
func (c *Controller) History(ctx context.Context) ([]Record, error) { return c.store.History(ctx) }

// Diff returns what would change if the document came into force.
func (c *Controller) Diff(ctx context.Context, document []byte) ([]Change, error) {
	if _, err := c.parse(document); err != nil {
		return nil, err
	}
	now, err := c.store.Newest(ctx)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	return Diff(now.Document, document)
}

func (c *Controller) parse(document []byte) (Document, error) {
	c.checking.Lock()
	defer c.checking.Unlock()
	return c.checker.Parse(document)
}

// SetConfig makes a document the newest. parent is the revision that it was
// edited from, if not nil; else the document says so itself. ErrConflict: it is
// not the newest any more.
func (c *Controller) SetConfig(ctx context.Context, document []byte, by, reason string, parent *uint64) (Record, error) {
	if err := signed(by, reason, false); err != nil {
		return Record{}, err
	}
	d, err := c.parse(document)
	if err != nil {
		return Record{}, err
	}
	if parent == nil {
		parent = &d.Revision
	}
	return c.write(ctx, Record{By: by, Reason: reason, Parent: *parent, Document: d.JSON}, "set")
}

// Rollback makes the document of that revision the newest again.
func (c *Controller) Rollback(ctx context.Context, revision uint64, by, reason string) (Record, error) {
	if err := signed(by, reason, false); err != nil {
		return Record{}, err
	}
	all, err := c.store.History(ctx)
	if err != nil {
		return Record{}, err
	}
	for _, old := range all {
		if old.Revision != revision {
			continue
		}
		d, err := c.parse(old.Document)
		if err != nil {
			return Record{}, fmt.Errorf("revision %d is not valid any more: %w", revision, err)
		}
		return c.write(ctx, Record{By: by, Reason: reason, Parent: all[0].Revision, Restores: revision, Document: d.JSON}, "rollback")
	}
	return Record{}, fmt.Errorf("%w: no document of revision %d among the last %d", ErrNotFound, revision, MaxHistory)
}

func (c *Controller) write(ctx context.Context, r Record, action string) (Record, error) {
	r.Time = time.Now().UnixMilli()
	before, err := c.store.Newest(ctx)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Record{}, err
	}
	if before.Revision == r.Parent {
		r.Revision, err = c.store.Write(ctx, r, r.Parent)
	}
	if before.Revision != r.Parent || errors.Is(err, ErrConflict) {
		if now, err := c.store.Newest(ctx); err == nil {
			before = now
		}
		return Record{}, fmt.Errorf("%w: it is at revision %d, by %s (%s), and this was edited from %d: get it, and edit that",
			ErrConflict, before.Revision, before.By, before.Reason, r.Parent)
	}
	if err != nil {
		return Record{}, err
	}
	changes, _ := Diff(before.Document, r.Document)
	c.tell(Event{Event: ConfigEvent, Action: action, By: r.By, Reason: r.Reason, Revision: r.Revision, Parent: r.Parent, Restores: r.Restores, Changes: len(changes)})
	return r, nil
}

// AddBan puts a ban in force everywhere. It lives for whole milliseconds, a
// second at least.
func (c *Controller) AddBan(ctx context.Context, b atrion.Ban) error {
	if err := signed(b.By, b.Reason, true); err != nil {
		return err
	}
	if err := longEnough(b.TTL); err != nil {
		return err
	}
	var before *atrion.Ban
	for _, old := range c.eng.Bans() {
		if old.Route == b.Route && old.Subject == b.Subject {
			before = &old
		}
	}
	// Here first: what the engine refuses, nobody else must be told.
	if err := c.eng.Ban(b); err != nil {
		return err
	}
	err := c.putBan(ctx, b)
	switch {
	case err == nil:
	case before != nil:
		_ = c.eng.Ban(*before)
	default:
		c.eng.Unban(b.Route, b.Subject)
	}
	return err
}

// longEnough checks what the store cannot keep.
func longEnough(ttl time.Duration) error {
	if ttl < MinTTL || ttl > atrion.MaxTTL {
		return wrongField("ttl", ttl.String(), fmt.Sprintf("%v to %v", MinTTL, atrion.MaxTTL))
	}
	return nil
}

func (c *Controller) putBan(ctx context.Context, b atrion.Ban) error {
	r := rule{Route: b.Route, Subject: b.Subject, By: b.By, Reason: b.Reason, TTLMs: b.TTL.Milliseconds()}
	if err := c.store.Put(ctx, banKey(b.Route, b.Subject), encode(r), b.TTL); err != nil {
		return err
	}
	c.tell(Event{Event: BanEvent, Action: "add", By: b.By, Reason: b.Reason, Route: b.Route, Subject: b.Subject, TTLMs: r.TTLMs})
	return nil
}

// RemoveBan ends a ban everywhere. ErrNotFound: there is none.
func (c *Controller) RemoveBan(ctx context.Context, pattern, subject, by, reason string) error {
	if err := signed(by, reason, false); err != nil {
		return err
	}
	key := banKey(pattern, subject)
	if err := c.remove(ctx, key, func() bool { return c.eng.Unban(pattern, subject) }); err != nil {
		return err
	}
	c.tell(Event{Event: BanEvent, Action: "remove", By: by, Reason: reason, Route: pattern, Subject: subject})
	return nil
}

// remove takes key out of the store and what it says out of force here.
func (c *Controller) remove(ctx context.Context, key string, end func() bool) error {
	c.mu.Lock()
	_, stored := c.known[key]
	c.mu.Unlock()
	if stored {
		if err := c.store.Delete(ctx, key); err != nil {
			return err
		}
	}
	if !end() && !stored {
		return ErrNotFound
	}
	return nil
}

// SetOverride puts an override in force everywhere, likewise.
func (c *Controller) SetOverride(ctx context.Context, o atrion.Override) error {
	if err := signed(o.By, o.Reason, true); err != nil {
		return err
	}
	if err := longEnough(o.TTL); err != nil {
		return err
	}
	var before *atrion.Override
	for _, old := range c.eng.Overrides() {
		if old.Route == o.Route {
			before = &old
		}
	}
	if err := c.eng.Override(o); err != nil {
		return err
	}
	r := rule{Route: o.Route, Mode: o.Mode.String(), By: o.By, Reason: o.Reason, TTLMs: o.TTL.Milliseconds()}
	if err := c.store.Put(ctx, overrideKey(o.Route), encode(r), o.TTL); err != nil {
		if before != nil {
			_ = c.eng.Override(*before)
		} else {
			c.eng.ClearOverride(o.Route)
		}
		return err
	}
	c.tell(Event{Event: OverrideEvent, Action: "set", By: o.By, Reason: o.Reason, Route: o.Route, Mode: r.Mode, TTLMs: r.TTLMs})
	return nil
}

// ClearOverride ends an override everywhere. ErrNotFound: there is none.
func (c *Controller) ClearOverride(ctx context.Context, pattern, by, reason string) error {
	if err := signed(by, reason, false); err != nil {
		return err
	}
	if err := c.remove(ctx, overrideKey(pattern), func() bool { return c.eng.ClearOverride(pattern) }); err != nil {
		return err
	}
	c.tell(Event{Event: OverrideEvent, Action: "clear", By: by, Reason: reason, Route: pattern})
	return nil
}

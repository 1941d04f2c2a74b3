package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/atrion-io/atrion"
)

// Options of a controller. The zero value works.
type Options struct {
	Base   Base
	Node   string // in events
	Logger *slog.Logger
}

// Controller puts in force on an engine what a store holds, and changes what it
// holds for operators. Make one with New; it is safe for concurrent use.
type Controller struct {
	eng   *atrion.Engine
	store Store
	opts  Options
	audit func(Event) // set by Audit before anything happens

	parser *Parser // of what the store holds
	last   []byte  // the newest record that was looked at; the follower's own

	checking sync.Mutex
	checker  *Parser // of what operators send

	mu      sync.Mutex      // guards what follows; never held while store or engine are asked
	inForce Record          // Revision 0: what the node was started with
	refused string          // why the newest document is not in force; "" if it is
	known   map[string]held // what the store holds, as far as it is in force here
	found   map[string]bool // what was found since the store began; nil: it is current
	lost    bool

	current chan struct{} // closed when the store has been read once
	once    sync.Once

	events *atrion.Subscription
	stop   chan struct{}
	loop   sync.WaitGroup
}

// held is a rule in force here, and when its time is up.
type held struct {
	rule
	until time.Time
}

// Event is one thing that was done to nodes, or refused by one: what the audit
// stream has.
type Event struct {
	Event    string `json:"event"`  // config, ban or override
	Action   string `json:"action"` // set, rollback, applied, refused; add, remove; set, clear
	Node     string `json:"node"`   // that took the request, or that says it
	Time     int64  `json:"t"`      // unix ms at that node
	By       string `json:"by"`
	Reason   string `json:"reason,omitempty"`
	Revision uint64 `json:"revision,omitempty"` // of a document
	Parent   uint64 `json:"parent,omitempty"`
	Restores uint64 `json:"restores,omitempty"`
	Changes  int    `json:"changes,omitempty"` // fields that differ from the one before
	Route    string `json:"route,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Mode     string `json:"mode,omitempty"`
	TTLMs    int64  `json:"ttlMs,omitempty"`
	Error    string `json:"error,omitempty"`
}

// The kinds of events.
const (
	ConfigEvent   = "config"
	BanEvent      = "ban"
	OverrideEvent = "override"
)

// New returns a controller that has not begun: see Run.
func New(eng *atrion.Engine, store Store, opts Options) *Controller {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Base.Law == "" {
		opts.Base = DefaultBase()
	}
	return &Controller{
		eng: eng, store: store, opts: opts, audit: func(Event) {}, parser: NewParser(opts.Base), checker: NewParser(opts.Base),
		known: map[string]held{}, current: make(chan struct{}), stop: make(chan struct{}),
	}
}

// Audit has f told of everything that is done. It must be called before Run, and
// f must not block for long.
func (c *Controller) Audit(f func(Event)) { c.audit = f }

// Run begins to follow the store. It waits until what is there is in force, or
// for ctx: a store that is away is no error, what it holds comes into force when
// it comes back.
func (c *Controller) Run(ctx context.Context) {
	c.events = c.eng.Events(256)
	c.store.Follow((*follower)(c))
	c.loop.Go(c.share)
	select {
	case <-c.current:
	case <-ctx.Done():
		c.opts.Logger.Warn("configuration not read yet: as started until then", "why", c.store.Degraded())
	}
}

// Close stops following. What is in force stays in force.
func (c *Controller) Close(ctx context.Context) error {
	select {
	case <-c.stop:
		return nil
	default:
	}
	close(c.stop)
	c.loop.Wait()
	if c.events != nil {
		c.events.Close()
	}
	return c.store.Close(ctx)
}

// Degraded says what does not work; "" if everything does.
func (c *Controller) Degraded() string {
	c.mu.Lock()
	revision, refused := c.inForce.Revision, c.refused
	c.mu.Unlock()
	if refused != "" {
		return fmt.Sprintf("newest configuration refused, revision %d stays in force: %s", revision, refused)
	}
	if why := c.store.Degraded(); why != "" {
		return "control store: " + why
	}
	return ""
}

func (c *Controller) tell(e Event) {
	e.Node, e.Time = c.opts.Node, time.Now().UnixMilli()
	c.audit(e)
}

// follower is the controller as its store sees it.
type follower Controller

// Began implements [Follower].
func (f *follower) Began(lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found, f.lost = map[string]bool{}, lost
}

// Found implements [Follower].
func (f *follower) Found(key string, value []byte, revision uint64, age time.Duration) {
	c := (*Controller)(f)
	c.mu.Lock()
	if c.found != nil {
		c.found[key] = true
	}
	c.mu.Unlock()
	switch {
	case key == configKey:
		c.foundConfig(value, revision)
	case strings.HasPrefix(key, banPrefix), strings.HasPrefix(key, overridePrefix):
		if err := c.foundRule(key, value, age); err != nil {
			c.opts.Logger.Error("what the control store holds cannot be put in force", "key", key, "error", err)
		}
	}
}

// foundConfig puts a document in force. One that is not valid, which somebody has
// written past the nodes, leaves the last one in force.
func (c *Controller) foundConfig(value []byte, revision uint64) {
	c.mu.Lock()
	now, refused := c.inForce, c.refused
	c.mu.Unlock()
	if string(c.last) == string(value) && (now.Revision == revision || refused != "") {
		return
	}
	c.last = value
	r, err := parseRecord(value, revision)
	var d Document
	if err == nil {
		d, err = c.parser.Parse(r.Document)
	}
	if err == nil {
		err = c.eng.Apply(d.Settings)
	}
	if err != nil {
		refused = strings.ReplaceAll(err.Error(), "\n", "; ")
		c.mu.Lock()
		c.refused = refused
		c.mu.Unlock()
		c.opts.Logger.Error("configuration refused, the old one stays in force", "revision", revision, "in force", now.Revision, "by", r.By, "error", refused)
		c.tell(Event{Event: ConfigEvent, Action: "refused", By: r.By, Reason: r.Reason, Revision: revision, Error: refused})
		return
	}
	c.mu.Lock()
	c.inForce, c.refused = r, ""
	c.mu.Unlock()
	c.opts.Logger.Info("configuration in force", "revision", revision, "by", r.By, "reason", r.Reason)
	c.tell(Event{Event: ConfigEvent, Action: "applied", By: r.By, Reason: r.Reason, Revision: revision, Parent: r.Parent, Restores: r.Restores})
}

// foundRule puts a ban or an override in force for what is left of its time.
func (c *Controller) foundRule(key string, value []byte, age time.Duration) error {
	r, err := parseRule(value)
	if err != nil {
		return err
	}
	left := r.ttl() - age
	if left <= 0 {
		return nil // the store is about to notice
	}
	if strings.HasPrefix(key, banPrefix) {
		err = c.eng.Ban(atrion.Ban{Route: r.Route, Subject: r.Subject, TTL: left, By: r.By, Reason: r.Reason})
	} else {
		mode, _ := atrion.ParseForce(r.Mode)
		err = c.eng.Override(atrion.Override{Route: r.Route, Mode: mode, TTL: left, By: r.By, Reason: r.Reason})
	}
	if err == nil {
		c.mu.Lock()
		c.known[key] = held{r, time.Now().Add(left)}
		c.mu.Unlock()
	}
	return err
}

// Gone implements [Follower].
func (f *follower) Gone(key string) {
	c := (*Controller)(f)
	c.mu.Lock()
	r, ok := c.known[key]
	delete(c.known, key)
	delete(c.found, key)
	c.mu.Unlock()
	switch {
	case !ok:
	case time.Until(r.until) < time.Second:
		// It has expired, or is about to: the engine ends it to the millisecond,
		// and what a rule has put in its place meanwhile must stay.
	case strings.HasPrefix(key, banPrefix):
		c.eng.Unban(r.Route, r.Subject)
	default:
		c.eng.ClearOverride(r.Route)
	}
}

// Current implements [Follower]. What the store no longer holds was taken away
// while nobody looked, unless the store itself is another.
func (f *follower) Current() {
	c := (*Controller)(f)
	c.mu.Lock()
	var gone []string
	for key := range c.known {
		if !c.lost && !c.found[key] {
			gone = append(gone, key)
		}
	}
	c.found = nil
	c.mu.Unlock()
	for _, key := range gone {
		f.Gone(key)
	}
	c.once.Do(func() { close(c.current) })
}

// shareEvery bounds how often bans of rules are looked for.
const shareEvery = 100 * time.Millisecond

// share puts what this node's rules ban into the store, so that it holds
// everywhere. What cannot be written now is tried again.
func (c *Controller) share() {
	t := time.NewTicker(shareEvery)
	defer t.Stop()
	pending, dropped := false, uint64(0)
	for {
		select {
		case <-c.stop:
			return
		case ev := <-c.events.C():
			pending = pending || ev.Kind == atrion.EventBanned
			continue
		case <-t.C:
		}
		if n := c.events.Dropped(); pending || n != dropped {
			dropped = n
			pending = c.shareBans()
		}
	}
}

// shareBans writes the bans of rules that the store does not have, and reports
// whether some could not be written.
func (c *Controller) shareBans() (again bool) {
	for _, b := range c.eng.Bans() {
		key := banKey(b.Route, b.Subject)
		c.mu.Lock()
		old, known := c.known[key]
		c.mu.Unlock()
		if b.By != atrion.ByRule || known && time.Now().Before(old.until) {
			continue
		}
		if b.TTL < MinTTL {
			continue // over before anybody else could know
		}
		if err := c.putBan(context.Background(), b); err != nil {
			if errors.Is(err, ErrUnavailable) {
				return true
			}
			c.opts.Logger.Error("ban of a rule not shared", "subject", b.Subject, "error", err)
		}
	}
	return false
}

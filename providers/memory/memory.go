// Package memory is a [providers.Provider] that keeps state in the process:
// the default, and what a node runs on while nothing else is in reach.
package memory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/atrion-io/atrion/providers"
	"github.com/atrion-io/atrion/providers/internal/table"
)

// DefaultMaxEntries is the number of entries kept where Config says nothing.
const DefaultMaxEntries = 1 << 20

// Config configures a provider. The zero value is valid.
type Config struct {
	// MaxEntries is the most entries kept; one more drops the least recently
	// used. An entry is used when it is read by Get or written by Put; List and
	// Watch sweep and do not count. 1..2^31-1; 0: DefaultMaxEntries. An entry
	// costs about 250 bytes plus its key and value.
	MaxEntries int

	// MaxValue is the most bytes of a value. 1..2^31-1; 0:
	// providers.DefaultMaxValue.
	MaxValue int

	// Now is the clock of Entry.Time. nil: time.Now.
	Now func() time.Time
}

// ErrInvalidConfig is wrapped by every error of New.
var ErrInvalidConfig = errors.New("memory: invalid config")

// Provider keeps entries in memory. It is safe for concurrent use. Entries are
// lost with the process; nothing else loses them but eviction. Put never
// returns ErrFull, and nothing returns ErrUnavailable.
type Provider struct {
	config Config
	table  *table.Table
}

var _ providers.Provider = (*Provider)(nil)

// New returns an empty provider.
func New(config Config) (*Provider, error) {
	const limit = 1<<31 - 1
	if config.MaxEntries == 0 {
		config.MaxEntries = DefaultMaxEntries
	}
	if config.MaxValue == 0 {
		config.MaxValue = providers.DefaultMaxValue
	}
	if config.MaxEntries < 1 || config.MaxEntries > limit {
		return nil, fmt.Errorf("%w: MaxEntries %d; allowed: 1..%d", ErrInvalidConfig, config.MaxEntries, limit)
	}
	if config.MaxValue < 1 || config.MaxValue > limit {
		return nil, fmt.Errorf("%w: MaxValue %d; allowed: 1..%d", ErrInvalidConfig, config.MaxValue, limit)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Provider{config: config, table: table.New(config.MaxEntries, true)}, nil
}

// begin is what every operation checks first, in this order: a closed provider
// says so whatever else is wrong.
func (p *Provider) begin(ctx context.Context, invalid error) error {
	if p.table.Closed() {
		return providers.ErrClosed
	}
	if invalid != nil {
		return invalid
	}
	return ctx.Err()
}

// Get implements [providers.Provider].
func (p *Provider) Get(ctx context.Context, key providers.Key) (providers.Entry, error) {
	if err := p.begin(ctx, key.Validate()); err != nil {
		return providers.Entry{}, err
	}
	e, ok := p.table.Get(key)
	if !ok {
		return providers.Entry{}, providers.ErrNotFound
	}
	return e, nil
}

// Put implements [providers.Provider].
func (p *Provider) Put(ctx context.Context, key providers.Key, value []byte) (uint64, error) {
	if err := p.begin(ctx, key.Validate()); err != nil {
		return 0, err
	}
	if err := providers.CheckValue(value, p.config.MaxValue); err != nil {
		return 0, err
	}
	own := append(make([]byte, 0, len(value)), value...)
	rev, ok := p.table.Put(key, own, p.config.Now())
	if !ok {
		return 0, providers.ErrClosed
	}
	return rev, nil
}

// Delete implements [providers.Provider].
func (p *Provider) Delete(ctx context.Context, key providers.Key) error {
	if err := p.begin(ctx, key.Validate()); err != nil {
		return err
	}
	if !p.table.Remove(key, p.config.Now()) {
		return providers.ErrClosed
	}
	return nil
}

// List implements [providers.Provider].
func (p *Provider) List(ctx context.Context, filter providers.Filter) iter.Seq2[providers.Entry, error] {
	return func(yield func(providers.Entry, error) bool) {
		if err := p.begin(ctx, filter.Validate()); err != nil {
			yield(providers.Entry{}, err)
			return
		}
		p.table.Snapshot(filter).Each(ctx, yield)
	}
}

// Watch implements [providers.Provider]. Evicted entries come as Deleted.
func (p *Provider) Watch(ctx context.Context, filter providers.Filter) (providers.Watcher, error) {
	if err := p.begin(ctx, filter.Validate()); err != nil {
		return nil, err
	}
	return p.table.Watch(ctx, filter)
}

// Status implements [providers.Provider].
func (p *Provider) Status() providers.Status {
	s := p.table.Status()
	s.Ready = !p.table.Closed()
	if !s.Ready {
		s.Degraded = "closed"
	}
	return s
}

// Close implements [providers.Provider]. It does not wait for anything.
func (p *Provider) Close(context.Context) error {
	p.table.Close()
	return nil
}

package client

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// MemoryOptions bound what a Memory holds. The zero value takes the defaults.
type MemoryOptions struct {
	// Routes is the most routes remembered. Default 4096, 1 or more. One more
	// takes the place of any other.
	Routes int
	// TTL is the longest that an answer counts, whatever the node says of when
	// asking again may help. Default 100 ms, over 0.
	TTL time.Duration
}

// Memory is a client that sheds by itself what its node would shed: a request
// that bids clearly less than the R of the last rejection on its route, for as
// long as the node says that asking again is no use, is not sent. What it does
// not know for certain it asks. It is safe for concurrent use.
//
// Clearly less is a band of voltages, 4.4 %: in the band where the price lies the
// node lets some pass, by lot, and only it can.
type Memory struct {
	c    *Client
	opts MemoryOptions
	now  func() time.Time
	shed atomic.Uint64

	mu    sync.Mutex
	known map[string]price
}

// price is an R that was heard, and until when it counts.
type price struct {
	decision Decision
	until    time.Time
}

// NewMemory returns a memory before c.
func NewMemory(c *Client, opts MemoryOptions) *Memory {
	if opts.Routes < 1 {
		opts.Routes = 4096
	}
	if opts.TTL <= 0 {
		opts.TTL = 100 * time.Millisecond
	}
	return &Memory{c: c, opts: opts, now: time.Now, known: make(map[string]price)}
}

// Decide is Client.Decide. A request that is shed without being sent has the
// decision of the rejection that is remembered, with its own voltage, and what is
// left of RetryAfterMs. Requests that name no voltage, bring telemetry or name a
// subject are always sent: what the node makes of those, only it knows.
func (m *Memory) Decide(ctx context.Context, route string, r Request) (Decision, error) {
	if d, ok := m.remembered(route, &r); ok {
		m.shed.Add(1)
		return d, nil
	}
	d, err := m.c.Decide(ctx, route, r)
	if err == nil {
		m.remember(route, &d)
	}
	return d, err
}

// Shed returns how many requests were shed without being sent.
func (m *Memory) Shed() uint64 { return m.shed.Load() }

const band = 1.0443 // and a little: bands are a sixteenth of an octave

func (m *Memory) remembered(route string, r *Request) (Decision, bool) {
	if !(r.Voltage > 0) || r.Telemetry != nil || r.Subject != "" || r.Tier != "" {
		return Decision{}, false
	}
	m.mu.Lock()
	p, ok := m.known[route]
	m.mu.Unlock()
	left := p.until.Sub(m.now())
	if !ok || left <= 0 || r.Voltage*band > p.decision.Resistance {
		return Decision{}, false
	}
	d := p.decision
	d.Voltage, d.RetryAfterMs = r.Voltage, uint64(left.Milliseconds())
	return d, true
}

// remember takes in an answer: a rejection by price counts for a while, anything
// else ends what was known.
func (m *Memory) remember(route string, d *Decision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.Allow || d.Reason != "insufficient_voltage" || d.RetryAfterMs == 0 {
		// Who passes may have bid more than the price; only one who bid less
		// than it says that it is lower now.
		if p, ok := m.known[route]; ok && (d.Reason != "insufficient_voltage" && d.Reason != "allowed" || d.Allow && d.Voltage <= p.decision.Resistance) {
			delete(m.known, route)
		}
		return
	}
	if _, ok := m.known[route]; !ok && len(m.known) >= m.opts.Routes {
		for other := range m.known {
			delete(m.known, other)
			break
		}
	}
	kept := *d
	kept.Permit = ""
	m.known[route] = price{kept, m.now().Add(min(m.opts.TTL, time.Duration(d.RetryAfterMs)*time.Millisecond))}
}

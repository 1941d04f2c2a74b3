package control

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Memory is a store for one node, which forgets with the process. It is safe for
// concurrent use; its zero value works.
type Memory struct {
	mu       sync.Mutex
	follower Follower
	revision uint64
	history  []Record // oldest first
}

var _ Store = (*Memory)(nil)

// Follow implements [Store].
func (m *Memory) Follow(f Follower) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.follower = f
	f.Began(false)
	f.Current()
}

// Newest implements [Store].
func (m *Memory) Newest(context.Context) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.history) == 0 {
		return Record{}, ErrNotFound
	}
	return m.history[len(m.history)-1], nil
}

// History implements [Store].
func (m *Memory) History(context.Context) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Record, 0, len(m.history))
	for i := range m.history {
		all = append(all, m.history[len(m.history)-1-i])
	}
	return all, nil
}

// Write implements [Store].
func (m *Memory) Write(_ context.Context, r Record, last uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	newest := uint64(0)
	if n := len(m.history); n > 0 {
		newest = m.history[n-1].Revision
	}
	if last != newest {
		return 0, fmt.Errorf("%w: it is at revision %d", ErrConflict, newest)
	}
	m.revision++
	r.Revision = m.revision
	if len(m.history) == MaxHistory {
		m.history = m.history[1:]
	}
	m.history = append(m.history, r)
	if m.follower != nil {
		m.follower.Found(configKey, encode(r), r.Revision, 0)
	}
	return r.Revision, nil
}

// Put implements [Store]. What is put is not kept here: the engine has it, and
// ends it when its time is up.
func (m *Memory) Put(_ context.Context, key string, value []byte, _ time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revision++
	if m.follower != nil {
		m.follower.Found(key, value, m.revision, 0)
	}
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.follower != nil {
		m.follower.Gone(key)
	}
	return nil
}

// Degraded implements [Store].
func (m *Memory) Degraded() string { return "" }

// Close implements [Store].
func (m *Memory) Close(context.Context) error { return nil }

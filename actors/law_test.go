package actors

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// ledger is a law for tests: its states remember what they saw. A sample's
// Voltage says who sent it, its Inflight is a sequence number.
type ledger struct {
	onAdvance func(prev *entry, b *physics.Batch) // may block or panic
	onAllow   func()
	wake      time.Duration
	tripAt    int // samples until tripped; 0: never
	draws     bool

	admitted, rejected atomic.Int64 // noted, if it draws
}

type entry struct {
	law   *ledger
	n     int
	ticks int
	last  int64           // time of the last sample
	seen  map[float64]int // highest sequence number by sender
	wrong string          // the first violation of an ordering guarantee
}

func (l *ledger) Name() string            { return "ledger" }
func (l *ledger) Draws() bool             { return l.draws }
func (l *ledger) NewState() physics.State { return &entry{law: l, last: math.MinInt64} }

func (e *entry) Advance(prev physics.State, b *physics.Batch) time.Duration {
	p := prev.(*entry)
	if e.law.onAdvance != nil {
		e.law.onAdvance(p, b)
	}
	e.n, e.ticks, e.last, e.wrong = p.n, p.ticks, p.last, p.wrong
	e.seen = make(map[float64]int, len(p.seen))
	for k, v := range p.seen {
		e.seen[k] = v
	}
	if b.N == 0 {
		e.ticks++
		e.last = b.Time[0]
	}
	for i := range b.N {
		if b.Time[i] < e.last && e.wrong == "" {
			e.wrong = fmt.Sprintf("time ran backwards: %d after %d", b.Time[i], e.last)
		}
		e.last = b.Time[i]
		who, seq := b.Voltage[i], int(b.Inflight[i])
		if before, ok := e.seen[who]; ok && seq <= before && e.wrong == "" {
			e.wrong = fmt.Sprintf("sender %v: %d after %d", who, seq, before)
		}
		e.seen[who] = seq
		e.n++
	}
	return e.law.wake
}

func (e *entry) Decide(q physics.Query) (physics.Ruling, physics.Terms) {
	r := physics.Ruling{Allow: true, Mode: e.Mode()}
	if e.Mode() == physics.CircuitBreaker {
		r.Allow, r.Reason = false, physics.Tripped
	}
	return r, physics.Terms{Base: float64(e.n)}
}

func (e *entry) Allow(q physics.Query) bool {
	if e.law.onAllow != nil {
		e.law.onAllow()
	}
	r, _ := e.Decide(q)
	return r.Allow
}

func (e *entry) Note(_ physics.Query, admitted, _ bool) {
	if admitted {
		e.law.admitted.Add(1)
	} else {
		e.law.rejected.Add(1)
	}
}

func (e *entry) Epoch() uint32 { return uint32(e.n) }

func (e *entry) Break() float64 { return 0 }

func (e *entry) Mode() physics.Mode {
	switch {
	case e.law.tripAt > 0 && e.n >= e.law.tripAt:
		return physics.CircuitBreaker
	case e.n == 0:
		return physics.Bootstrap
	}
	return physics.Operational
}

func (e *entry) Settled(int64) bool { return e.Mode() != physics.CircuitBreaker }

func (e *entry) Departs(saved physics.State, _ int64) bool {
	if s, ok := saved.(*entry); ok {
		return s.n != e.n
	}
	return e.n > 0
}

func (e *entry) AppendState(dst []byte, now int64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.n))
	return binary.BigEndian.AppendUint64(dst, uint64(now-e.last))
}

func (e *entry) ParseState(src []byte, now int64) error {
	if len(src) != 16 {
		return errors.New("length")
	}
	e.n = int(binary.BigEndian.Uint64(src))
	e.last = now - int64(binary.BigEndian.Uint64(src[8:]))
	return nil
}

// system returns a system for a test, closed at its end.
func system(t testing.TB, cfg Config) *System {
	t.Helper()
	if cfg.Law == nil {
		cfg.Law = &ledger{}
	}
	s := NewSystem(context.Background(), cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func stateOf(r *Route) *entry { return r.Snapshot().State.(*entry) }

func sample(who, seq int) *physics.Sample {
	return &physics.Sample{Voltage: float64(who), Inflight: float64(seq), Time: Monotonic.Now()}
}

// eventually waits for cond, 10 s at most.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

// gate blocks a law until opened.
type gate struct {
	arrived atomic.Int32
	open    chan struct{}
	once    sync.Once
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) pass() {
	g.arrived.Add(1)
	<-g.open
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

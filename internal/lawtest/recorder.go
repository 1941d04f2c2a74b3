// Package lawtest has a law for tests of what reaches a law.
package lawtest

import (
	"sync"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// Recorder is a law that admits everything and remembers the samples it saw. It
// is safe for concurrent use.
type Recorder struct {
	mu      sync.Mutex
	samples []physics.Sample
}

// Samples returns what was seen so far.
func (r *Recorder) Samples() []physics.Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]physics.Sample(nil), r.samples...)
}

// Name returns "recorder".
func (r *Recorder) Name() string { return "recorder" }

// Draws reports false.
func (r *Recorder) Draws() bool { return false }

// NewState returns a state that records to r.
func (r *Recorder) NewState() physics.State { return state{r} }

type state struct{ r *Recorder }

func (s state) Advance(_ physics.State, b *physics.Batch) time.Duration {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	for i := range b.N {
		s.r.samples = append(s.r.samples, physics.Sample{
			Time: b.Time[i], Latency: b.Latency[i], ErrorRate: b.ErrorRate[i], Saturation: b.Saturation[i],
			Voltage: b.Voltage[i], Inflight: b.Inflight[i], Outcome: b.Outcome[i],
		})
	}
	return 0
}

func (s state) Decide(physics.Query) (physics.Ruling, physics.Terms) {
	return physics.Ruling{Allow: true, Mode: physics.Operational}, physics.Terms{}
}
func (s state) Allow(physics.Query) bool               { return true }
func (s state) Break() float64                         { return 0 }
func (s state) Mode() physics.Mode                     { return physics.Operational }
func (s state) Settled(int64) bool                     { return true }
func (s state) Departs(physics.State, int64) bool      { return false }
func (s state) AppendState(dst []byte, _ int64) []byte { return dst }
func (s state) ParseState([]byte, int64) error         { return nil }

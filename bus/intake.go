package bus

import (
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/wire"
)

// intake is the memory that the telemetry callback uses again and again. The
// NATS client calls it for one message at a time.
type intake struct {
	samples []wire.Sample
	batch   []atrion.Telemetry
}

// observe takes one telemetry message. It runs on the subscription's own
// goroutine, off the connection's read loop.
func (s *Service) observe(m *nats.Msg) {
	s.counters.telemetryMessages.Add(1)
	route, err := wire.RouteFromSubject(TelemetryPrefix, m.Subject)
	if err != nil {
		s.refuse(m.Subject, err)
		return
	}
	in := &s.intake
	in.samples, err = wire.DecodeTelemetry(m.Data, in.samples[:0])
	if err == nil {
		in.batch, err = observations(in.samples, in.batch[:0])
	}
	if err != nil {
		s.refuse(m.Subject, err)
		return
	}
	plain := in.batch[:0]
	for i := range in.samples {
		if len(in.samples[i].Permit) > 0 {
			if s.holds.end(string(in.samples[i].Permit), &in.batch[i]) {
				continue
			}
			// Expired, or another node's: the observation counts all the same,
			// unless the permit is all it says.
			s.counters.unknownPermits.Add(1)
			if in.samples[i].Has == wire.HasPermit {
				continue
			}
		}
		plain = append(plain, in.batch[i])
	}
	s.counters.telemetrySamples.Add(uint64(len(in.samples)))
	if len(plain) == 0 {
		return
	}
	if err := s.eng.Observe(route, plain...); err != nil {
		// A full mailbox or table is ours, not the sender's: the engine has
		// counted it and reported a dead letter.
		s.counters.telemetryLost.Add(1)
	}
}

// observations appends the engine's form of samples to dst. Only differences
// between the times in one message count, so that clocks need not agree: the
// newest was observed now.
func observations(samples []wire.Sample, dst []atrion.Telemetry) ([]atrion.Telemetry, error) {
	newest := int64(math.MinInt64)
	for i := range samples {
		if samples[i].Has&wire.HasTime != 0 {
			newest = max(newest, samples[i].Time)
		}
	}
	for i := range samples {
		w := &samples[i]
		t := atrion.Telemetry{
			Latency:    time.Duration(math.Round(w.LatencyMs * float64(time.Millisecond))),
			ErrorRate:  w.ErrorRate,
			Saturation: w.Saturation,
			Outcome:    w.Outcome,
			Voltage:    w.Voltage,
		}
		if w.Has&wire.HasTime != 0 {
			ms := newest - w.Time
			if ms > atrion.MaxAge.Milliseconds() {
				return nil, &wire.FieldError{Index: i, Field: "t", Value: fmt.Sprintf("%d, %v before the newest sample of the message", w.Time, time.Duration(ms)*time.Millisecond), Allowed: "within 1h of it"}
			}
			t.Age = time.Duration(ms) * time.Millisecond
		}
		dst = append(dst, t)
	}
	return dst, nil
}

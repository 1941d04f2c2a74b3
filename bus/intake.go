package bus

import (
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/wire"
	"github.com/atrion-io/atrion/physics"
)

// intake is the memory that the callback of a telemetry subscription uses again
// and again. The NATS client calls it for one message at a time.
type intake struct {
	samples []wire.Sample
	batch   []physics.Sample
}

// observe returns what takes the telemetry messages of one subscription. It runs
// on the subscription's own goroutine, off the connection's read loop.
func (s *Service) observe(prefix string) nats.MsgHandler {
	in := &intake{}
	return func(m *nats.Msg) {
		s.counters.telemetryMessages.Add(1)
		route, err := wire.RouteFromSubject(prefix, m.Subject)
		if err == nil {
			in.samples, err = wire.DecodeTelemetry(m.Data, in.samples[:0])
		}
		if err == nil {
			in.batch, err = observations(in.samples, in.batch[:0])
		}
		if err != nil {
			s.refuse(m.Subject, err)
			return
		}
		plain := in.batch
		if in.namesPermit() {
			plain = s.endPermits(in)
		}
		s.counters.telemetrySamples.Add(uint64(len(in.samples)))
		if len(plain) == 0 {
			return
		}
		if err := s.eng.ObserveSamples(route, plain); err != nil {
			// A full mailbox or table is ours, not the sender's: the engine has
			// counted it and reported a dead letter.
			s.counters.telemetryLost.Add(1)
		}
	}
}

func (in *intake) namesPermit() bool {
	for i := range in.samples {
		if len(in.samples[i].Permit) > 0 {
			return true
		}
	}
	return false
}

// endPermits ends the permits that the message names, and returns the
// observations that are left.
func (s *Service) endPermits(in *intake) []physics.Sample {
	plain := in.batch[:0]
	for i := range in.samples {
		w := &in.samples[i]
		if len(w.Permit) > 0 {
			if s.holds.End(string(w.Permit), telemetry(w)) {
				continue
			}
			// Expired, or another node's: the observation counts all the same,
			// unless the permit is all it says.
			s.counters.unknownPermits.Add(1)
			if w.Has == wire.HasPermit {
				continue
			}
		}
		plain = append(plain, in.batch[i])
	}
	return plain
}

// observations appends the law's form of samples to dst. Only differences
// between the times in one message count, so that clocks need not agree: the
// newest was observed now.
func observations(samples []wire.Sample, dst []physics.Sample) ([]physics.Sample, error) {
	newest := int64(math.MinInt64)
	for i := range samples {
		if samples[i].Has&wire.HasTime != 0 {
			newest = max(newest, samples[i].Time)
		}
	}
	for i := range samples {
		w := &samples[i]
		dst = append(dst, physics.Sample{})
		s := &dst[len(dst)-1] // filled in place: copying costs more than filling
		s.Latency, s.ErrorRate, s.Saturation, s.Voltage, s.Outcome = w.LatencyMs, w.ErrorRate, w.Saturation, w.Voltage, w.Outcome
		if w.LatencyMs == 0 {
			s.Latency = math.NaN() // not given
		}
		if w.ErrorRate == 0 && w.Outcome.Failed() {
			s.ErrorRate = 1
		}
		if w.Has&wire.HasTime != 0 {
			ms := newest - w.Time
			if ms > atrion.MaxAge.Milliseconds() {
				return nil, &wire.FieldError{Index: i, Field: "t", Value: fmt.Sprintf("%d, %v before the newest sample of the message", w.Time, time.Duration(ms)*time.Millisecond), Allowed: "within 1h of it"}
			}
			s.Time = -ms * int64(time.Millisecond)
		}
	}
	return dst, nil
}

// telemetry is the library's form of a lone sample, which was observed now.
func telemetry(w *wire.Sample) atrion.Telemetry {
	return atrion.Telemetry{
		Latency:    time.Duration(math.Round(w.LatencyMs * float64(time.Millisecond))),
		ErrorRate:  w.ErrorRate,
		Saturation: w.Saturation,
		Outcome:    w.Outcome,
		Voltage:    w.Voltage,
	}
}

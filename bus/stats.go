package bus

import "sync/atomic"

type counters struct {
	telemetryMessages atomic.Uint64
	telemetrySamples  atomic.Uint64
	telemetryLost     atomic.Uint64
	decisions         atomic.Uint64
	shed              atomic.Uint64
	capped            atomic.Uint64
	untrusted         atomic.Uint64
	refused           atomic.Uint64
	unanswered        atomic.Uint64
	unknownPermits    atomic.Uint64
	holdsExpired      atomic.Uint64
	eventsLost        atomic.Uint64
}

// Stats are a service's counters since its start.
type Stats struct {
	TelemetryMessages uint64 `json:"telemetryMessages"` // received
	TelemetrySamples  uint64 `json:"telemetrySamples"`  // in those that were not refused
	TelemetryLost     uint64 `json:"telemetryLost"`     // messages of which the engine lost a part
	TelemetryDropped  uint64 `json:"telemetryDropped"`  // messages dropped before us: we were too slow
	Decisions         uint64 `json:"decisions"`         // requests on atrion.route
	Shed              uint64 `json:"shed"`              // of them not allowed
	Capped            uint64 `json:"capped"`            // judged at less than they bid: their identity's quota was used up
	Untrusted         uint64 `json:"untrusted"`         // with a bid in headers that this node does not trust, and ignored
	Refused           uint64 `json:"refused"`           // wrong messages, which changed nothing
	Unanswered        uint64 `json:"unanswered"`        // answers that could not be sent
	Holds             int    `json:"holds"`             // permits held now
	HoldsExpired      uint64 `json:"holdsExpired"`      // permits nobody ended
	UnknownPermits    uint64 `json:"unknownPermits"`    // telemetry that named no live permit
	Partitions        int    `json:"partitions"`        // this node has, with affinity
	Nodes             int    `json:"nodes"`             // of the fleet that it knows to live, with affinity
	EventsLost        uint64 `json:"eventsLost"`        // events that could not be published
}

// Stats returns the counters.
func (s *Service) Stats() Stats {
	c := &s.counters
	st := Stats{
		TelemetryMessages: c.telemetryMessages.Load(), TelemetrySamples: c.telemetrySamples.Load(),
		TelemetryLost: c.telemetryLost.Load(), Decisions: c.decisions.Load(), Shed: c.shed.Load(),
		Capped: c.capped.Load(), Untrusted: c.untrusted.Load(), Refused: c.refused.Load(), Unanswered: c.unanswered.Load(), Holds: s.holds.Count(),
		HoldsExpired: c.holdsExpired.Load(), UnknownPermits: c.unknownPermits.Load(), EventsLost: c.eventsLost.Load(),
	}
	for _, sub := range s.subs {
		if n, err := sub.Dropped(); err == nil {
			st.TelemetryDropped += uint64(n)
		}
	}
	if s.affinity != nil {
		var dropped uint64
		st.Partitions, st.Nodes, dropped = s.affinity.stats()
		st.TelemetryDropped += dropped
	}
	if n := s.events.Dropped(); n > 0 {
		st.EventsLost += n
	}
	return st
}

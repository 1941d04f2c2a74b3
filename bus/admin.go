package bus

import (
	"encoding/json"

	"github.com/nats-io/nats.go/micro"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/wire"
)

// explain answers requests on prefix and a route, in JSON: it is asked by
// people. The body is that of a decision request; only voltage and tier matter.
func (s *Service) explain(prefix string) micro.HandlerFunc {
	return func(req micro.Request) {
		route, err := wire.RouteFromSubject(prefix, req.Subject())
		var ask wire.Request
		if err == nil {
			err = wire.DecodeRequest(req.Data(), &ask)
		}
		var x atrion.Explanation
		if err == nil {
			if ask.Tier != "" && ask.Voltage == 0 {
				ask.Voltage, err = s.eng.LaneVoltage(atrion.Lane(ask.Tier))
			}
		}
		if err == nil {
			x, err = s.eng.Explain(route, ask.Voltage, atrion.Subject(ask.Subject))
		}
		if err != nil {
			s.fail(req, wire.JSON, err)
			return
		}
		s.respondJSON(req, s.explanation(&x))
	}
}

func (s *Service) explanation(x *atrion.Explanation) wire.Explanation {
	d := &x.Decision
	answer := wire.Explanation{
		Route: d.Route, Node: s.opts.Node, Law: x.Law, Allow: d.Allow, Reason: d.Reason.String(), Mode: d.Mode.String(),
		Voltage: d.Voltage, Resistance: d.Resistance, Terms: wire.ExplanationTerms(d.Terms), Break: d.Break,
		RetryAfterMs: d.RetryAfter.Milliseconds(), Inflight: x.Inflight, Peers: x.Peers, Share: x.Share, Shed: x.Shed,
		LastSeenMs: max(x.LastSeen.Milliseconds(), -1), Revision: d.Revision, Text: x.String(), Verdict: verdict(d),
	}
	if d.Ban != nil {
		b := banOf(d)
		answer.Ban = &b
	}
	if d.Override != nil {
		o := overrideOf(d)
		answer.Override = &o
	}
	return answer
}

// Health is what atrion.admin.health answers.
type Health struct {
	Status   string       `json:"status"` // "ok" or "degraded"
	Node     string       `json:"node"`
	Mode     string       `json:"mode,omitempty"`
	Degraded []string     `json:"degraded,omitempty"`
	Engine   atrion.Stats `json:"engine"`
	Bus      Stats        `json:"bus"`
}

// Health reports the condition of engine and bus without I/O.
func (s *Service) Health() Health {
	h := Health{Status: "ok", Node: s.opts.Node, Mode: s.opts.Mode, Degraded: s.eng.Health().Degraded, Engine: s.eng.Stats(), Bus: s.Stats()}
	if !s.decisions.IsConnected() || !s.telemetry.IsConnected() {
		h.Degraded = append(h.Degraded, "NATS connection lost: deciding for in-process callers only, reconnecting")
	}
	if trouble := s.opts.Trouble(); trouble != "" {
		h.Degraded = append(h.Degraded, trouble)
	}
	if why := s.opts.Control.Degraded(); why != "" {
		h.Degraded = append(h.Degraded, why)
	}
	if len(h.Degraded) > 0 {
		h.Status = "degraded"
	}
	return h
}

func (s *Service) health(req micro.Request) { s.respondJSON(req, s.Health()) }

func (s *Service) respondJSON(req micro.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.fail(req, wire.JSON, err)
		return
	}
	s.respond(req, body)
}

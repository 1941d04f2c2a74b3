package bus

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/control"
	"github.com/atrion-io/atrion/internal/wire"
)

// eventMessage is an engine's event on the bus. Events are for people and
// dashboards, so they are JSON.
type eventMessage struct {
	Event      string  `json:"event"`
	Node       string  `json:"node"`
	Route      string  `json:"route"`
	Time       int64   `json:"t"` // unix ms at this node
	From       string  `json:"from,omitempty"`
	To         string  `json:"to,omitempty"`
	Resistance float64 `json:"resistance,omitempty"`
	Lost       int     `json:"lost,omitempty"`
	Cause      string  `json:"cause,omitempty"`
}

// publishEvents puts the engine's events on the bus until the service stops.
// The engine drops events for us if the bus is slower than they come.
func (s *Service) publishEvents() {
	defer s.loops.Done()
	for {
		select {
		case ev := <-s.events.C():
			s.publishEvent(ev)
		case <-s.stop:
			return
		}
	}
}

func (s *Service) publishEvent(ev atrion.Event) {
	if ev.Kind == atrion.EventBanned {
		if ev.Lost > 0 { // else the audit tells of it, as of every ban
			s.audit(control.Event{
				Event: control.BanEvent, Action: "failed", Node: s.opts.Node, Time: time.Now().UnixMilli(), By: atrion.ByRule, Route: ev.Route, Error: ev.Cause,
			})
		}
		return
	}
	m := eventMessage{
		Event: ev.Kind.String(), Node: s.opts.Node, Route: ev.Route, Time: time.Now().UnixMilli(),
		Resistance: ev.Resistance, Lost: ev.Lost, Cause: ev.Cause,
	}
	if ev.From != ev.To {
		m.From, m.To = ev.From.String(), ev.To.String()
	}
	subject, err := wire.SubjectFromRoute(EventPrefix+"."+m.Event, ev.Route)
	if err != nil {
		s.counters.eventsLost.Add(1)
		return
	}
	s.publish(subject, m)
}

func (s *Service) publish(subject string, message any) {
	body, err := json.Marshal(message)
	if err == nil {
		err = s.decisions.Publish(subject, body)
	}
	if err != nil {
		s.counters.eventsLost.Add(1)
	}
}

// refusedMessage reports messages that were refused.
type refusedMessage struct {
	Node    string `json:"node"`
	Time    int64  `json:"t"`
	Subject string `json:"subject"`
	Error   string `json:"error"`
	Field   string `json:"field,omitempty"`
	Value   string `json:"value,omitempty"`
	Allowed string `json:"allowed,omitempty"`
	Refused uint64 `json:"refused"` // by this node since its start
}

// refusals bounds how many refusals are reported: whoever floods a node with
// rubbish must not make it flood the bus.
type refusals struct {
	mu     sync.Mutex
	second int64
	left   int
}

const reportsPerSecond = 20

func (r *refusals) mayReport(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if second := now.Unix(); second != r.second {
		r.second, r.left = second, reportsPerSecond
	}
	r.left--
	return r.left >= 0
}

// refuse counts and reports a message that changed nothing.
func (s *Service) refuse(subject string, err error) {
	n := s.counters.refused.Add(1)
	now := time.Now()
	if !s.refused.mayReport(now) {
		return
	}
	m := refusedMessage{Node: s.opts.Node, Time: now.UnixMilli(), Subject: subject, Error: err.Error(), Refused: n}
	var f *wire.FieldError
	if errors.As(err, &f) {
		m.Field, m.Value, m.Allowed = f.Field, f.Value, f.Allowed
	}
	s.opts.Logger.Warn("message refused", "subject", subject, "error", err)
	s.publish(RefusedSubject, m)
}

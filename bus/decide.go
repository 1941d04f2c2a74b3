package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/micro"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/control"
	"github.com/atrion-io/atrion/internal/hold"
	"github.com/atrion-io/atrion/internal/wire"
)

// decide answers requests on prefix and a route, in the encoding of the request.
func (s *Service) decide(prefix string) micro.HandlerFunc {
	return func(req micro.Request) {
		s.counters.decisions.Add(1)
		data := req.Data()
		format, err := wire.FormatOf(data)
		var ask wire.Request
		var route string
		if err == nil {
			err = wire.DecodeRequest(data, &ask)
		}
		if err == nil {
			err = s.headers(req.Headers(), &ask)
		}
		if err == nil {
			route, err = wire.RouteFromSubject(prefix, req.Subject())
		}
		var reply wire.Reply
		if err == nil {
			reply, err = s.answer(route, &ask)
		}
		if err != nil {
			s.fail(req, format, err)
			return
		}
		if !reply.Allow {
			s.counters.shed.Add(1)
		}
		body, err := wire.AppendReply(nil, &reply, format)
		if err != nil {
			s.fail(req, format, err)
			return
		}
		s.respond(req, body)
	}
}

// answer decides, with the request's telemetry taken into account first.
func (s *Service) answer(route string, ask *wire.Request) (wire.Reply, error) {
	t := atrion.Telemetry{}
	if ask.Telemetry != nil {
		t = telemetry(ask.Telemetry)
	}
	// What is asked for beats what the telemetry was measured with.
	if ask.Voltage != 0 {
		t.Voltage = ask.Voltage
	}
	bid := bids(ask)
	var d atrion.Decision
	var err error
	permit, subject := "", atrion.Subject(ask.Subject)
	if ask.Hold {
		if permit, d, err = s.hold(route, t, subject, bid); err != nil {
			return wire.Reply{}, err
		}
	} else if d, err = s.eng.Decide(route, t, bid...); err != nil && d.Route == "" {
		return wire.Reply{}, err
	}
	if d.Capped {
		s.counters.capped.Add(1)
	}
	return wire.Reply{
		Allow: d.Allow, Route: d.Route, Resistance: d.Resistance, Mode: d.Mode.String(), Reason: d.Reason.String(),
		Terms: d.Terms, Voltage: d.Voltage, Break: d.Break, RetryAfterMs: uint64(d.RetryAfter.Milliseconds()),
		Capped: d.Capped, Permit: permit, Node: s.opts.Node, Revision: d.Revision,
		Verdict: verdict(&d), Ban: banOf(&d), Override: overrideOf(&d),
	}, nil
}

// bids is what the request says of its bid, beside a voltage.
func bids(ask *wire.Request) (bid []atrion.AcquireOption) {
	if ask.Tier != "" && ask.Voltage == 0 {
		bid = append(bid, atrion.Lane(ask.Tier))
	}
	if ask.Retry > 0 {
		bid = append(bid, atrion.Retry(ask.Retry))
	}
	if ask.Subject != "" {
		bid = append(bid, atrion.Subject(ask.Subject))
	}
	return bid
}

// hold takes a seat, if the request may have one, under a name that the caller
// can return it by. Telemetry that cannot be taken into account in time does not
// stop it, as with a plain decision.
func (s *Service) hold(name string, t atrion.Telemetry, subject atrion.Subject, bid []atrion.AcquireOption) (id string, d atrion.Decision, err error) {
	route, err := s.eng.RouteFor(subject, name)
	if err != nil {
		return "", d, err
	}
	if err := s.eng.Learn(name, t); errors.Is(err, atrion.ErrClosed) {
		return "", d, err
	}
	if t.Voltage != 0 {
		bid = append([]atrion.AcquireOption{atrion.Voltage(t.Voltage)}, bid...) // the last one wins
	}
	permit, d, err := route.AcquireDecision(context.Background(), bid...)
	if errors.Is(err, atrion.ErrRejected) {
		return "", d, nil
	}
	if err != nil {
		return "", d, err
	}
	id, err = s.holds.Add(sinceStart(), &permit)
	return id, d, err
}

// answering keeps answers off subjects that are not for answers. Whoever asks
// chooses where the answer goes, and must not make the node, which may write
// state and speak to other nodes, do so on its behalf.
func (s *Service) answering(handle micro.HandlerFunc) micro.HandlerFunc {
	return func(req micro.Request) {
		reply := req.Reply()
		if strings.HasPrefix(reply, "$") || strings.HasPrefix(reply, "atrion.") {
			s.refuse(req.Subject(), &wire.FieldError{Index: -1, Field: "reply", Value: fmt.Sprintf("%.80q", reply), Allowed: "an inbox: nothing that begins with $ or atrion."})
			return
		}
		handle(req)
	}
}

func (s *Service) respond(req micro.Request, body []byte) {
	if err := req.Respond(body); err != nil {
		s.counters.unanswered.Add(1)
	}
}

// fail answers a request that could not be decided, and reports it if the
// request was wrong.
func (s *Service) fail(req micro.Request, format wire.Format, err error) {
	e := errorReply(err)
	if e.Code == 400 {
		s.refuse(req.Subject(), err)
	}
	if err := req.Error(strconv.Itoa(e.Code), e.Text, wire.AppendError(nil, e, format)); err != nil {
		s.counters.unanswered.Add(1)
	}
}

// errorReply is the wire form of err. Codes are those of HTTP.
func errorReply(err error) *wire.ErrorReply {
	e := &wire.ErrorReply{Code: 400, Text: err.Error()}
	var onWire *wire.FieldError
	var inEngine *atrion.FieldError
	switch {
	case errors.As(err, &onWire):
		e.Field, e.Value, e.Allowed = onWire.Field, onWire.Value, onWire.Allowed
	case errors.As(err, &inEngine):
		e.Field, e.Value, e.Allowed = inEngine.Field, inEngine.Value, inEngine.Allowed
		if errors.Is(err, atrion.ErrInvalidRule) {
			e.Field = strings.ToLower(e.Field)
		}
	case errors.Is(err, control.ErrConflict):
		e.Code = 409
	case errors.Is(err, control.ErrNotFound):
		e.Code = 404
	case errors.Is(err, control.ErrUnavailable):
		e.Code = 503
	case errors.Is(err, atrion.ErrUnknownRoute):
		e.Code = 404
	case errors.Is(err, atrion.ErrTooManyRoutes), errors.Is(err, hold.ErrFull), errors.Is(err, atrion.ErrTooManyBans), errors.Is(err, atrion.ErrTooManyOverrides):
		e.Code = 429
	case errors.Is(err, atrion.ErrClosed):
		e.Code = 503
	}
	return e
}

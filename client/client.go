package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion/internal/wire"
	"github.com/atrion-io/atrion/physics"
)

// ErrNoNode: nobody answers decisions on this NATS system.
var ErrNoNode = errors.New("client: no atrion node is listening")

// Client asks and tells nodes. It is safe for concurrent use.
type Client struct {
	nc *nats.Conn
}

// New returns a client on nc, which stays the caller's.
func New(nc *nats.Conn) *Client { return &Client{nc: nc} }

// Request asks for a decision. The zero value asks with the node's default
// voltage.
type Request struct {
	Voltage   float64 // volts, over 0, at most 1e9; 0: Tier, or the node's default
	Tier      string  // critical, high, normal, low, bulk, or one of the node's own: 1 to 32 visible ASCII characters
	Telemetry *Sample // taken into account before deciding
	Retry     int     // the n-th try after the first, which bids less; 0 to 100
	Hold      bool    // ask for a permit: a seat that a Sample naming it ends
	Subject   string  // who asks, for bans and quotas: at most 128 visible ASCII characters
}

// Decision is a node's answer.
type Decision = wire.Reply

// Error is a node's answer to a request that it could not decide.
type Error = wire.ErrorReply

// Sample is what was observed of a route. A zero field is not given, but a
// sample that gives nothing is a call that went well.
type Sample struct {
	Latency    time.Duration // 0 to 24 h
	ErrorRate  float64       // 0 to 1
	Saturation float64       // 0 to 1
	Outcome    physics.Outcome
	Voltage    float64   // volts the call bid
	Time       time.Time // when it was observed; only differences within one Report count
	Permit     string    // ends this permit
}

func (s *Sample) wire() wire.Sample {
	w := wire.Sample{
		LatencyMs:  float64(s.Latency) / float64(time.Millisecond),
		ErrorRate:  s.ErrorRate,
		Saturation: s.Saturation,
		Outcome:    s.Outcome,
		Voltage:    s.Voltage,
		Permit:     []byte(s.Permit),
		Has:        wire.HasOutcome,
	}
	for _, f := range []struct {
		given bool
		bit   wire.Fields
	}{
		{s.Latency != 0, wire.HasLatency}, {s.ErrorRate != 0, wire.HasErrorRate}, {s.Saturation != 0, wire.HasSaturation},
		{s.Voltage != 0, wire.HasVoltage}, {s.Permit != "", wire.HasPermit},
	} {
		if f.given {
			w.Has |= f.bit
		}
	}
	if !s.Time.IsZero() {
		w.Time, w.Has = s.Time.UnixMilli(), w.Has|wire.HasTime
	}
	return w
}

// Decide asks whether a request on route may pass. Errors: ErrNoNode, *Error
// (the node refused the request, with field, value and allowed range), ctx's.
func (c *Client) Decide(ctx context.Context, route string, r Request) (Decision, error) {
	var d Decision
	ask := wire.Request{Voltage: r.Voltage, Tier: r.Tier, Hold: r.Hold, Retry: r.Retry, Subject: r.Subject}
	if r.Telemetry != nil {
		s := r.Telemetry.wire()
		ask.Telemetry = &s
	}
	body, err := wire.AppendRequest(nil, &ask, wire.Msgpack)
	if err != nil {
		return d, err
	}
	answer, err := c.request(ctx, wire.RoutePrefix, route, body)
	if errors.Is(err, ErrNoNode) {
		// With affinity the node of this route may be gone, and another not be in
		// its place yet: any other knows more than nobody.
		answer, err = c.request(ctx, wire.AnyPrefix, route, body)
	}
	if err != nil {
		return d, err
	}
	return d, wire.DecodeReply(answer, &d)
}

// Report tells the nodes what was observed of route, in one message. It does
// not wait: a node that is away hears nothing. Errors: a sample that the node
// would refuse, or a connection that cannot take the message.
func (c *Client) Report(route string, samples ...Sample) error {
	ws := make([]wire.Sample, len(samples))
	for i := range samples {
		ws[i] = samples[i].wire()
	}
	subject, err := wire.SubjectFromRoute(wire.TelemetryPrefix, route)
	if err != nil {
		return err
	}
	body, err := wire.AppendTelemetry(nil, ws, wire.Msgpack)
	if err != nil {
		return err
	}
	return c.nc.Publish(subject, body)
}

// Explanation is a node's account of why a request would pass, or not.
type Explanation = wire.Explanation

// Explain asks why a request of that voltage (0: the default) would pass or
// not. An unknown route is an *Error of code 404.
func (c *Client) Explain(ctx context.Context, route string, voltage float64) (Explanation, error) {
	var x Explanation
	body, err := wire.AppendRequest(nil, &wire.Request{Voltage: voltage}, wire.JSON)
	if err != nil {
		return x, err
	}
	answer, err := c.request(ctx, wire.ExplainPrefix, route, body)
	if err != nil {
		return x, err
	}
	if err := json.Unmarshal(answer, &x); err != nil {
		return x, fmt.Errorf("client: answer of explain: %w", err)
	}
	return x, nil
}

func (c *Client) request(ctx context.Context, prefix, route string, body []byte) ([]byte, error) {
	subject, err := wire.SubjectFromRoute(prefix, route)
	if err != nil {
		return nil, err
	}
	return c.ask(ctx, subject, body)
}

func (c *Client) ask(ctx context.Context, subject string, body []byte) ([]byte, error) {
	m, err := c.nc.RequestWithContext(ctx, subject, body)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, ErrNoNode
	}
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", subject, err)
	}
	if m.Header.Get("Nats-Service-Error-Code") != "" {
		var d Decision
		if err := wire.DecodeReply(m.Data, &d); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("client: %s: %s", subject, m.Header.Get("Nats-Service-Error"))
	}
	return m.Data, nil
}

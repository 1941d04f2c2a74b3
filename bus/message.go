package bus

import (
	"encoding/json"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// message is a request that came by a subscription of its own, not by an endpoint
// of the micro service: endpoints cannot come and go.
type message struct{ msg *nats.Msg }

var _ micro.Request = message{}

// Respond answers.
func (m message) Respond(body []byte, opts ...micro.RespondOpt) error {
	return m.respond(&nats.Msg{Data: body}, opts)
}

// RespondJSON answers in JSON.
func (m message) RespondJSON(v any, opts ...micro.RespondOpt) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return m.Respond(body, opts...)
}

// Error answers with an error.
func (m message) Error(code, text string, body []byte, opts ...micro.RespondOpt) error {
	return m.respond(&nats.Msg{Data: body, Header: nats.Header{micro.ErrorCodeHeader: {code}, micro.ErrorHeader: {text}}}, opts)
}

func (m message) respond(answer *nats.Msg, opts []micro.RespondOpt) error {
	for _, o := range opts {
		o(answer)
	}
	return m.msg.RespondMsg(answer)
}

// Data is the body.
func (m message) Data() []byte { return m.msg.Data }

// Headers are the headers.
func (m message) Headers() micro.Headers { return micro.Headers(m.msg.Header) }

// Subject is the one that was published to.
func (m message) Subject() string { return unmapped(m.msg.Subject) }

// Reply is where the answer goes.
func (m message) Reply() string { return m.msg.Reply }

// Package bus puts an engine on NATS, so that a program in any language can
// tell it what it observed and ask what may pass.
//
// # Subjects
//
//	atrion.telemetry.<route>        publish: one observation, or an array of them
//	atrion.route.<route>            request: may this request pass?
//	atrion.admin.explain.<route>    request: why would it pass, or not?
//	atrion.admin.health             request: how is the node?
//	atrion.node.<node>.<one of telemetry, route, explain>.<route>, .health
//	                                the same, of that node
//	atrion.event.<kind>.<route>     published: transitions, lost samples, ...
//	atrion.event.refused            published: messages that were refused, and why
//
// The route is the rest of the subject, so it may have several tokens; bytes
// that cannot stand in a subject are %HH. All request subjects are endpoints
// of one micro service named "atrion": "nats micro ls", info, stats and ping
// work. docs/wire.md draws the messages.
//
// # Guarantees
//
// A message is taken whole or refused whole. A refused one changes no state;
// it is counted, answered (if it was a request) and reported on
// atrion.event.refused with field, value and allowed range.
//
// Nodes share the queue group "atrion": each message is taken by one of them; in
// an embedded cluster by the one whose server the client is connected to.
// What does not fit into a bounded queue (the subscription's, a route's
// mailbox) is dropped, newest first, and counted.
//
// # Seats over the bus
//
// A request with hold gets a permit: a seat on the route that telemetry naming
// the permit ends. A permit nobody ends expires after Options.HoldTTL without
// teaching the route anything.
//
// # Concurrency
//
// A Service's methods may be called from any goroutine. Telemetry, decisions
// and state should each have their own connection, so that a flood on one does
// not stand in front of the others.
package bus

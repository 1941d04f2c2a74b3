// Package natskv is a [providers.Provider] in a NATS JetStream key-value
// bucket: state that a fleet shares and that survives restarts.
//
// # Keys
//
// A value is stored under Escape(route) + "." + Escape(node), so one route is
// one token: `nats kv watch ATRION_STATE 'checkout.*'` shows what all nodes
// say about a route, and [ParseKey] gives the names back.
//
// # Reading
//
// A watcher of the whole bucket keeps a mirror of it in this process. Once the
// first sync is done, Get and List answer from the mirror, without the
// network, also while NATS is away: then with the last that was known. A write
// of this provider is in the mirror when it returns; a write of another one
// arrives with the watcher's delay, well under a millisecond as a rule. Before
// the first sync Get asks the server, and List waits for the sync.
//
// # Writing
//
// A write waits for the bucket's acknowledgment, at most Config.Timeout, and
// not at all while the connection is known to be down: it is ErrUnavailable
// then. Nothing is queued, because state that is late is overtaken anyway; the
// owner writes again. With Config.TTL each write starts the key's time to live
// anew.
//
// # When things break
//
// The key-value API's own watcher goes blind for 10 to 20 seconds when its
// server restarts, and for good when its bucket is made anew. So the watcher
// here is replaced on every reconnect, when it stops making progress while the
// bucket grows, and when the bucket is not the one it was. In the last case
// watchers get [providers.Reset], whereupon owners write their state again;
// a bucket that is gone is made again first.
package natskv

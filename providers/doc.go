// Package providers says what Atrion asks of a place that keeps the state
// nodes share: the [Provider] contract, its errors and its limits.
//
// Two providers come with the module. providers/memory keeps state in the
// process, bounded and with least-recently-used eviction; providers/natskv
// keeps it in a NATS JetStream key-value bucket, so that a fleet shares it and
// a restart finds it again. providers/providertest is the suite that both
// pass, and that any other provider must pass.
//
// # What is stored
//
// One value per (route, node). A value is written only by its node: it is that
// node's whole contribution to a route, never a delta. So there are no
// conflicts, no compare-and-set and no read-modify-write; a reader that misses
// versions loses nothing, because the newest says everything.
//
// # Where it stands
//
// A decision never waits for a provider. Engines write after the fact, from an
// actor, and read through a [Watcher]. A provider may therefore be slow, or
// away for hours; what it must not do is block for ever, grow without bound or
// answer with the state of another key.
//
// # Concurrency
//
// Every method of a Provider and of a Watcher may be called from any goroutine
// at any time. Values are copied on the way in and on the way out: what a
// caller does to its slice afterwards changes nothing that is stored, and the
// other way round.
package providers

// Package actors runs one actor per route: the goroutine that alone owns the
// route's resistance state, fed by a bounded mailbox, publishing immutable
// snapshots that any goroutine may decide by.
//
// # Life of a sample
//
// [Route.Put] appends the sample to the route's mailbox. The first sample in
// an empty mailbox starts the actor's goroutine; the goroutine takes all that
// waits as one struct-of-arrays batch, has the law advance the state over it,
// publishes the successor with one atomic store, and repeats. A busy route's
// goroutine lingers a moment for more, so that producers need not wake it for
// every sample; an idle route has no goroutine at all and costs a few hundred
// bytes, which is what makes a million routes affordable.
//
// # Ordering
//
// A state has one writer, its actor. Samples of one goroutine are seen in the
// order they were put, and a sample put before another goroutine was told of
// it is seen before that goroutine's next. Snapshots replace one another in
// the order of the batches; a reader sees a whole snapshot or another whole
// snapshot, never a mixture, and never an older one after a newer one. Sample
// times never run backwards towards a law: a time before the last one seen is
// raised to it.
//
// # Backpressure
//
// A mailbox holds MailboxSize samples, and the batch being worked on at most
// as many again. From half full on, producers yield their processor now and
// then; if the mailbox is still full after a yield, the newest sample is
// dropped, counted and reported as a dead letter. Producers never block: a load
// shedder must not queue without bound.
//
// # Failure
//
// A panic in a law loses the batch that met it, is counted, reported, and
// changes no published state. The supervisor restarts the actor after a
// back-off that doubles with every failure in a row. A route that failed
// MaxFailures times in a row is faulty until a batch succeeds: its decisions
// fail open (or closed, if so configured) and say so.
//
// # Passivation
//
// The registry holds at most MaxRoutes routes. Routes that are idle, healthy
// and settled give way first, after IdleAfter or when room is needed; a
// tripped or scarred route, or one with calls in flight, is never evicted. If
// nothing can give way, a new route is refused with ErrTooManyRoutes.
//
// # Stop
//
// [System.Close] refuses new routes and samples, lets every actor finish its
// mailbox, writes what the provider has not seen, and returns: all bounded by
// its context. After a clean Close no goroutine of the system is left.
//
// # State
//
// With a provider, a route's stored state is read back when the route is
// created, before its first decision, and written again, coalesced, when it
// departs from what is stored by more than the law's tolerance. Decisions
// never wait for a provider.
package actors

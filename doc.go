// Package atrion decides, for every request on every route, whether it may
// pass: overload protection without thresholds to tune.
//
// A route is a conductor. A request bids V volts and passes if and only if
//
//	V > R(t),    R = R_base + Pressure + Momentum + ScarTissue    (ohms)
//
// and every decision reports every term, so that "why was this request shed?"
// has an answer.
//
// # Use
//
// Guard a call with a permit:
//
//	eng, err := atrion.New(atrion.Config{})
//	...
//	route, err := eng.Route("payments")
//	...
//	permit, err := route.Acquire(ctx, atrion.High)
//	if err != nil {
//		return err // errors.Is(err, atrion.ErrRejected): shed
//	}
//	err = callPayments(ctx)
//	permit.Done(err)
//
// or let [Do] hold the permit. What is measured elsewhere comes in through
// [Route.Observe], and [Engine.Decide] does both at once.
//
// # How it works
//
// Each route is an actor that alone owns the route's state (package actors).
// Observations go to its mailbox; it works them off in batches with vectorised
// kernels (package vec) under a law (package physics) and publishes an
// immutable snapshot. Decisions read that snapshot on the caller's goroutine:
// no lock, no channel, no I/O, no allocation.
//
// # Concurrency
//
// Everything here may be used from any goroutine. A sample put by Done or
// Observe is seen by the route before any later sample of the same goroutine;
// a decision sees the newest published snapshot.
//
// This package links no network code. The bus lives in package bus, state
// shared by a fleet in providers/natskv.
package atrion

// Package requirements holds the product to what users of its field ask for:
// one file per requirement, each beginning with the promise. The tests use the
// public API of package atrion and nothing else of the product: in virtual time
// where the promise is about control, with goroutines where it is about
// concurrency.
//
// Every test has a control arm, a variant that is broken on purpose and must
// fail. A promise that is not kept stands as a known miss: the number that was
// measured, its cause, and a test that fails if the number gets worse and also
// if the promise is kept after all, so that the note goes.
package requirements

// Package scenarios plays closed-loop stories against the product through its
// own API: real engines, real actors, virtual time. A story has a verdict, and
// the controller that does nothing must fail every part of it; otherwise the
// story proves nothing.
//
// The stories are tests: go test ./scenarios -v prints what was measured.
// scenarios/peers, a module of its own, holds the comparison with other
// libraries.
package scenarios

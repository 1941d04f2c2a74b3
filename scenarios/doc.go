// Package scenarios is where the product proves itself: closed-loop cases in
// simulated time, with finite callees, clients that retry and give up, an oracle,
// and promises. The arm under test is the product, through its own API; see
// [Product] and [Held].
//
// Package control has the rivals written from their papers, stories the fifteen
// stories of the original told honestly, requirements what users of this field
// ask for, windtunnel the runner behind "atrion-node windtunnel". peers, a module
// of its own, plays the same cases with other libraries.
//
// A verdict that doing nothing passes is none: a test demands that it fails each.
package scenarios

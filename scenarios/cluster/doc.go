// Package cluster breaks clusters of real atrion-node processes and counts what
// it costs. It has tests only, which take minutes and start when asked to:
//
//	ATRION_CLUSTER=1 go test ./scenarios/cluster -v -timeout 30m
//
// docs/operations.md has the table that comes out.
//
// # What is done
//
// Clients ask for decisions all the time, on a route that is well and on one
// whose callee fails, and report on both all the time. They have a connection to
// every node. A request that is not answered within 200 ms goes to the next node,
// for 3 s in all: messages are spread over the members, and one that hangs, or a
// link that is cut, swallows its share until the others notice.
//
// # What is counted
//
// A decision is lost if the request got no answer within its 3 s while at least
// one node was alive and could be reached.
//
// A wrong re-opening is a node that lets more than half of twenty requests in a
// row pass on the failing route, while the callee fails as before and the node
// had shed the route before the fault; or a node that was restarted, and asked
// within two seconds of its end, whose first answer about the route does not come
// from a tripped state. (That answer may let its request pass: what a route
// remembers fades while its node is away, and probes go through. After some
// seconds little is left, and the first calls have to tell it anew.)
//
// The fleet has converged when every live node, asked for itself, says that it
// is well, that the one route is shed and the other is not, and reads in the
// bucket, through its own server, what every other live node has written about a
// route that was new after the fault.
package cluster

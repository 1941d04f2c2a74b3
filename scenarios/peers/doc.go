// Package peers measures Atrion beside other libraries of its field, in one
// process and one run, so that a figure is a ratio and not a machine. It is a
// module of its own: no user of Atrion downloads what it is compared with.
//
//	cd scenarios/peers && go test -bench . -cpu 1,2 -count 10
//
// Package tunnel has the same libraries, and more of them, in the wind tunnel.
package peers

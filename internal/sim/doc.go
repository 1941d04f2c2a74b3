// Package sim is a discrete-event simulator of one backend, the clients that
// want something of it, and the controller at the gateway between them that
// decides which attempts pass.
//
// The loop is closed: what the controller admits makes the latencies it sees
// afterwards, clients whose attempts fail come again, and a client that gave
// up leaves its work behind at the backend. Logical requests, however, arrive
// whatever becomes of earlier ones.
//
// # Reproducibility
//
// A run depends on its scenario, its seed, its options and its controller, and
// on nothing else: not on the machine, the scheduler, or the wall clock. Every
// event has an instant of its own (vtime.Loop.Distinct). Logarithms,
// exponentials and cosines are computed here, in operations that every machine
// rounds alike, because those of package math differ between machines in the
// last bit; products that are added to something are rounded explicitly, so
// that no compiler fuses them.
//
// Numbers that belong to a request, such as its service time, are drawn from a
// generator keyed by the seed, the request and the try. Controllers therefore
// meet the same requests with the same work, whatever they do with them: the
// difference of two controllers under one seed is theirs, not chance's.
//
// # Units
//
// Instants of a scenario are seconds from its start; latencies and service
// times are milliseconds; the loop counts nanoseconds.
package sim

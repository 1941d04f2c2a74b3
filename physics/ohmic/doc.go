// Package ohmic is the closed-loop law, Atrion's default: a request that bids V
// volts passes if and only if V > R, and R is the price that clears the market
// between the demand that arrives and what the callee can serve.
//
// Its parts, each in the file of its name:
//
//   - bands, demand, price: what arrives, by voltage, and the demand curve (1-3)
//   - supply: what the callee can do with so many calls in flight (4, 7)
//   - failures: the memory of failure (5)
//   - decide: the decision, and its terms in volts (6)
//   - window: the limit, learned while the load rejects, and the baseline (8, 9)
//   - cohort, dip, slowstart: measurements with requests of their own (10, 11)
//   - adrift: calls in flight of callers who hold no seat
//   - fleet, learner, evidence, share: several nodes before one callee: who is
//     there, who learns for all, what others saw fail, and what nodes tell
//   - codec: what is kept over a restart
//
// The numbers are those of the equations in docs/physics.md, which has their
// derivation, the ablations and the limits. Time and chance are arguments; all
// arithmetic is rounded operation by operation, so that machines agree.
//
// A [State] is advanced by one actor and read by anyone; what arrives is counted
// in counters that successive states share, with atomic additions.
package ohmic

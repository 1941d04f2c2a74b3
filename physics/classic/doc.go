// Package classic is the published law of Atrion, exact: the equations of the
// original library (v2.0.0, RFC-0001 to RFC-0003), its order of evaluation and
// its faults. It is the law for those who must decide as the original does, and
// the control arm of every comparison with a better one.
//
// # The law
//
// Every call of a route brings telemetry, from which follow
//
//	P = tanh((x - baseline)/baseline * scale)           pressure, per component
//	M = |P - P'| / dt                                   momentum, 1/ms
//	S = S*e^(-lambda*dt) + (scarFactor if |P+| > crit)  scar, ohms
//	R = max(base, base + W.P + damping*M + S)           resistance, ohms
//
// and from R the mode: operational until R reaches the break point, then
// circuit breaker until R falls below the recovery point or the scar is small
// and the pressure too. A request of V volts passes if and only if the route is
// not tripped and V > R. Each term has its file, with its equation, its units
// and its source.
//
// # Three forms
//
//   - The equations: pure scalar functions, [Normalize], [Momentum], [Decay],
//     [Config.Scar], [Config.Resistance], [Config.Next], [Flow], [SelectRoute],
//     [Weights] and their guards.
//   - [Params.Step]: one call of the original's route(), in the original's
//     order, in plain Go and with package math. It is the oracle and what
//     replays recordings.
//   - [Law] and [State]: the same law as a [physics.Law], whole batches at a
//     time through the kernels of package vec, with a tuner per route. This is
//     what the engine runs. The same samples give the same bits on every
//     machine, on every vec level and however they were cut into batches; they
//     differ from Step in the last bits of tanh and exp.
//
// The law decides what the original decides, with two additions that no
// recording can contradict: between calls the scar decays in decisions too
// (State.Decide), and time never runs backwards in them.
//
// # Faults
//
// What the original does wrong is kept wherever a decision depends on it, and
// said where it lives, under "Known fault". The worst: momentum compares with
// the pressure of two calls ago ([Momentum]); a missing or infinite reading
// counts as excellent ([Normalize], [Pressure]); scars grow per call and fade
// per second ([Config.Scar]); the tuner learns from the failure it should catch
// ([Trips]); an idle healthy route may never close again, and a silent one
// never does ([Config.Recovers]); an invalid configuration yields R = 0
// ([Config.Resistance]), which [New] refuses to build.
//
// Not kept: the tuner that all routes of the original share (Step can), and
// text or booleans as numbers.
//
// # Purity
//
// No clock, no randomness, no lock, no goroutine, no package state; instants
// and uniform numbers are arguments. Only constructors allocate.
//
// testdata holds what the original computed: 16 sequences of calls, 1,960
// function calls and 18 experiments. See its README for which are matched.
package classic

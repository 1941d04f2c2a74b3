// Package tunnel puts the libraries that Go services guard themselves with into
// the wind tunnel: the published code, at the versions of this module's go.mod,
// behind the interface sim.Controller.
//
// # Time
//
// The libraries read the clock of the process. A run therefore happens in a
// bubble of testing/synctest, whose clock stands still while code runs: before a
// library is asked or told anything, the adapter sleeps until the bubble's clock
// shows the simulator's instant (see clock). An hour of traffic takes as long as
// its events take to compute.
//
// # Dice
//
// The same seed must give the same history. Libraries that seed their dice by
// the clock are repeatable in a bubble as they are. failsafe-go's throttler
// throws unseeded ones; it is asked for its rate, and the run's own source is
// thrown against it (see throttler).
//
// # What is run, and why it is fair
//
//   - gobreaker: sony/gobreaker v2.4.0. Trips if half of at least 20 requests
//     of a window of 10 s failed, by the rule of its own example; stays open for
//     5 s, needs 10 good probes. Two-step interface; each callback is kept for
//     its own attempt.
//   - gobreaker-rolling: the same over completed requests and a sliding window.
//   - gobreaker-default: the same with no settings: 6 failures in a row, open
//     for a minute, one probe.
//   - go-resiliency: eapache/go-resiliency v1.7.0 breaker, as in its README: 3
//     errors without an error-free 5 s between them, 1 good probe, 5 s. It knows
//     no rate.
//   - failsafe-breaker: failsafe-go v0.9.8 circuitbreaker. Half of at least 20 in
//     a sliding 10 s, open for 5 s, 5 good probes.
//   - failsafe-adaptive: failsafe-go adaptivelimiter without its queue, limits
//     1 to 2000 (200 would be less than some backends hold), beginning at 20.
//     Every outcome is recorded with its duration, as its executor does.
//   - failsafe-throttler: failsafe-go adaptivethrottler with its defaults.
//   - failsafe-throttler-prio: its prioritized form, over 10 s; VIP, normal and
//     background take its priorities VeryHigh, Medium and VeryLow; calibrated
//     every half second.
//   - gozero-breaker: go-zero v1.10.3 core/breaker, which has no settings. A
//     failed attempt is rejected, a good one accepted, as in its middleware.
//   - gozero-shedder: the law of go-zero's core/load.AdaptiveShedder with its
//     defaults, written anew over the library's rolling windows: the library
//     reads the utilization of the machine and lets nobody give it another. A
//     test compares 200,000 decisions with the library's own.
//   - kratos-bbr: go-kratos/aegis v0.2.0 ratelimit/bbr with its defaults; the
//     function by which it reads the utilization is replaced.
//
// The last two are told the busy share of the simulated servers, which a gateway
// cannot know: they are meant for the server's own process. The reading is
// smoothed over a quarter of a second where their own take five and ten, to
// their advantage.
//
// Outcomes: OK is a success; an error, a timeout and a full queue are failures.
// The two limiters that only learn from durations, failsafe-adaptive and
// kratos-bbr, are told all of them.
//
// # Reproducibility
//
// The same seed gives the same bytes on one kind of processor. The libraries'
// own arithmetic may be fused on another.
package tunnel

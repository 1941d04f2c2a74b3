// Package tuner learns, per route, how high a resistance is normal and from
// that when a route must trip and when it has recovered.
//
// It keeps an exponential mean mu and variance of the observed resistances and
// sets
//
//	break    = clamp(mu + k*sigma, floor, ceiling)
//	recovery = max(floor/2, multiplier*break)
//
// Until Warmup values were observed the break point is FallbackBreak: a mean
// of three values says nothing, and a limit made from it would trip at once.
//
// # Shape
//
// A [Config] is immutable and shared by all routes, a [State] is three words
// per route. All methods are pure: no clock, no lock, no allocation, no
// randomness. Config may be used by any number of goroutines; a State belongs
// to whoever holds it.
//
// # What it learns from
//
// The arithmetic is that of the published law (RFC-0001, adaptive thresholds)
// and so is its weakness: it does not judge what it is fed. A caller that
// feeds it the resistances of a failing or of a tripped route raises the very
// limit that should have caught the failure ("boiling frog"); Ceiling bounds
// how far, Floor bounds the opposite. Not feeding it during a failure is the
// caller's decision, and package classic, which reproduces the original, does
// feed it.
//
// # The detector
//
// [Detector], configured by [DetectorConfig], is the same idea for reporting:
// it judges any series (latency, errors, resistance) by mean + k*sigma and says
// why: "812 ms is 6.1 sigma over 240 ms". It decides nothing. Its differences
// are the lessons of the above and of labelled series:
//
//	x     = clip(value, mean +- Clip*sigma)
//	level = level + min(a, 1/2)*(x - level)           a = q/(1+q), q = ln2 dt/Smoothing
//	w     = w/(1+p) + dt                              p = ln2 dt/HalfLife
//	delta = clip(level - mean, +-Winsor*sigma)
//	mean  = mean + (dt/w)*delta
//	var   = (1 - dt/w)*(var + (dt/w)*delta^2)
//	sigma = sqrt(var + (FloorShare*mean)^2 + Floor^2)
//	raised where |level - mean| > Raise*sigma, cleared where < Clear*sigma
//
// The mean and variance are the exponentially weighted ones of West (1979),
// weighted by time; the two clippings are winsorising (Huber 1964); the level is
// the chart of Roberts (1959), which is why a small shift that stays is found
// and a large value that does not is forgiven.
//
//   - Memory is in time. A value counts for the time since the one before it,
//     so neither more traffic nor irregular sampling teaches faster. Where
//     values are rarer than MaxStep, every gap counts as MaxStep.
//   - Heavy tails: one wild value neither alarms nor teaches, unless values are
//     so rare that each of them is half of the level.
//   - Nothing is learned while alarmed: mean and sigma keep every bit. What
//     lasts longer than Accept (3 h) without once returning becomes normal, as
//     it was learned beside. A failure of an hour never does.
//   - Two limits, and incidents: an excursion within Quiet of the last one is
//     Relapsed, and only Raised is news.
//   - NaN, infinities and times that do not advance are not observed.
//
// With the defaults, at one value per second: noise of 5, 10 and 30 % (normal,
// lognormal, Student with 3 degrees of freedom) raises about one false alarm in
// 50 days; a shift of 5 standard deviations of single values is found within
// 10 values; what grows tenfold in an hour is found below twice the normal; a
// swing of 1:3 within a day is followed. Two values of one instant count once,
// and a failure slower than the half-life can still teach its way in: a swing
// of the day and a drift of the day look the same from here.
//
// Limits that are learned and limits that trip differ: where the alarm is to
// trip something, turn TwoSided off and mind that the mean of a route that was
// never healthy is not healthy.
package tuner

// Package replay runs recorded calls through a law and writes what the law
// makes of each: one JSON object a line in, one out. It is the way to check a
// law against recordings, and a recording against a law, from outside.
//
// # Input
//
// The first line is the header: {"config":{...},"slo":{...},"autoTuner":{...}
// or null,"fallbackBreak":100,"defaultVoltage":100}, in the names of the
// original library. Members that are left out of config, slo and autoTuner have
// the published defaults; autoTuner itself must be there, null for static
// limits. weights and baselines stand in for what slo implies where they are
// given. Other members are ignored.
//
// Every other line is a call or a reset; empty lines are skipped:
//
//	{"i":{"t":1700000000000,"lat":90.6,"err":0.005,"sat":0.38,"v":50,"id":"api/a"}}
//	{"op":"reset","id":"api/a"}
//
// t is in ms, to the nanosecond, and may go back. lat is in ms, err and sat are
// fractions; missing ones, null, booleans and what is not finite count as not
// given, and text counts by the number it begins with, as in JavaScript, so
// that recordings of bad input stay in step. v is in volts, the header's
// defaultVoltage where missing. "NaN", "Infinity", "-Infinity" and "undefined"
// are written as text. id may be left out where there is one route. One tuner
// serves all routes. A reset drops its route and keeps the tuner. Anything else
// on a line, such as a recorded outcome, is ignored.
//
// # Output
//
// One line per call, none per reset:
//
//	{"p":[lat,err,sat],"m":..,"s":..,"r":..,"mode":"B|O|C","mean":..,"sd":..,"n":..,"bp":..,"rp":..,"allow":..}
//
// Pressures, momentum (per ms, null in bootstrap), scar and resistance (ohms),
// mode, the tuner's mean, deviation and count (null where it is off), break and
// recovery point (ohms), decision. Numbers are the shortest decimals that read
// back to the same bits, or text where they are not finite.
//
// # Limits
//
// Lines are at most 1 MiB, route names 1024 bytes, routes 100,000 at a time.
// What exceeds them, and what is malformed, ends the run with an error that
// names line, field, value and what is allowed; the lines before are answered.
package replay

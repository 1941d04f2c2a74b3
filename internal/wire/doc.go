// Package wire holds the messages of Atrion's bus and their two encodings,
// msgpack and JSON. It is shared by the node and by clients.
//
// # Telling them apart
//
// The first byte decides: '{' and '[' begin JSON, 0x80..0x9f and 0xdc..0xdf
// (maps and arrays) begin msgpack. Nothing else is a message.
//
// # What is accepted
//
// Fields that are not known are ignored, so that either side may be newer. A
// known field that is wrong refuses the whole message, with a [*FieldError]
// that names field, value and allowed range: half a message is worth less than
// none. In samples and requests a known field given twice is wrong, also once
// under its long and once under its short name; in replies the last one counts.
// Integers are accepted where fractions are expected and
// the other way round where nothing is lost; null is not a number.
//
// # What it costs
//
// Messages come from strangers. No length, count or depth that a message
// claims is believed before the bytes for it are there, nesting is limited to
// [MaxDepth], and decoding allocates nothing in proportion to a claim. Samples
// in msgpack are decoded without any allocation.
//
// All functions are safe for concurrent use; they keep no state.
package wire

import "github.com/atrion-io/atrion/internal/route"

// Limits on messages.
const (
	MaxMessage = 64 << 10     // bytes in a message
	MaxSamples = 1024         // samples in a telemetry message
	MaxDepth   = 16           // maps and arrays within one another
	MaxPermit  = 64           // bytes in a permit
	MaxProfile = 64           // bytes in a profile name
	MaxRoute   = route.MaxLen // bytes in a route name
)

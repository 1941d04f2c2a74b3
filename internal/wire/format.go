package wire

// Format is the encoding of a message.
type Format uint8

const (
	// JSON is for people: what `nats pub` and `nats req` send.
	JSON Format = iota
	// Msgpack is for programs.
	Msgpack
)

// String returns the format's name.
func (f Format) String() string {
	if f == Msgpack {
		return "msgpack"
	}
	return "json"
}

// FormatOf tells the encoding of a message by its first byte. An empty message
// counts as JSON: whoever sends nothing is likely to read the answer.
func FormatOf(data []byte) (Format, error) {
	if len(data) == 0 {
		return JSON, nil
	}
	switch c := data[0]; {
	case c == '{' || c == '[':
		return JSON, nil
	case c >= 0x80 && c <= 0x9f || c >= 0xdc && c <= 0xdf:
		return Msgpack, nil
	}
	return JSON, formatError(data, 0, "want '{' or '[' (JSON), or a msgpack map or array (0x80..0x9f, 0xdc..0xdf)")
}

package bus

// Secret is a string that prints as "(secret)", so that no log, error or
// status page shows it by accident.
type Secret string

const hidden = "(secret)"

// String, GoString and MarshalText hide the secret; string(s) has it.
func (s Secret) String() string               { return hidden }
func (s Secret) GoString() string             { return hidden }
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

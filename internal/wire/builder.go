package wire

import "strconv"

// builder appends one map after the other in either encoding.
type builder struct {
	dst    []byte
	format Format
	comma  bool // JSON: something precedes in this map
}

// open begins a map of n fields, at most 65,535.
func (b *builder) open(n int) {
	if b.format == Msgpack {
		b.dst = mpMap(b.dst, n)
		return
	}
	b.dst, b.comma = append(b.dst, '{'), false
}

func (b *builder) close() {
	if b.format == JSON {
		b.dst, b.comma = append(b.dst, '}'), true
	}
}

// key writes a key, which must need no escapes.
func (b *builder) key(name string) {
	if b.format == Msgpack {
		b.dst = mpStr(b.dst, name)
		return
	}
	if b.comma {
		b.dst = append(b.dst, ',')
	}
	b.dst = append(append(append(b.dst, '"'), name...), '"', ':')
	b.comma = true
}

func (b *builder) float(name string, v float64) {
	b.key(name)
	if b.format == Msgpack {
		b.dst = mpFloat(b.dst, v)
	} else {
		b.dst = jsonFloat(b.dst, v)
	}
}

func (b *builder) uint(name string, v uint64) {
	b.key(name)
	if b.format == Msgpack {
		b.dst = mpUint(b.dst, v)
	} else {
		b.dst = strconv.AppendUint(b.dst, v, 10)
	}
}

func (b *builder) str(name, v string) {
	b.key(name)
	if b.format == Msgpack {
		b.dst = mpStr(b.dst, v)
	} else {
		b.dst = jsonStr(b.dst, v)
	}
}

func (b *builder) bytes(name string, v []byte) {
	b.key(name)
	if b.format == Msgpack {
		b.dst = mpStr(b.dst, v)
	} else {
		b.dst = jsonStr(b.dst, v)
	}
}

func (b *builder) bool(name string, v bool) {
	b.key(name)
	if b.format == Msgpack {
		b.dst = mpBool(b.dst, v)
	} else {
		b.dst = strconv.AppendBool(b.dst, v)
	}
}

func jsonInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

package wire

import (
	"encoding/binary"
	"math"
)

func mpKind(c byte) kind {
	switch {
	case c < 0x80 || c >= 0xe0 || c >= 0xca && c <= 0xd3:
		return kindNumber
	case c < 0x90 || c == 0xde || c == 0xdf:
		return kindMap
	case c < 0xa0 || c == 0xdc || c == 0xdd:
		return kindArray
	case c < 0xc0 || c >= 0xd9 && c <= 0xdb:
		return kindString
	case c == 0xc0:
		return kindNil
	case c == 0xc2 || c == 0xc3:
		return kindBool
	case c == 0xc1: // never used
		return kindBad
	}
	return kindOther // c4..c9, d4..d8
}

// mpTake returns the n bytes after the type byte and moves past them.
func (w *walker) mpTake(n int) ([]byte, error) {
	rest := w.data[w.pos+1:]
	if n > len(rest) {
		w.pos = len(w.data)
		return nil, w.bad("cut short")
	}
	w.pos += 1 + n
	return rest[:n], nil
}

// mpLength reads the big-endian length of size bytes behind the type byte.
func (w *walker) mpLength(size int) (int, error) {
	b, err := w.mpTake(size)
	if err != nil {
		return 0, err
	}
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	w.pos-- // so that mpTake can follow: it skips one byte
	if n > math.MaxInt32 {
		n = math.MaxInt32 // more than any message has: refused by what follows
	}
	return int(n), nil
}

// mpCount reads the header of a map or array. A count that the bytes left
// cannot hold, at one byte a value, is refused here.
func (w *walker) mpCount(k kind) (n int, err error) {
	start := w.pos
	switch c := w.data[w.pos]; {
	case c < 0x90 || c < 0xa0 && k == kindArray:
		n = int(c & 0x0f)
	case c == 0xdc || c == 0xde:
		n, err = w.mpLength(2)
	default: // 0xdd, 0xdf
		n, err = w.mpLength(4)
	}
	if err != nil {
		return 0, err
	}
	w.pos++
	need := n
	if k == kindMap {
		need = 2 * n
	}
	if need > len(w.data)-w.pos {
		w.pos = start
		return 0, w.bad("claims more than the message holds")
	}
	return n, nil
}

func (w *walker) mpNumber() (v number, err error) {
	c := w.data[w.pos]
	switch {
	case c < 0x80:
		w.pos++
		return number{f: float64(c), n: uint64(c), exact: true}, nil
	case c >= 0xe0:
		w.pos++
		return signed(int64(int8(c))), nil
	}
	size := [10]int{4, 8, 1, 2, 4, 8, 1, 2, 4, 8}[c-0xca]
	b, err := w.mpTake(size)
	if err != nil {
		return v, err
	}
	var u uint64
	for _, x := range b {
		u = u<<8 | uint64(x)
	}
	switch {
	case c == 0xca:
		return number{f: float64(math.Float32frombits(uint32(u)))}, nil
	case c == 0xcb:
		return number{f: math.Float64frombits(u)}, nil
	case c <= 0xcf:
		return number{f: float64(u), n: u, exact: true}, nil
	}
	shift := 64 - 8*size
	return signed(int64(u<<shift) >> shift), nil
}

func signed(i int64) number {
	if i < 0 {
		return number{f: float64(i), n: uint64(-i), neg: true, exact: true}
	}
	return number{f: float64(i), n: uint64(i), exact: true}
}

func (w *walker) mpString() ([]byte, error) {
	c := w.data[w.pos]
	if c < 0xc0 {
		return w.mpTake(int(c & 0x1f))
	}
	n, err := w.mpLength(1 << (c - 0xd9))
	if err != nil {
		return nil, err
	}
	return w.mpTake(n)
}

// mpSkipOther passes over bin and ext.
func (w *walker) mpSkipOther() error {
	c := w.data[w.pos]
	if c >= 0xd4 { // fixext 1, 2, 4, 8, 16 and their type byte
		_, err := w.mpTake(1 + 1<<(c-0xd4))
		return err
	}
	size, extra := c-0xc4, 0
	if c >= 0xc7 {
		size, extra = c-0xc7, 1
	}
	n, err := w.mpLength(1 << size)
	if err != nil {
		return err
	}
	_, err = w.mpTake(n + extra)
	return err
}

// Encoding.

func mpMap(dst []byte, n int) []byte {
	if n <= 15 {
		return append(dst, 0x80|byte(n))
	}
	return binary.BigEndian.AppendUint16(append(dst, 0xde), uint16(n))
}

func mpFloat(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(v))
}

func mpArray(dst []byte, n int) []byte {
	if n <= 15 {
		return append(dst, 0x90|byte(n))
	}
	return append(dst, 0xdc, byte(n>>8), byte(n))
}

func mpUint(dst []byte, v uint64) []byte {
	switch {
	case v < 0x80:
		return append(dst, byte(v))
	case v <= math.MaxUint8:
		return append(dst, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), v)
}

func mpStr[S []byte | string](dst []byte, s S) []byte {
	switch n := len(s); {
	case n < 32:
		dst = append(dst, 0xa0|byte(n))
	case n <= math.MaxUint8:
		dst = append(dst, 0xd9, byte(n))
	case n <= math.MaxUint16:
		dst = append(dst, 0xda, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
	}
	return append(dst, s...)
}

func mpBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 0xc3)
	}
	return append(dst, 0xc2)
}

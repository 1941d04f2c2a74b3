package wire

import (
	"math"
	"strconv"
)

// kind is what sort of value comes next.
type kind uint8

const (
	kindBad kind = iota // no value begins here
	kindNil
	kindBool
	kindNumber
	kindString
	kindArray
	kindMap
	kindOther // msgpack bin and ext: values we can skip but never want
)

// number is a decoded number: f always, and exactly n (negative if neg) where
// it is an integer of up to 64 bits.
type number struct {
	f     float64
	n     uint64
	neg   bool
	exact bool
}

// walker reads a message of either encoding, one value after the other, so
// that each message is decoded by one function. It never looks beyond data,
// and never trusts a count for more than the bytes that are left.
type walker struct {
	data  []byte
	pos   int
	json  bool
	depth int
	// left is, by depth, how many keys or items of a msgpack map or array are
	// still to come; in JSON whether (1) an item has been seen.
	left [MaxDepth + 1]int32
}

func newWalker(data []byte) (w walker, err error) {
	if err := checkSize(data); err != nil {
		return w, err
	}
	f, err := FormatOf(data)
	return walker{data: data, json: f == JSON}, err
}

func (w *walker) bad(what string) error { return formatError(w.data, w.pos, what) }

// kind tells what comes next. In JSON it skips the space before it.
func (w *walker) kind() kind {
	if w.json {
		return w.jsonKind()
	}
	if w.pos >= len(w.data) {
		return kindBad
	}
	return mpKind(w.data[w.pos])
}

// enter goes into the map or array that comes next.
func (w *walker) enter(want kind) error {
	if w.kind() != want {
		if want == kindMap {
			return w.bad("want a map")
		}
		return w.bad("want an array")
	}
	if w.depth == MaxDepth {
		return w.bad("nested more than " + strconv.Itoa(MaxDepth) + " deep")
	}
	var n int
	if w.json {
		w.pos++
	} else {
		var err error
		if n, err = w.mpCount(want); err != nil {
			return err
		}
	}
	w.depth++
	w.left[w.depth] = int32(n)
	return nil
}

// more reports whether the map or array has another key or item, and stands
// at it; at the end it leaves.
func (w *walker) more(in kind) (bool, error) {
	if w.json {
		return w.jsonMore(in)
	}
	if w.left[w.depth] == 0 {
		w.depth--
		return false, nil
	}
	w.left[w.depth]--
	return true, nil
}

// key reads a map's key. Keys that are no strings are nil: not known to us.
func (w *walker) key() ([]byte, error) {
	if w.json {
		return w.jsonKey()
	}
	switch w.kind() {
	case kindString:
		return w.str()
	case kindBad:
		return nil, w.bad("want a key")
	}
	return nil, w.skip()
}

// end checks that nothing follows.
func (w *walker) end() error {
	if w.json {
		w.space()
	}
	if w.pos < len(w.data) {
		return w.bad("want the end of the message")
	}
	return nil
}

// number reads the number that comes next; kind must have said kindNumber.
func (w *walker) number() (number, error) {
	if w.json {
		return w.jsonNumber()
	}
	return w.mpNumber()
}

// str reads the string that comes next; kind must have said kindString. The
// result may be part of the message.
func (w *walker) str() ([]byte, error) {
	if w.json {
		return w.jsonString()
	}
	return w.mpString()
}

// boolean reads the boolean that comes next; kind must have said kindBool.
func (w *walker) boolean() (bool, error) {
	if w.json {
		return w.jsonBool()
	}
	v := w.data[w.pos] == 0xc3
	w.pos++
	return v, nil
}

// skip passes over the value that comes next, whatever it is.
func (w *walker) skip() error {
	switch k := w.kind(); k {
	case kindBad:
		return w.bad("want a value")
	case kindNil:
		if w.json {
			return w.literal("null")
		}
		w.pos++
		return nil
	case kindBool:
		_, err := w.boolean()
		return err
	case kindNumber:
		_, err := w.number()
		return err
	case kindString:
		_, err := w.str()
		return err
	case kindOther:
		return w.mpSkipOther()
	default:
		if err := w.enter(k); err != nil {
			return err
		}
		for {
			ok, err := w.more(k)
			if !ok || err != nil {
				return err
			}
			if k == kindMap {
				if _, err := w.key(); err != nil {
					return err
				}
			}
			if err := w.skip(); err != nil {
				return err
			}
		}
	}
}

// describe reads the value that comes next for an error message.
func (w *walker) describe() string {
	const most = 48
	k, start := w.kind(), w.pos
	switch k {
	case kindNumber:
		if v, err := w.number(); err == nil {
			if w.json {
				return clip(string(w.data[start:w.pos]), most)
			}
			if v.exact && v.neg {
				return "-" + strconv.FormatUint(v.n, 10)
			} else if v.exact {
				return strconv.FormatUint(v.n, 10)
			}
			return strconv.FormatFloat(v.f, 'g', -1, 64)
		}
	case kindString:
		if s, err := w.str(); err == nil {
			return strconv.Quote(clip(string(s), most))
		}
	case kindBool:
		if v, err := w.boolean(); err == nil {
			return strconv.FormatBool(v)
		}
	case kindNil:
		return "null"
	case kindArray:
		return "an array"
	case kindMap:
		return "a map"
	case kindOther:
		return "binary"
	}
	return "unreadable"
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "..."
	}
	return s
}

// wrong is the error of the value that began at start.
func (w *walker) wrong(at int, field, allowed string, start int) error {
	w.pos = start
	value := w.describe()
	return &FieldError{Index: at, Field: field, Value: value, Allowed: allowed}
}

// float reads a number within [lo, hi].
func (w *walker) float(at int, field string, lo, hi float64, allowed string) (float64, error) {
	k, start := w.kind(), w.pos
	if k == kindNumber {
		v, err := w.number()
		if err != nil {
			return 0, err
		}
		if v.f >= lo && v.f <= hi { // not NaN
			return v.f + 0, nil // -0 is 0
		}
	} else if err := w.whole(k); err != nil {
		return 0, err
	}
	return 0, w.wrong(at, field, allowed, start)
}

// whole makes sure that what is about to be refused as a wrong value is a value
// at all: broken messages are malformed, not wrong.
func (w *walker) whole(k kind) error {
	if k == kindBad {
		return w.bad("want a value")
	}
	at, depth := w.pos, w.depth
	err := w.skip()
	if err == nil {
		w.pos, w.depth = at, depth
	}
	return err
}

// uint reads an integer within [0, hi], which may be written as a fraction.
func (w *walker) uint(at int, field string, hi uint64, allowed string) (uint64, error) {
	k, start := w.kind(), w.pos
	if k == kindNumber {
		v, err := w.number()
		if err != nil {
			return 0, err
		}
		if v.exact && (!v.neg || v.n == 0) && v.n <= hi {
			return v.n, nil
		}
		if !v.exact && v.f >= 0 && v.f < 1<<53 && v.f == math.Trunc(v.f) && uint64(v.f) <= hi {
			return uint64(v.f), nil
		}
	} else if err := w.whole(k); err != nil {
		return 0, err
	}
	return 0, w.wrong(at, field, allowed, start)
}

// text reads a string that ok accepts.
func (w *walker) text(at int, field string, ok func([]byte) bool, allowed string) ([]byte, error) {
	k, start := w.kind(), w.pos
	if k == kindString {
		s, err := w.str()
		if err != nil {
			return nil, err
		}
		if ok(s) {
			return s, nil
		}
	} else if err := w.whole(k); err != nil {
		return nil, err
	}
	return nil, w.wrong(at, field, allowed, start)
}

// flag reads a boolean.
func (w *walker) flag(at int, field string) (bool, error) {
	k, start := w.kind(), w.pos
	if k == kindBool {
		return w.boolean()
	}
	if err := w.whole(k); err != nil {
		return false, err
	}
	return false, w.wrong(at, field, "true or false", start)
}

func twice(at int, field string) error {
	return &FieldError{Index: at, Field: field, Value: "given twice", Allowed: "once"}
}

package wire

import (
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

func (w *walker) space() {
	for w.pos < len(w.data) {
		switch w.data[w.pos] {
		case ' ', '\t', '\n', '\r':
			w.pos++
		default:
			return
		}
	}
}

func (w *walker) jsonKind() kind {
	w.space()
	if w.pos >= len(w.data) {
		return kindBad
	}
	switch c := w.data[w.pos]; c {
	case '{':
		return kindMap
	case '[':
		return kindArray
	case '"':
		return kindString
	case 't', 'f':
		return kindBool
	case 'n':
		return kindNil
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return kindNumber
		}
	}
	return kindBad
}

func (w *walker) jsonMore(in kind) (bool, error) {
	end := byte('}')
	if in == kindArray {
		end = ']'
	}
	w.space()
	if w.pos >= len(w.data) {
		return false, w.bad("cut short")
	}
	first := w.left[w.depth] == 0
	w.left[w.depth] = 1
	switch c := w.data[w.pos]; {
	case c == end:
		w.pos++
		w.depth--
		return false, nil
	case first:
		return true, nil
	case c == ',':
		w.pos++
		return true, nil
	}
	return false, w.bad("want ',' or '" + string(end) + "'")
}

func (w *walker) jsonKey() ([]byte, error) {
	if w.jsonKind() != kindString {
		return nil, w.bad("want a key in quotes")
	}
	k, err := w.jsonString()
	if err != nil {
		return nil, err
	}
	w.space()
	if w.pos >= len(w.data) || w.data[w.pos] != ':' {
		return nil, w.bad("want ':'")
	}
	w.pos++
	return k, nil
}

func (w *walker) literal(s string) error {
	if len(w.data)-w.pos < len(s) || string(w.data[w.pos:w.pos+len(s)]) != s {
		return w.bad("want " + s)
	}
	w.pos += len(s)
	return nil
}

func (w *walker) jsonBool() (bool, error) {
	if w.data[w.pos] == 't' {
		return true, w.literal("true")
	}
	return false, w.literal("false")
}

// digits passes over decimal digits and reports whether there was one.
func (w *walker) digits() bool {
	start := w.pos
	for w.pos < len(w.data) && w.data[w.pos] >= '0' && w.data[w.pos] <= '9' {
		w.pos++
	}
	return w.pos > start
}

func (w *walker) jsonNumber() (number, error) {
	start := w.pos
	neg := w.data[w.pos] == '-'
	if neg {
		w.pos++
	}
	first := w.pos
	if !w.digits() {
		return number{}, w.bad("want a digit")
	}
	if w.data[first] == '0' && w.pos > first+1 {
		w.pos = first + 1
		return number{}, w.bad("a number has no leading zeros")
	}
	last := w.pos
	fraction := false
	if w.pos < len(w.data) && w.data[w.pos] == '.' {
		fraction = true
		w.pos++
		if !w.digits() {
			return number{}, w.bad("want a digit")
		}
	}
	if w.pos < len(w.data) && w.data[w.pos]|0x20 == 'e' {
		fraction = true
		w.pos++
		if w.pos < len(w.data) && (w.data[w.pos] == '+' || w.data[w.pos] == '-') {
			w.pos++
		}
		if !w.digits() {
			return number{}, w.bad("want a digit")
		}
	}
	v := number{neg: neg}
	if !fraction && last-first <= 19 { // fits 64 bits without a look
		for _, c := range w.data[first:last] {
			v.n = v.n*10 + uint64(c-'0')
		}
		v.exact = true
		v.f = float64(v.n)
		if neg {
			v.f = -v.f
		}
		return v, nil
	}
	if !fraction && last-first == 20 {
		if n, err := strconv.ParseUint(string(w.data[first:last]), 10, 64); err == nil {
			v.n, v.exact = n, true
		}
	}
	// Too large for a float64 is infinite, which no field allows.
	f, err := strconv.ParseFloat(string(w.data[start:w.pos]), 64)
	if err != nil && !math.IsInf(f, 0) {
		return number{}, w.bad("not a number")
	}
	v.f = f
	return v, nil
}

// jsonString reads a string. It is part of the message unless it has escapes.
func (w *walker) jsonString() ([]byte, error) {
	start := w.pos + 1
	for i := start; i < len(w.data); i++ {
		switch c := w.data[i]; {
		case c == '"':
			w.pos = i + 1
			return w.data[start:i], nil
		case c == '\\':
			return w.jsonEscaped(start, i)
		case c < 0x20:
			w.pos = i
			return nil, w.bad("control byte in a string")
		}
	}
	w.pos = len(w.data)
	return nil, w.bad("string without end")
}

// jsonEscaped reads on at i, the first backslash of the string that began at
// start.
func (w *walker) jsonEscaped(start, i int) ([]byte, error) {
	// Unescaping never makes a string longer.
	s := append(make([]byte, 0, min(len(w.data)-start, i-start+64)), w.data[start:i]...)
	for w.pos = i; w.pos < len(w.data); {
		c := w.data[w.pos]
		switch {
		case c == '"':
			w.pos++
			return s, nil
		case c < 0x20:
			return nil, w.bad("control byte in a string")
		case c != '\\':
			s = append(s, c)
			w.pos++
			continue
		}
		w.pos++
		if w.pos >= len(w.data) {
			break
		}
		switch c := w.data[w.pos]; c {
		case '"', '\\', '/':
			s = append(s, c)
		case 'b':
			s = append(s, '\b')
		case 'f':
			s = append(s, '\f')
		case 'n':
			s = append(s, '\n')
		case 'r':
			s = append(s, '\r')
		case 't':
			s = append(s, '\t')
		case 'u':
			r := hex4(w.data[w.pos+1:])
			if r < 0 {
				return nil, w.bad("want \\u and four hex digits")
			}
			w.pos += 4
			if utf16.IsSurrogate(r) {
				// Half a pair without the other stands for no character.
				pair := rune(utf8.RuneError)
				if rest := w.data[w.pos+1:]; len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
					pair = utf16.DecodeRune(r, max(0, hex4(rest[2:])))
				}
				if pair != utf8.RuneError {
					w.pos += 6
				}
				r = pair
			}
			s = utf8.AppendRune(s, r)
		default:
			return nil, w.bad("no such escape")
		}
		w.pos++
	}
	w.pos = len(w.data)
	return nil, w.bad("string without end")
}

// hex4 reads four hex digits, or returns -1.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		d := unhex(c)
		if d < 0 {
			return -1
		}
		r = r<<4 | rune(d)
	}
	return r
}

// unhex is the value of a hex digit, or -1.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// Encoding.

func jsonFloat(dst []byte, v float64) []byte { return strconv.AppendFloat(dst, v, 'g', -1, 64) }

const hexDigits = "0123456789ABCDEF"

func jsonStr[S []byte | string](dst []byte, s S) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
			dst = utf8.AppendRune(dst, r) // what is no character becomes U+FFFD
			i += n
			continue
		}
		i++
	}
	return append(dst, '"')
}

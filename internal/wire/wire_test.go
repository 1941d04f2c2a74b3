package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/atrion-io/atrion/physics"
)

// pack encodes v as msgpack with the library, to have an encoder that is not
// ours.
func pack(t testing.TB, v any) []byte {
	t.Helper()
	b, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type m = map[string]any

func full() Sample {
	return Sample{
		LatencyMs: 12.5, ErrorRate: 0.25, Saturation: 0.75, Voltage: 50, Time: 1753000000123,
		Permit: []byte("p-1"), Outcome: physics.Timeout, Has: 0x7f,
	}
}

func TestDecodeTelemetry(t *testing.T) {
	for _, c := range []struct {
		name string
		in   any // a map is sent in both encodings, string and []byte as they are
		want []Sample
	}{
		{"long names", m{"latencyMs": 12.5, "errorRate": 0.25, "saturation": 0.75, "voltage": 50.0, "t": int64(1753000000123), "permit": "p-1", "outcome": "timeout"}, []Sample{full()}},
		{"short names", m{"l": 12.5, "e": 0.25, "s": 0.75, "v": 50, "t": int64(1753000000123), "permit": "p-1", "o": "timeout"}, []Sample{full()}},
		{"only latency", m{"l": 0}, []Sample{{Has: HasLatency}}},
		{"only error rate", m{"e": 1}, []Sample{{ErrorRate: 1, Has: HasErrorRate}}},
		{"only saturation", m{"s": 1.0}, []Sample{{Saturation: 1, Has: HasSaturation}}},
		{"only outcome", m{"o": "ok"}, []Sample{{Has: HasOutcome}}},
		{"only permit", m{"permit": "x"}, []Sample{{Permit: []byte("x"), Has: HasPermit}}},
		{"largest", m{"l": 86400000, "e": 1, "s": 1, "v": 1e9, "t": int64(MaxTime)}, []Sample{{LatencyMs: 86400000, ErrorRate: 1, Saturation: 1, Voltage: 1e9, Time: MaxTime, Has: 0x1f}}},
		{"float32", m{"l": float32(1.5)}, []Sample{{LatencyMs: 1.5, Has: HasLatency}}},
		{"time as a fraction", m{"l": 1, "t": 1.753e12}, []Sample{{LatencyMs: 1, Time: 1753000000000, Has: HasLatency | HasTime}}},
		{"smallest voltage", m{"l": 1, "v": math.SmallestNonzeroFloat64}, []Sample{{LatencyMs: 1, Voltage: math.SmallestNonzeroFloat64, Has: HasLatency | HasVoltage}}},
		{"unknown", m{"l": 1, "zz": nil, "deep": []any{m{"a": []any{1, 2, "x", 1.5, nil, true}}}, "L": -1, "latencyms": "no", "": 0, strings.Repeat("k", 300): strings.Repeat("v", 300)}, []Sample{{LatencyMs: 1, Has: HasLatency}}},
		{"array of one", []any{m{"l": 1}}, []Sample{{LatencyMs: 1, Has: HasLatency}}},
		{"array", []any{m{"l": 1}, m{"e": 0.5, "x": 1}, m{"o": "error"}}, []Sample{
			{LatencyMs: 1, Has: HasLatency}, {ErrorRate: 0.5, Has: HasErrorRate}, {Outcome: physics.Error, Has: HasOutcome}}},
		{"JSON space", " \t\n\r{ }", nil}, // the first byte decides
		{"JSON space within", "{ \"l\" : 1 ,\r\n\t\"e\":0 }  \n", []Sample{{LatencyMs: 1, Has: HasLatency | HasErrorRate}}},
		{"JSON exponent", `{"l":1.5e2,"e":1E-1}`, []Sample{{LatencyMs: 150, ErrorRate: 0.1, Has: HasLatency | HasErrorRate}}},
		{"JSON escapes", `{"\u006c":3,"permit":"\u0041\/\"\\"}`, []Sample{{LatencyMs: 3, Permit: []byte(`A/"\`), Has: HasLatency | HasPermit}}},
		{"JSON minus zero", `{"l":-0,"e":-0.0}`, []Sample{{Has: HasLatency | HasErrorRate}}},
		{"msgpack minus zero", m{"l": math.Copysign(0, -1), "e": math.Copysign(0, -1)}, []Sample{{Has: HasLatency | HasErrorRate}}},
		{"msgpack int64", []byte("\x81\xa1l\xd3\x00\x00\x00\x00\x00\x00\x01\x00"), []Sample{{LatencyMs: 256, Has: HasLatency}}},
		{"msgpack int8", []byte("\x81\xa1l\xd0\x07"), []Sample{{LatencyMs: 7, Has: HasLatency}}},
		{"msgpack uint32", []byte("\x81\xa1l\xce\x00\x01\x00\x00"), []Sample{{LatencyMs: 65536, Has: HasLatency}}},
		{"msgpack map32, str8 key and value", []byte("\xdf\x00\x00\x00\x01\xd9\x06permit\xd9\x02ab"), []Sample{{Permit: []byte("ab"), Has: HasPermit}}},
		{"msgpack array32, map16", []byte("\xdd\x00\x00\x00\x01\xde\x00\x01\xa1e\x01"), []Sample{{ErrorRate: 1, Has: HasErrorRate}}},
		{"msgpack keys that are no strings", []byte("\x84\xa1l\x01\x07\x08\xc0\xc0\x92\x01\x02\x81\x01\x02"), []Sample{{LatencyMs: 1, Has: HasLatency}}},
		{"msgpack bin and ext", []byte("\x88\xa1l\x01" +
			"\xa1a\xc4\x02xy" + "\xa1b\xc5\x00\x01x" + "\xa1c\xc7\x01\x05x" + "\xa1d\xd4\x05x" + "\xa1f\xd6\xff1234" + "\xa1g\xd8\x051234567890123456" + "\xa1h\xc9\x00\x00\x00\x01\x05x"), []Sample{{LatencyMs: 1, Has: HasLatency}}},
	} {
		var inputs [][]byte
		switch in := c.in.(type) {
		case string:
			inputs = [][]byte{[]byte(in)}
		case []byte:
			inputs = [][]byte{in}
		default:
			j, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			inputs = [][]byte{j, pack(t, in)}
		}
		for _, in := range inputs {
			got, err := DecodeTelemetry(in, nil)
			if c.want == nil {
				if !errors.Is(err, ErrFormat) {
					t.Errorf("%s: %v; want ErrFormat", c.name, err)
				}
				continue
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: % x\n got %+v, %v\nwant %+v", c.name, in, got, err, c.want)
			}
			for _, s := range got {
				if math.Signbit(s.LatencyMs) || math.Signbit(s.ErrorRate) {
					t.Errorf("%s: minus zero got through", c.name)
				}
			}
		}
	}
}

func nested(open, inside, end string, n int) string {
	return strings.Repeat(open, n) + inside + strings.Repeat(end, n)
}

// TestRefused has one line for each way to be wrong, and what the error says.
func TestRefused(t *testing.T) {
	many := make([]any, MaxSamples+1)
	for i := range many {
		many[i] = m{"l": 1}
	}
	for _, c := range []struct {
		name string
		in   any
		is   error
		says []string
	}{
		{"latency below", m{"l": -0.5}, ErrField, []string{"sample 0: latencyMs is -0.5", "allowed: 0..86400000 (ms)"}},
		{"latency above", m{"latencyMs": 86400001}, ErrField, []string{"latencyMs is 86400001", "0..86400000"}},
		{"latency string", m{"l": "12"}, ErrField, []string{`latencyMs is "12"`, "0..86400000"}},
		{"latency null", m{"l": nil}, ErrField, []string{"latencyMs is null"}},
		{"latency bool", m{"l": true}, ErrField, []string{"latencyMs is true"}},
		{"latency array", m{"l": []any{1}}, ErrField, []string{"latencyMs is an array"}},
		{"latency map", m{"l": m{"x": 1}}, ErrField, []string{"latencyMs is a map"}},
		{"latency binary", []byte("\x81\xa1l\xc4\x01x"), ErrField, []string{"latencyMs is binary"}},
		{"latency NaN", []byte("\x81\xa1l\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01"), ErrField, []string{"latencyMs is NaN"}},
		{"latency Inf", []byte("\x81\xa1l\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"), ErrField, []string{"latencyMs is +Inf"}},
		{"latency -Inf as float32", []byte("\x81\xa1l\xca\xff\x80\x00\x00"), ErrField, []string{"latencyMs is -Inf"}},
		{"latency beyond float64", `{"l":1e999}`, ErrField, []string{"latencyMs is 1e999"}},
		{"latency of 20 digits", `{"l":18446744073709551616}`, ErrField, []string{"latencyMs is 18446744073709551616"}},
		{"latency of 24 digits", `{"l":184467440737095516160000}`, ErrField, []string{"latencyMs is 184467440737095516160000"}},
		{"time of 20 digits", `{"l":1,"t":18446744073709551617}`, ErrField, []string{"t is 18446744073709551617"}},
		{"latency uint64", []byte("\x81\xa1l\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), ErrField, []string{"latencyMs is 18446744073709551615"}},
		{"latency int64", []byte("\x81\xa1l\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), ErrField, []string{"latencyMs is -9223372036854775808"}},
		{"latency negative fixint", []byte("\x81\xa1l\xff"), ErrField, []string{"latencyMs is -1"}},
		{"error rate below", m{"e": -1}, ErrField, []string{"errorRate is -1", "allowed: 0..1"}},
		{"error rate above", m{"errorRate": 1.0000000000000002}, ErrField, []string{"errorRate is 1.0000000000000002", "0..1"}},
		{"saturation above", m{"saturation": 2}, ErrField, []string{"saturation is 2", "0..1"}},
		{"voltage zero", m{"l": 1, "voltage": 0}, ErrField, []string{"voltage is 0", "over 0, at most 1e9"}},
		{"voltage below", m{"l": 1, "v": -3}, ErrField, []string{"voltage is -3"}},
		{"voltage above", m{"l": 1, "v": 1.1e9}, ErrField, []string{"voltage is 1", "at most 1e9"}},
		{"time below", m{"l": 1, "t": -1}, ErrField, []string{"t is -1", "0..253402300799999"}},
		{"time above", m{"l": 1, "t": int64(MaxTime + 1)}, ErrField, []string{"t is 253402300800000"}},
		{"time fraction", m{"l": 1, "t": 1.5}, ErrField, []string{"t is 1.5", "an integer"}},
		{"time string", m{"l": 1, "t": "now"}, ErrField, []string{`t is "now"`}},
		{"outcome", m{"outcome": "OK"}, ErrField, []string{`outcome is "OK"`, "ok, error, timeout, dropped, ignored"}},
		{"outcome number", m{"o": 1}, ErrField, []string{"outcome is 1"}},
		{"outcome empty", m{"o": ""}, ErrField, []string{`outcome is ""`}},
		{"permit long", m{"permit": strings.Repeat("p", 65)}, ErrField, []string{"permit is \"ppp", "...", "1..64 visible"}},
		{"permit empty", m{"permit": ""}, ErrField, []string{`permit is ""`}},
		{"permit space", m{"permit": "a b"}, ErrField, []string{`permit is "a b"`}},
		{"permit number", m{"permit": 7}, ErrField, []string{"permit is 7"}},
		{"nothing", m{}, ErrField, []string{"latencyMs|errorRate|saturation|outcome|permit is missing", "at least one"}},
		{"nothing known", m{"x": 1}, ErrField, []string{"missing"}},
		{"only time and voltage", m{"t": 1, "v": 1}, ErrField, []string{"missing"}},
		{"JSON twice", `{"l":1,"l":2}`, ErrField, []string{"latencyMs is given twice", "once"}},
		{"long and short", m{"l": 1, "latencyMs": 1}, ErrField, []string{"latencyMs is given twice"}},
		{"msgpack twice", []byte("\x82\xa1e\x01\xa1e\x01"), ErrField, []string{"errorRate is given twice"}},
		{"third of three", []any{m{"l": 1}, m{"l": 2}, m{"l": -3}}, ErrField, []string{"sample 2: latencyMs is -3"}},

		{"empty array", []any{}, ErrEmpty, []string{"1..1024"}},
		{"too many", many, ErrTooMany, []string{"1025", "1..1024"}},
		{"too large", `{"l":1,"x":"` + strings.Repeat("x", MaxMessage) + `"}`, ErrTooLarge, []string{"65550 bytes", "1..65536"}},

		{"empty message", "", ErrFormat, []string{"ends at 0"}},
		{"text", "hello", ErrFormat, []string{"0x68 at 0", "'{' or '['", "0x80..0x9f"}},
		{"JSON number", "1", ErrFormat, []string{"0x31 at 0"}},
		{"JSON string", `"x"`, ErrFormat, []string{"0x22 at 0"}},
		{"msgpack string", []byte("\xa1x"), ErrFormat, []string{"0xa1 at 0"}},
		{"msgpack nil", []byte("\xc0"), ErrFormat, []string{"0xc0 at 0"}},
		{"msgpack number", []byte("\xcb"), ErrFormat, []string{"0xcb at 0"}},
		{"array of numbers", []any{1}, ErrFormat, []string{"want a map"}},
		{"array of arrays", []any{[]any{m{"l": 1}}}, ErrFormat, []string{"want a map"}},
		{"JSON trailing", `{"l":1}x`, ErrFormat, []string{"0x78 at 7", "end of the message"}},
		{"JSON two", `{"l":1}{"l":1}`, ErrFormat, []string{"end of the message"}},
		{"msgpack trailing", []byte("\x81\xa1l\x01\x00"), ErrFormat, []string{"0x00 at 4", "end of the message"}},
		{"array trailing", []byte("\x91\x81\xa1l\x01\x00"), ErrFormat, []string{"end of the message"}},
		{"JSON cut", `{"l":1`, ErrFormat, []string{"ends at 6"}},
		{"JSON cut in a key", `{"l`, ErrFormat, []string{"string without end"}},
		{"JSON cut in an escape", `{"l\`, ErrFormat, []string{"string without end"}},
		{"JSON no colon", `{"l" 1}`, ErrFormat, []string{"want ':'"}},
		{"JSON no comma", `{"l":1 "e":1}`, ErrFormat, []string{"want ','"}},
		{"JSON comma at the end", `{"l":1,}`, ErrFormat, []string{"want a key"}},
		{"JSON comma at the end of an array", `[{"l":1},]`, ErrFormat, []string{"want a map"}},
		{"JSON comma first", `[,{"l":1}]`, ErrFormat, []string{"want a map"}},
		{"JSON key without quotes", `{l:1}`, ErrFormat, []string{"want a key"}},
		{"JSON single quotes", `{'l':1}`, ErrFormat, []string{"want a key"}},
		{"JSON wrong bracket", `[{"l":1}}`, ErrFormat, []string{"want ',' or ']'"}},
		{"JSON NaN", `{"l":NaN}`, ErrFormat, []string{"want a value"}},
		{"JSON Infinity", `{"l":-Infinity}`, ErrFormat, []string{"want a digit"}},
		{"JSON plus", `{"l":+1}`, ErrFormat, []string{"want a value"}},
		{"JSON point first", `{"l":.5}`, ErrFormat, []string{"want a value"}},
		{"JSON point last", `{"l":1.}`, ErrFormat, []string{"want a digit"}},
		{"JSON exponent", `{"l":1e}`, ErrFormat, []string{"want a digit"}},
		{"JSON leading zero", `{"l":01}`, ErrFormat, []string{"leading zeros"}},
		{"JSON hex", `{"l":0x1}`, ErrFormat, []string{"want ','"}},
		{"JSON half a literal", `{"x":tru}`, ErrFormat, []string{"want true"}},
		{"JSON other literal", `{"x":nul}`, ErrFormat, []string{"want null"}},
		{"JSON control byte", "{\"x\":\"a\nb\"}", ErrFormat, []string{"control byte"}},
		{"JSON control byte behind an escape", "{\"x\":\"\\n\n\"}", ErrFormat, []string{"control byte"}},
		{"JSON escape", `{"x":"\x41"}`, ErrFormat, []string{"no such escape"}},
		{"JSON short escape", `{"x":"\u12"}`, ErrFormat, []string{"four hex digits"}},
		{"JSON broken value of a wrong kind", `{"l":"x}`, ErrFormat, []string{"string without end"}},
		{"msgpack 0xc1", []byte("\x81\xa1l\xc1"), ErrFormat, []string{"0xc1 at 3"}},
		{"msgpack 0xc1 unknown", []byte("\x82\xa1l\x01\xa1x\xc1"), ErrFormat, []string{"0xc1"}},
		{"msgpack cut in a key", []byte("\x81\xa5la"), ErrFormat, []string{"cut short"}},
		{"msgpack cut in a number", []byte("\x81\xa1l\xcb\x00\x00"), ErrFormat, []string{"cut short"}},
		{"msgpack cut before a value", []byte("\x81\xa1l"), ErrFormat, []string{"want a value"}},
		{"msgpack cut in a map", []byte("\x82\xa1l\x01"), ErrFormat, []string{"claims more"}},
		{"msgpack cut in a wrong kind", []byte("\x81\xa1l\xa9x"), ErrFormat, []string{"cut short"}},
		{"msgpack claims", []byte("\xdd\x02\x00\x00\x00"), ErrFormat, []string{"claims more"}},
		{"msgpack claims all", []byte("\xdd\xff\xff\xff\xff"), ErrFormat, []string{"claims more"}},
		{"msgpack claims a map", []byte("\xdf\x80\x00\x00\x00\xa1l\x01"), ErrFormat, []string{"claims more"}},
		{"msgpack claims 16", []byte("\xdc\xff\xff"), ErrFormat, []string{"claims more"}},
		{"msgpack claims within", []byte("\x82\xa1l\x01\xa1x\xdd\xff\xff\xff\xff"), ErrFormat, []string{"claims more"}},
		{"msgpack claims a string", []byte("\x82\xa1l\x01\xa1x\xdb\xff\xff\xff\xff"), ErrFormat, []string{"cut short"}},
		{"msgpack claims binary", []byte("\x82\xa1l\x01\xa1x\xc6\xff\xff\xff\xff"), ErrFormat, []string{"cut short"}},
		{"msgpack claims ext", []byte("\x82\xa1l\x01\xa1x\xc9\xff\xff\xff\xff\x00"), ErrFormat, []string{"cut short"}},
		{"msgpack header cut", []byte("\xdd\x00"), ErrFormat, []string{"cut short"}},
		{"JSON deep", `{"l":1,"x":` + nested("[", "", "]", MaxDepth) + "}", ErrFormat, []string{"nested more than 16"}},
		{"JSON deep, no end", `{"l":1,"x":` + strings.Repeat("[", 60000), ErrFormat, []string{"nested more than 16"}},
		{"msgpack deep", []byte("\x82\xa1l\x01\xa1x" + nested("\x91", "\x01", "", MaxDepth)), ErrFormat, []string{"nested more than 16"}},
		{"msgpack deep as a wrong kind", []byte("\x81\xa1l" + nested("\x91", "\x01", "", MaxDepth)), ErrFormat, []string{"nested more than 16"}},
	} {
		var inputs [][]byte
		switch in := c.in.(type) {
		case string:
			inputs = [][]byte{[]byte(in)}
		case []byte:
			inputs = [][]byte{in}
		default:
			j, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			inputs = [][]byte{j, pack(t, in)}
		}
		for _, in := range inputs {
			before := []Sample{{LatencyMs: 42}}
			got, err := DecodeTelemetry(in, before)
			if !errors.Is(err, c.is) {
				t.Errorf("%s: %.80q: %v; want %v", c.name, in, err, c.is)
				continue
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%s: %.80q: %q does not say %q", c.name, in, err, s)
				}
			}
			if len(got) != 1 || got[0].LatencyMs != 42 {
				t.Errorf("%s: a refused message left %+v", c.name, got)
			}
			var fe *FieldError
			if errors.As(err, &fe) != (c.is == ErrField) {
				t.Errorf("%s: %T", c.name, err)
			}
		}
	}
}

// What is nested as deeply as allowed must still pass.
func TestDepthLimitIsReached(t *testing.T) {
	for _, in := range []string{
		`{"l":1,"x":` + nested("[", "", "]", MaxDepth-1) + "}",
		"\x82\xa1l\x01\xa1x" + nested("\x91", "\x01", "", MaxDepth-1),
	} {
		if _, err := DecodeTelemetry([]byte(in), nil); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// Every cut of a valid message is malformed, in both encodings.
func TestTruncated(t *testing.T) {
	for _, f := range []Format{JSON, Msgpack} {
		msg, err := AppendTelemetry(nil, []Sample{full(), full()}, f)
		if err != nil {
			t.Fatal(err)
		}
		for n := range msg {
			if got, err := DecodeTelemetry(msg[:n:n], nil); !errors.Is(err, ErrFormat) || len(got) != 0 {
				t.Errorf("%v, %d of %d bytes: %v, %v", f, n, len(msg), got, err)
			}
		}
	}
}

func TestHostileAllocatesLittle(t *testing.T) {
	for name, in := range map[string][]byte{
		"array32":         {0xdd, 0x02, 0, 0, 0},
		"array16":         {0xdc, 0xff, 0xff},
		"array16 of 1024": {0xdc, 0x04, 0x00},
		"map32":           {0xdf, 0x7f, 0xff, 0xff, 0xff},
		"str32":           append([]byte("\x81\xdb"), 0x7f, 0xff, 0xff, 0xff),
		"unknown array32": append([]byte("\x82\xa1l\x01\xa1x\xdd"), 0x7f, 0xff, 0xff, 0xff),
		"permit str32":    append([]byte("\x81\xa6permit\xdb"), 0x7f, 0xff, 0xff, 0xff),
		"JSON open":       []byte(`[{"l":`),
		"JSON escape":     []byte(`{"x":"\u0041`),
	} {
		n := testing.AllocsPerRun(10, func() { DecodeTelemetry(in, nil) })
		before := memory()
		for range 100 {
			DecodeTelemetry(in, nil)
		}
		if per := (memory() - before) / 100; per > 64<<10 || n > 50 {
			t.Errorf("%s: %d bytes in %v allocations", name, per, n)
		}
	}
}

func TestMsgpackPathAllocatesNothing(t *testing.T) {
	s := full()
	one, _ := AppendTelemetry(nil, []Sample{s}, Msgpack)
	batch, _ := AppendTelemetry(nil, []Sample{s, s, s, s, s, s, s, s, s, s}, Msgpack)
	odd := pack(t, m{"latencyMs": float32(1), "unknown": []any{1, m{"x": "y"}}, "outcome": "ok"})
	dst := make([]Sample, 0, 16)
	for name, in := range map[string][]byte{"one": one, "batch": batch, "unusual": odd} {
		if n := testing.AllocsPerRun(1000, func() {
			var err error
			if dst, err = DecodeTelemetry(in, dst[:0]); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations; want 0", name, n)
		}
	}
}

func TestAppendTelemetry(t *testing.T) {
	some := []Sample{full(), {LatencyMs: 1e-9, Has: HasLatency}, {Outcome: physics.Ignored, Has: HasOutcome}, {Permit: []byte(`"\`), Has: HasPermit}}
	for _, f := range []Format{JSON, Msgpack} {
		for n := 1; n <= len(some); n++ {
			msg, err := AppendTelemetry([]byte("kept"), some[:n], f)
			if err != nil || !bytes.HasPrefix(msg, []byte("kept")) {
				t.Fatalf("%v: %q, %v", f, msg, err)
			}
			msg = msg[4:]
			if got, err := FormatOf(msg); got != f || err != nil {
				t.Errorf("FormatOf(%q) = %v, %v", msg, got, err)
			}
			got, err := DecodeTelemetry(msg, nil)
			if err != nil || !reflect.DeepEqual(got, some[:n]) {
				t.Errorf("%v: %q: %+v, %v", f, msg, got, err)
			}
		}
		for _, bad := range []Sample{
			{}, {LatencyMs: math.NaN(), Has: HasLatency}, {LatencyMs: math.Inf(1), Has: HasLatency}, {ErrorRate: 2, Has: HasErrorRate},
			{Outcome: 9, Has: HasOutcome}, {Permit: nil, Has: HasPermit}, {Time: -1, Has: HasTime | HasLatency}, {Voltage: 0, Has: HasVoltage | HasLatency},
		} {
			if msg, err := AppendTelemetry([]byte("kept"), []Sample{full(), bad}, f); !errors.Is(err, ErrField) || string(msg) != "kept" || !strings.Contains(err.Error(), "sample 1") {
				t.Errorf("%v: %+v: %q, %v", f, bad, msg, err)
			}
		}
		if _, err := AppendTelemetry(nil, nil, f); !errors.Is(err, ErrEmpty) {
			t.Errorf("no samples: %v", err)
		}
		if _, err := AppendTelemetry(nil, make([]Sample, MaxSamples+1), f); !errors.Is(err, ErrTooMany) {
			t.Errorf("many samples: %v", err)
		}
		big := make([]Sample, MaxSamples)
		for i := range big {
			big[i] = full()
			big[i].Permit = bytes.Repeat([]byte("p"), MaxPermit)
		}
		if msg, err := AppendTelemetry([]byte("kept"), big, f); !errors.Is(err, ErrTooLarge) || string(msg) != "kept" {
			t.Errorf("large message: %d bytes, %v", len(msg), err)
		}
		if _, err := AppendTelemetry(nil, big[:300], f); err != nil {
			t.Errorf("300 full samples: %v", err)
		}
	}
}

func TestRequest(t *testing.T) {
	s := Sample{LatencyMs: 5, ErrorRate: 1, Has: HasLatency | HasErrorRate}
	for _, c := range []struct {
		in   any
		want Request
	}{
		{"", Request{}},
		{m{}, Request{}},
		{m{"voltage": 50}, Request{Voltage: 50}},
		{m{"v": 0.5, "future": m{"a": 1}}, Request{Voltage: 0.5}},
		{m{"tier": strings.Repeat("x", 32)}, Request{Tier: strings.Repeat("x", 32)}},
		{m{"tier": "critical", "profile": "web", "hold": true, "telemetry": m{"l": 5, "e": 1}}, Request{Tier: "critical", Profile: "web", Hold: true, Telemetry: &s}},
		{m{"hold": false}, Request{}},
		{m{"retry": 3, "v": 100}, Request{Voltage: 100, Retry: 3}},
		{m{"subject": "user-42"}, Request{Subject: "user-42"}},
		{m{"retry": 0}, Request{}},
	} {
		var inputs [][]byte
		if in, ok := c.in.(string); ok {
			inputs = [][]byte{[]byte(in)}
		} else {
			j, _ := json.Marshal(c.in)
			inputs = [][]byte{j, pack(t, c.in)}
		}
		for _, in := range inputs {
			var got Request
			if err := DecodeRequest(in, &got); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q: %+v, %v; want %+v", in, got, err, c.want)
			}
		}
		for _, f := range []Format{JSON, Msgpack} {
			msg, err := AppendRequest(nil, &c.want, f)
			if err != nil {
				t.Fatal(err)
			}
			var got Request
			if err := DecodeRequest(msg, &got); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v: %q: %+v, %v; want %+v", f, msg, got, err, c.want)
			}
		}
	}
}

func TestRequestRefused(t *testing.T) {
	for _, c := range []struct {
		in   any
		is   error
		says []string
	}{
		{m{"voltage": 0}, ErrField, []string{"wire: voltage is 0", "over 0"}},
		{m{"v": "50"}, ErrField, []string{`voltage is "50"`}},
		{m{"tier": ""}, ErrField, []string{`tier is ""`, "1..32"}},
		{m{"tier": "very urgent"}, ErrField, []string{`tier is "very urgent"`, "1..32 visible ASCII"}},
		{m{"tier": strings.Repeat("x", 33)}, ErrField, []string{"tier is", "1..32"}},
		{m{"tier": 1}, ErrField, []string{"tier is 1"}},
		{m{"profile": ""}, ErrField, []string{`profile is ""`, "1..64"}},
		{m{"profile": "a\tb"}, ErrField, []string{`profile is "a\tb"`}},
		{m{"profile": strings.Repeat("x", 65)}, ErrField, []string{"profile is", "..."}},
		{m{"hold": 1}, ErrField, []string{"hold is 1", "true or false"}},
		{m{"retry": -1}, ErrField, []string{"retry is -1", "0..100"}},
		{m{"retry": 101}, ErrField, []string{"retry is 101", "0..100"}},
		{m{"retry": "1"}, ErrField, []string{`retry is "1"`}},
		{m{"hold": "true"}, ErrField, []string{`hold is "true"`}},
		{m{"telemetry": []any{m{"l": 1}}}, ErrField, []string{"telemetry is an array", "one sample"}},
		{m{"telemetry": nil}, ErrField, []string{"telemetry is null"}},
		{m{"telemetry": m{}}, ErrField, []string{"missing"}},
		{m{"telemetry": m{"l": -1}}, ErrField, []string{"latencyMs is -1"}},
		{m{"v": 1, "voltage": 1}, ErrField, []string{"voltage is given twice"}},
		{[]any{m{"voltage": 1}}, ErrFormat, []string{"want a map"}},
		{`{"voltage":1} x`, ErrFormat, []string{"end of the message"}},
		{`{"hold":tru`, ErrFormat, []string{"want true"}},
		{`{"telemetry":[1`, ErrFormat, []string{"cut short"}},
		{"x", ErrFormat, []string{"0x78"}},
		{`{"x":"` + strings.Repeat("x", MaxMessage) + `"}`, ErrTooLarge, nil},
	} {
		var inputs [][]byte
		if in, ok := c.in.(string); ok {
			inputs = [][]byte{[]byte(in)}
		} else {
			j, _ := json.Marshal(c.in)
			inputs = [][]byte{j, pack(t, c.in)}
		}
		for _, in := range inputs {
			got := Request{Voltage: 1}
			err := DecodeRequest(in, &got)
			if !errors.Is(err, c.is) || !reflect.DeepEqual(got, Request{}) {
				t.Errorf("%.80q: %+v, %v; want %v", in, got, err, c.is)
				continue
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%.80q: %q does not say %q", in, err, s)
				}
			}
		}
	}
	for _, bad := range []Request{
		{Voltage: -1}, {Voltage: math.NaN()}, {Voltage: math.Inf(1)}, {Tier: "x y"}, {Tier: strings.Repeat("x", 33)}, {Profile: "\xff"}, {Retry: -1}, {Retry: 101}, {Subject: "a b"}, {Subject: strings.Repeat("s", 129)}, {Telemetry: &Sample{}},
	} {
		if msg, err := AppendRequest([]byte("kept"), &bad, JSON); !errors.Is(err, ErrField) || string(msg) != "kept" {
			t.Errorf("%+v: %q, %v", bad, msg, err)
		}
	}
}

func TestReply(t *testing.T) {
	for _, want := range []Reply{
		{},
		{
			Allow: true, Route: "a.b ü\"\\\x01", Resistance: 12.25, Mode: "operational", Reason: "allowed",
			Terms: physics.Terms{Base: 10, Pressure: 1, Momentum: -0.75, Scar: 2}, Voltage: 50, Break: 1e300,
			RetryAfterMs: math.MaxUint64, Permit: "p", Node: "n1", Revision: math.MaxUint64,
		},
		{Route: strings.Repeat("r", 256), RetryAfterMs: 300, Revision: 70000},
		{
			Route: "r", Permit: "p", Reason: "banned", Verdict: "allowed", Ban: Ban{"a/*", "bob", "alice", "scraping \"all\"", 60000},
			Override: Override{"a*", "shadow", "carol", "drill", 1},
		},
		{Ban: Ban{Subject: "s"}}, {Override: Override{Mode: "open"}}, {Ban: Ban{ExpiresInMs: 1}},
	} {
		for _, f := range []Format{JSON, Msgpack} {
			msg, err := AppendReply(nil, &want, f)
			if err != nil {
				t.Fatal(err)
			}
			var got Reply
			if err := DecodeReply(msg, &got); err != nil || got != want {
				t.Errorf("%v: %q: %+v, %v; want %+v", f, msg, got, err, want)
			}
			if f == JSON && !json.Valid(msg) {
				t.Errorf("not JSON: %s", msg)
			}
			var generic map[string]any
			if f == Msgpack {
				err = msgpack.Unmarshal(msg, &generic)
			} else {
				err = json.Unmarshal(msg, &generic)
			}
			if err != nil || generic["route"] != want.Route || generic["terms"] == nil {
				t.Errorf("%v: others read %v, %v", f, generic, err)
			}
			for n := range msg {
				if err := DecodeReply(msg[:n:n], &got); !errors.Is(err, ErrFormat) {
					t.Fatalf("%v: %d of %d bytes: %v", f, n, len(msg), err)
				}
			}
		}
	}
	for _, bad := range []Reply{{Resistance: math.Inf(1)}, {Terms: physics.Terms{Scar: math.NaN()}}, {Break: math.Inf(-1)}} {
		if msg, err := AppendReply([]byte("kept"), &bad, JSON); !errors.Is(err, ErrField) || string(msg) != "kept" {
			t.Errorf("%+v: %q, %v", bad, msg, err)
		}
	}
	for in, says := range map[string]string{
		`{"resistance":"x"}`: `resistance is "x"`, `{"terms":3}`: "terms is 3", `{"terms":{"scar":null}}`: "scar is null",
		`{"revision":-1}`: "revision is -1", `{"revision":18446744073709551616}`: "revision is 18446744073709551616", `{"allow":0}`: "allow is 0", `{"route":5}`: "route is 5", `{"code":1000}`: "code is 1000",
		`{"node":"` + strings.Repeat("x", maxText+1) + `"}`: "at most 1024",
	} {
		got := Reply{Allow: true}
		if err := DecodeReply([]byte(in), &got); !errors.Is(err, ErrField) || !strings.Contains(err.Error(), says) || got.Allow {
			t.Errorf("%.60s: %v; want %s", in, err, says)
		}
	}
}

// A map may have more fields than fit its short form.
func TestLongMap(t *testing.T) {
	b := builder{format: Msgpack}
	b.open(20)
	for i := range 20 {
		b.uint(strings.Repeat("k", i+1), uint64(i))
	}
	b.close()
	var v map[string]int
	if err := msgpack.Unmarshal(b.dst, &v); err != nil || len(v) != 20 || v["kkk"] != 2 {
		t.Errorf("%v, %v", v, err)
	}
	if err := DecodeReply(b.dst, &Reply{}); err != nil {
		t.Error(err)
	}
}

func TestErrorReply(t *testing.T) {
	for _, want := range []ErrorReply{
		{Code: 503, Text: "draining"},
		{Code: 400, Text: "wire: voltage is -1", Field: "voltage", Value: `"-1"`, Allowed: "over 0"},
	} {
		for _, f := range []Format{JSON, Msgpack} {
			var r Reply
			err := DecodeReply(AppendError(nil, &want, f), &r)
			var got *ErrorReply
			if !errors.As(err, &got) || *got != want || r != (Reply{}) {
				t.Errorf("%v: %+v, %v; want %+v", f, r, err, want)
			}
			if !strings.Contains(err.Error(), want.Text) || !strings.Contains(err.Error(), fmt.Sprint(want.Code)) {
				t.Errorf("%v", err)
			}
		}
	}
}

func TestFormatOf(t *testing.T) {
	for b := range 256 {
		f, err := FormatOf([]byte{byte(b)})
		isJSON, isPack := b == '{' || b == '[', b >= 0x80 && b <= 0x9f || b >= 0xdc && b <= 0xdf
		if (err == nil) != (isJSON || isPack) || err == nil && (f == Msgpack) != isPack {
			t.Errorf("0x%02x: %v, %v", b, f, err)
		}
	}
	if f, err := FormatOf(nil); f != JSON || err != nil {
		t.Errorf("empty: %v, %v", f, err)
	}
}

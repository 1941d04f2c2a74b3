package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"runtime"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// memory is the bytes allocated so far.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func FuzzTelemetry(f *testing.F) {
	s := full()
	for _, format := range []Format{JSON, Msgpack} {
		for n := 1; n < 4; n++ {
			msg, err := AppendTelemetry(nil, []Sample{s, s, s}[:n], format)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(msg)
		}
	}
	for _, s := range []string{
		"\xdd\x02\x00\x00\x00", "\xdc\xff\xff", "\xdf\xff\xff\xff\xff\xa1l\x01", "\x82\xa1l\xca\x3f\x80\x00\x00\xa1x\xc7\x01\x05x",
		"\x81\xa1l\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "\xde\x00\x01\xd9\x01l\xd1\x01\x00", "\x82\xa1l\x01\x92\x01\x02\xc0",
		`{"l":1.5e2,"x":[1,{"y":"\ud83d\ude00\ud83d"}],"o":"ok"}`, `[{"l":18446744073709551615},{"t":1e3,"e":0}]`, `{"l":-0}`, `{"e":0.1,"e":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := memory()
		got, err := DecodeTelemetry(data, nil)
		if used, most := memory()-before, uint64(64<<10+200*len(data)); used > most {
			t.Fatalf("%d bytes allocated for a message of %d", used, len(data))
		}
		if err != nil {
			if len(got) != 0 {
				t.Fatalf("refused (%v), but yields %+v", err, got)
			}
			if !errors.Is(err, ErrField) && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrTooMany) && !errors.Is(err, ErrEmpty) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		for i := range got {
			if err := got[i].check(i); err != nil {
				t.Fatalf("accepted what may not be sent: %v", err)
			}
		}
		format, _ := FormatOf(data)
		agreesWithLibrary(t, data, format, got)
		if format == Msgpack {
			agreesWithWalker(t, data, got)
		}
		// The twin in the other encoding, and the same one, say the same.
		for _, format := range []Format{JSON, Msgpack} {
			msg, err := AppendTelemetry(nil, got, format)
			if err != nil {
				if errors.Is(err, ErrTooLarge) {
					continue
				}
				t.Fatalf("%v: %v", format, err)
			}
			again, err := DecodeTelemetry(msg, nil)
			if err != nil || !reflect.DeepEqual(again, got) {
				t.Fatalf("%v twin %q:\n got %+v, %v\nwant %+v", format, msg, again, err, got)
			}
		}
	})
}

// agreesWithWalker decodes without the short cut.
func agreesWithWalker(t *testing.T, data []byte, got []Sample) {
	w, _ := newWalker(data)
	n := 1
	if w.kind() == kindArray {
		if err := w.enter(kindArray); err != nil {
			t.Fatal(err)
		}
		n = int(w.left[1])
	}
	if n != len(got) {
		t.Fatalf("%d samples; the walker finds %d", len(got), n)
	}
	for i := range got {
		var s Sample
		if err := w.sample(i, &s); err != nil || !reflect.DeepEqual(s, got[i]) {
			t.Fatalf("sample %d: %+v; the walker reads %+v, %v", i, got[i], s, err)
		}
	}
}

// agreesWithLibrary compares with what the usual decoders make of it.
func agreesWithLibrary(t *testing.T, data []byte, format Format, got []Sample) {
	var v any
	if format == JSON {
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if d.More() {
			t.Fatal("accepted trailing data")
		}
	} else {
		// The library does not know every ext type, and keys that are not
		// strings only on request.
		d := msgpack.NewDecoder(bytes.NewReader(data))
		d.SetMapDecoder(func(d *msgpack.Decoder) (any, error) { return d.DecodeUntypedMap() })
		defer func() { _ = recover() }() // it panics on keys that cannot be compared
		var err error
		if v, err = d.DecodeInterface(); err != nil {
			return
		}
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) != len(got) {
		t.Fatalf("%d samples; the library finds %d", len(got), len(list))
	}
	for i, item := range list {
		fields := map[string]any{}
		switch item := item.(type) {
		case map[string]any:
			fields = item
		case map[any]any:
			for k, v := range item {
				if s, ok := k.(string); ok {
					fields[s] = v
				}
			}
		}
		for f := latency; f < when; f++ {
			have := got[i].Has&f.bit() != 0
			v, ok := fields[specs[f].long]
			if !ok {
				v, ok = fields[specs[f].short]
			}
			if ok != have {
				t.Fatalf("sample %d: %s is there: %v; the library says %v", i, specs[f].long, have, ok)
			}
			if ok && toFloat(t, v) != got[i].get(f) {
				t.Fatalf("sample %d: %s = %v; the library says %v", i, specs[f].long, got[i].get(f), v)
			}
		}
		if p, ok := fields["permit"]; ok && p != string(got[i].Permit) {
			t.Fatalf("sample %d: permit = %q; the library says %v", i, got[i].Permit, p)
		}
	}
}

func toFloat(t *testing.T, v any) float64 {
	switch n := v.(type) {
	case json.Number:
		f, err := n.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	case float32:
		return float64(n)
	case float64:
		return n
	}
	r := reflect.ValueOf(v)
	switch {
	case r.CanInt():
		return float64(r.Int())
	case r.CanUint():
		return float64(r.Uint())
	}
	t.Fatalf("the library made %T of a number", v)
	return math.NaN()
}

func FuzzRequest(f *testing.F) {
	s := full()
	for _, format := range []Format{JSON, Msgpack} {
		msg, err := AppendRequest(nil, &Request{Voltage: 5, Tier: "low", Profile: "p", Telemetry: &s, Hold: true, Retry: 2}, format)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(msg)
		msg, err = AppendReply(nil, &Reply{Allow: true, Route: "r", Permit: "p", Node: "n", Revision: 1 << 40, Verdict: "tripped",
			Ban: Ban{"r", "s", "b", "w", 5}, Override: Override{"r", "open", "b", "w", 1 << 60}}, format)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(msg)
		f.Add(AppendError(nil, &ErrorReply{Code: 400, Text: "t", Field: "f", Value: "v", Allowed: "a"}, format))
	}
	f.Add([]byte(`{"telemetry":{"l":1},"x":[[]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := memory()
		var r Request
		err := DecodeRequest(data, &r)
		var p Reply
		perr := DecodeReply(data, &p)
		if used, most := memory()-before, uint64(64<<10+20*len(data)); used > most {
			t.Fatalf("%d bytes allocated for a message of %d", used, len(data))
		}
		if err != nil && !reflect.DeepEqual(r, Request{}) || perr != nil && p != (Reply{}) {
			t.Fatalf("refused (%v, %v), but yields %+v, %+v", err, perr, r, p)
		}
		for _, format := range []Format{JSON, Msgpack} {
			if err == nil {
				msg, err := AppendRequest(nil, &r, format)
				if err != nil {
					t.Fatalf("accepted what may not be sent: %v", err)
				}
				var again Request
				if err := DecodeRequest(msg, &again); err != nil || !reflect.DeepEqual(again, r) {
					t.Fatalf("%v twin %q:\n got %+v, %v\nwant %+v", format, msg, again, err, r)
				}
			}
			if perr == nil {
				msg, err := AppendReply(nil, &p, format)
				if err != nil {
					t.Fatalf("accepted what may not be sent: %v", err)
				}
				var again Reply
				// Text that is not UTF-8 can be sent as JSON only with
				// replacements, which may make it longer than allowed.
				if err := DecodeReply(msg, &again); format == Msgpack && (err != nil || again != p) || format == JSON && err == nil && again.Revision != p.Revision {
					t.Fatalf("%v twin %q:\n got %+v, %v\nwant %+v", format, msg, again, err, p)
				}
			}
		}
	})
}

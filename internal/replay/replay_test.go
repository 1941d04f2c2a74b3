package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const recordings = "../../physics/classic/testdata/[0-9]*.jsonl"

func replay(t testing.TB, input string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Run(context.Background(), "classic", strings.NewReader(input), &out)
	return out.String(), err
}

// head is the header of the published defaults.
const head = `{"type":"header","config":{},"slo":{},"autoTuner":{},"fallbackBreak":100,"defaultVoltage":100}` + "\n"

// value compares as JSON does, numbers to 1e-12 with the floor of the record.
func value(t *testing.T, where, field string, got, want any, floor float64) {
	t.Helper()
	switch want := want.(type) {
	case float64:
		g, ok := got.(float64)
		if !ok || !(math.Abs(g-want) <= 1e-12*max(math.Abs(want), floor)) {
			t.Fatalf("%s: %s is %v, recorded %v", where, field, got, want)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			t.Fatalf("%s: %s is %v, recorded %v", where, field, got, want)
		}
		for i := range want {
			value(t, where, field, g[i], want[i], floor)
		}
	default:
		if got != want {
			t.Fatalf("%s: %s is %v, recorded %v", where, field, got, want)
		}
	}
}

// keys are the member names of a JSON object, in order.
func keys(t *testing.T, raw []byte) (names []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// TestRecordings replays the recorded sequences: what comes out is what was
// recorded.
func TestRecordings(t *testing.T) {
	files, err := filepath.Glob(recordings)
	if err != nil || len(files) != 16 {
		t.Fatalf("%d recordings (%v)", len(files), err)
	}
	total := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			// One byte at a time would be slow, half reads are not.
			if err := Run(t.Context(), "classic", iotest.HalfReader(bytes.NewReader(data)), &out); err != nil {
				t.Fatal(err)
			}
			answers := bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
			n := 0
			for i, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
				var rec struct {
					Op string
					O  json.RawMessage
				}
				if err := json.Unmarshal(line, &rec); err != nil {
					t.Fatal(err)
				}
				if i == 0 || rec.Op != "" {
					continue
				}
				where := fmt.Sprintf("line %d", i+1)
				var got, want map[string]any
				if json.Unmarshal(answers[n], &got) != nil || json.Unmarshal(rec.O, &want) != nil {
					t.Fatalf("%s: %s", where, answers[n])
				}
				if g, w := fmt.Sprint(keys(t, answers[n])), fmt.Sprint(keys(t, rec.O)); g != w {
					t.Fatalf("%s: members %s, recorded %s", where, g, w)
				}
				for field, w := range want {
					floor := 1e-3
					if field == "m" {
						floor = 1e-6
					}
					value(t, where, field, got[field], w, floor)
				}
				n++
			}
			if n != len(answers) {
				t.Errorf("%d answers to %d calls", len(answers), n)
			}
			total += n
		})
	}
	if !t.Failed() && total != 5580 {
		t.Errorf("%d calls compared, want 5580", total)
	}
}

// TestErrors: what is wrong is named, with its line, value and what is allowed.
func TestErrors(t *testing.T) {
	call := `{"i":{"t":1,"lat":5}}` + "\n"
	for _, x := range []struct {
		input string
		want  []string
	}{
		{"", []string{"line 1", "before a header"}},
		{"\n\n", []string{"line 3", "before a header"}},
		{call, []string{"line 1", "want a header", "before the first call"}},
		{`{"op":"reset","id":"a"}`, []string{"line 1", "want a header"}},
		{"nonsense", []string{"line 1", "want a header", "not a JSON object"}},
		{"[1]", []string{"line 1", "want a header", "allowed a JSON object"}},
		{`{"slo":{},"autoTuner":null}`, []string{"header: config is missing, allowed an object"}},
		{`{"config":{},"autoTuner":null}`, []string{"header: slo is missing"}},
		{`{"config":{},"slo":{}}`, []string{"header: autoTuner is missing, allowed an object or null"}},
		{`{"config":7,"slo":{},"autoTuner":null}`, []string{"config is number", "allowed a JSON object"}},
		{`{"config":{"decayRate":-1},"slo":{},"autoTuner":null}`, []string{"line 1", "header: config.decayRate is -1, allowed a number from 0 to 1e+12"}},
		{`{"config":{"baseResistance":"NaN"},"slo":{},"autoTuner":null}`, []string{`header: config.baseResistance is "NaN"`}},
		{`{"config":{"baseResistance":null},"slo":{},"autoTuner":null}`, []string{`header: config.baseResistance is null`}},
		{`{"config":{"tanhScale":1e400},"slo":{},"autoTuner":null}`, []string{`header: config.tanhScale is 1e400`}},
		{`{"config":{"bootstrapTicks":2.5},"slo":{},"autoTuner":null}`, []string{"header: config.bootstrapTicks is 2.5, allowed a whole number from 0 to"}},
		{`{"config":{},"slo":{"targetErrorRate":true},"autoTuner":null}`, []string{"header: slo.targetErrorRate is true"}},
		{`{"config":{},"slo":{"criticality":5},"autoTuner":null}`, []string{"header: slo.criticality is 5, allowed an object"}},
		{`{"config":{},"slo":{"criticality":{"error":-1}},"autoTuner":null}`, []string{"header: slo.criticality.error is -1"}},
		{`{"config":{},"slo":{},"autoTuner":3}`, []string{"header: autoTuner is 3, allowed an object"}},
		{`{"config":{},"slo":{},"autoTuner":{"windowSize":0}}`, []string{"header: autoTuner.windowSize is 0, allowed a whole number from 1 to"}},
		{`{"config":{},"slo":{},"autoTuner":{},"fallbackBreak":"x"}`, []string{`header: fallbackBreak is "x"`}},
		{`{"config":{},"slo":{},"autoTuner":{},"weights":{"wError":[]}}`, []string{`header: weights.wError is []`}},
		{`{"config":{},"slo":{},"autoTuner":null,"defaultVoltage":"x"}`, []string{`header: defaultVoltage is "x", allowed a number`}},
		{head + "nonsense", []string{"line 2", "not a JSON object"}},
		{head + "\n" + call + `{"op":"forget"}`, []string{"line 4", `op is "forget", allowed "reset"`}},
		{head + `{}`, []string{"line 2", "i is missing"}},
		{head + `{"i":[]}`, []string{"line 2", "i is array, allowed a JSON object"}},
		{head + `{"i":{"lat":5}}`, []string{"line 2", "i.t is missing, allowed a number of ms from -9.2e+12 to 9.2e+12"}},
		{head + `{"i":{"t":"5"}}`, []string{`i.t is "5"`}},
		{head + `{"i":{"t":1e13}}`, []string{`i.t is 1e13`}},
		{head + `{"i":{"t":1,"lat":{}}}`, []string{"i.lat is {}, allowed a number"}},
		{head + `{"i":{"t":1,"sat":[1]}}`, []string{"i.sat is [1]"}},
		{head + `{"i":{"t":1,"v":true}}`, []string{"i.v is true, allowed a number"}},
		{head + `{"i":{"t":1,"v":"20"}}`, []string{`i.v is "20"`}},
		{head + `{"i":{"t":1,"id":5}}`, []string{"i.id is number, allowed a JSON string"}},
		{head + `{"i":{"t":1,"id":"` + strings.Repeat("x", maxID+1) + `"}}`, []string{"i.id is 1025 bytes long, allowed 0 to 1024 bytes"}},
		{head + `{"x":"` + strings.Repeat("x", maxLine) + `"}`, []string{"line 2", "longer than 1048576 bytes"}},
	} {
		_, err := replay(t, x.input)
		if err == nil {
			t.Errorf("%.80q: no error", x.input)
			continue
		}
		for _, want := range append(x.want, "replay: ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%.80q: error %q, want %q in it", x.input, err, want)
			}
		}
		if len(err.Error()) > 300 {
			t.Errorf("%.80q: error of %d bytes", x.input, len(err.Error()))
		}
	}
}

// TestLineLimit: the longest line allowed is allowed.
func TestLineLimit(t *testing.T) {
	line := `{"i":{"t":1},"x":"` + strings.Repeat("x", maxLine-20) + `"}`
	if len(line) != maxLine {
		t.Fatal(len(line))
	}
	for _, end := range []string{"", "\n", "\n" + line} {
		if _, err := replay(t, head+line+end); err != nil {
			t.Error(err)
		}
	}
	if _, err := replay(t, head+line+" \n"); err == nil {
		t.Error("a byte more is accepted")
	}
}

func TestUnknownLaw(t *testing.T) {
	err := Run(t.Context(), "newtonian", strings.NewReader(head), io.Discard)
	if err == nil || err.Error() != `replay: unknown law "newtonian", known: classic` {
		t.Error(err)
	}
}

// TestAnswersBeforeError: a wrong line does not take back what came before.
func TestAnswersBeforeError(t *testing.T) {
	out, err := replay(t, head+`{"i":{"t":1,"lat":90}}`+"\n"+`{"i":{}}`)
	if err == nil || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, `{"p":[-0.0996`) {
		t.Errorf("%q, %v", out, err)
	}
}

// TestStream: an answer does not wait for the next call.
func TestStream(t *testing.T) {
	calls, in := io.Pipe()
	out, answers := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Run(context.Background(), "classic", calls, answers)
		answers.Close()
	}()
	io.WriteString(in, head)
	buf := make([]byte, 4096)
	for i := range 3 {
		fmt.Fprintf(in, `{"i":{"t":%d}}`+"\n", i)
		n, err := out.Read(buf)
		if err != nil || !bytes.HasSuffix(buf[:n], []byte("}\n")) {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
	in.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, "classic", strings.NewReader(head), io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestBrokenOutput(t *testing.T) {
	err := Run(t.Context(), "classic", strings.NewReader(head+`{"i":{"t":1}}`), broken{})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	err = Run(t.Context(), "classic", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(head))), io.Discard)
	if !errors.Is(err, iotest.ErrTimeout) {
		t.Error(err)
	}
}

// TestRoutes: routes are kept apart, dropped by reset, and bounded.
func TestRoutes(t *testing.T) {
	c := func(id string) string { return fmt.Sprintf(`{"i":{"t":1,"lat":5,"id":%q}}`, id) + "\n" }
	h := `{"config":{"bootstrapTicks":2},"slo":{},"autoTuner":null,"routes":["only"]}` + "\n"
	reset := `{"op":"reset","id":"a"}` + "\n"
	modes := func(input string) (s string) {
		out, err := replay(t, h+input)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
			_, rest, _ := strings.Cut(line, `"mode":"`)
			s += rest[:1]
		}
		return s
	}
	for input, want := range map[string]string{
		c("a") + c("a") + c("a"):                                  "BOO",
		c("a") + c("b") + c("a"):                                  "BBO",
		c("a") + c("a") + reset + c("a") + c("a"):                 "BOBO",
		c("b") + reset + c("b"):                                   "BO",
		`{"i":{"t":1}}` + "\n" + c("only"):                        "BO",
		`{"i":{"t":1}}` + "\n" + `{"op":"reset"}` + "\n" + c("a"): "BB",
		c("only") + `{"op":"reset"}` + "\n" + c("only"):           "BB",
	} {
		if got := modes(input); got != want {
			t.Errorf("%q: modes %s, want %s", input, got, want)
		}
	}

	var many strings.Builder
	for i := range maxRoutes + 1 {
		if i == maxRoutes {
			// There is room again after a reset.
			many.WriteString(`{"op":"reset","id":"0"}` + "\n")
		}
		many.WriteString(c(strconv.Itoa(i)))
	}
	if _, err := replay(t, h+many.String()); err != nil {
		t.Error(err)
	}
	_, err := replay(t, h+many.String()+c("straw"))
	if err == nil || !strings.Contains(err.Error(), `i.id is "straw", route number 100001, allowed 100000 routes at a time`) {
		t.Error(err)
	}
}

// TestHeader: what the header gives is used.
func TestHeader(t *testing.T) {
	call := `{"i":{"t":1,"lat":200,"err":0.02,"sat":1}}` + "\n"
	for _, x := range []struct{ header, want string }{
		{`{"config":{},"slo":{},"autoTuner":{}}`, `"r":12,"mode":"B","mean":0,"sd":0,"n":0,"bp":100,"rp":50,"allow":true`},
		{`{"config":{"baseResistance":20},"slo":{},"autoTuner":null}`, `"r":24,"mode":"B","mean":null,"sd":null,"n":null,"bp":200,"rp":100`},
		{`{"config":{"breakMultiplier":3},"slo":{},"autoTuner":null}`, `"bp":30,"rp":15`},
		{`{"config":{},"slo":{},"autoTuner":{},"fallbackBreak":70}`, `"bp":70,"rp":35`},
		{`{"config":{},"slo":{},"autoTuner":{},"fallbackBreak":null}`, `"bp":100,"rp":50`},
		{`{"config":{},"slo":{},"autoTuner":{"warmupTicks":0,"minFloor":40,"recoveryMultiplier":0.75}}`, `"bp":40,"rp":30`},
		{`{"config":{},"slo":{},"autoTuner":null,"defaultVoltage":12}`, `"allow":false`},
		{`{"config":{},"slo":{},"autoTuner":null,"defaultVoltage":"Infinity"}`, `"allow":true`},
		{`{"config":{},"slo":{"baselineLatencyMs":200,"targetErrorRate":0.02},"autoTuner":null}`, `{"p":[0,0,0.76159`},
		{`{"config":{},"slo":{},"autoTuner":null,"baselines":{"latencyMs":200,"errorRate":0.02,"saturation":1}}`, `{"p":[0,0,0]`},
		{`{"config":{"bootstrapTicks":0,"scarFactor":0},"slo":{},"autoTuner":null,"weights":{"wLatency":0,"wError":0,"wSaturation":0}}`, `"r":10,"mode":"O"`},
		{`{"config":{"bootstrapTicks":0,"scarFactor":7},"slo":{"criticality":{"latency":0,"error":0,"saturation":0}},"autoTuner":null}`, `"s":7,"r":17,`},
		{`{"config":{"bootstrapTicks":0,"criticalPressure":2},"slo":{},"autoTuner":null}`, `"s":0,`},
	} {
		out, err := replay(t, x.header+"\n"+call)
		if err != nil || !strings.Contains(out, x.want) {
			t.Errorf("%s: %s (%v), want %s in it", x.header, out, err, x.want)
		}
	}
}

// TestReadings: what JavaScript makes of what is not a number.
func TestReadings(t *testing.T) {
	for text, want := range map[string]float64{
		`5`: 5, `-0.5e1`: -5, `1e999`: math.Inf(1), `"250"`: 250, `"12.5ms"`: 12.5, `" 7 "`: 7, `"1e3"`: 1000, `"1e"`: 1, `"1e+x"`: 1,
		`".5"`: 0.5, `"5."`: 5, `"-2x"`: -2, `"0x10"`: 0, `"1_000"`: 1,
		`"abc"`: math.NaN(), `""`: math.NaN(), `"."`: math.NaN(), `"-"`: math.NaN(), `"e5"`: math.NaN(), `"NaN"`: math.NaN(), `"Infinity"`: math.NaN(),
		`"inf"`: math.NaN(), `"undefined"`: math.NaN(), `null`: math.NaN(), `true`: math.NaN(), `false`: math.NaN(),
	} {
		got, ok := reading{given: true, raw: json.RawMessage(text)}.telemetry()
		if !ok || got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s is %v (%v), want %v", text, got, ok, want)
		}
	}
}

func TestNanoseconds(t *testing.T) {
	for ms, want := range map[float64]int64{
		1700000000001: 1700000000001000000, 0.5: 500000, -0.25: -250000, 9.2e12: 9.2e18, -9.2e12: -9.2e18, 1e-6: 1, 12345.000001: 12345000001,
		9007199254.740993: 9007199254740993,
	} {
		if got := nanoseconds(ms); got != want {
			t.Errorf("%v ms is %d ns, want %d", ms, got, want)
		}
	}
}

// TestNumbers: every number reads back to its bits.
func TestNumbers(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", math.Copysign(0, -1): "-0", 12: "12", 0.1: "0.1", 1e-7: "1e-07", 1e20: "100000000000000000000", 1e21: "1e+21",
		math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`, math.MaxFloat64: "1.7976931348623157e+308", 5e-324: "5e-324",
	} {
		if got := string(appendNumber(nil, x)); got != want && x != 0 {
			t.Errorf("%s, want %s", got, want)
		}
		var back float64
		if json.Unmarshal(appendNumber(nil, x), &back) == nil && back != x {
			t.Errorf("%v reads back as %v", x, back)
		}
	}
	if got := string(appendNumber(nil, math.NaN())); got != `"NaN"` {
		t.Error(got)
	}
	if got := string(appendNumber(nil, math.Copysign(0, -1))); got != "-0" {
		t.Error(got)
	}
}

// FuzzReplay: no input panics, hangs, or yields a line that is not JSON.
func FuzzReplay(f *testing.F) {
	f.Add([]byte(head + `{"i":{"t":1,"lat":90,"err":"5x","sat":null,"v":"NaN"}}` + "\n" + `{"op":"reset"}` + "\n" + `{"i":{"t":2}}`))
	f.Add([]byte(`{"config":{"bootstrapTicks":0,"dampingFactor":1e12},"slo":{"criticality":{"latency":1e12}},"autoTuner":null}` + "\n" + `{"i":{"t":-1e-6,"lat":1e308}}` + "\n" + `{"i":{"t":0}}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var out bytes.Buffer
		err := Run(ctx, "classic", bytes.NewReader(data), &out)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("too slow")
		}
		if n := bytes.Count(out.Bytes(), []byte("\n")); n > bytes.Count(data, []byte("\n")) {
			t.Fatalf("%d answers to %d lines", n, bytes.Count(data, []byte("\n")))
		}
		for line := range bytes.Lines(out.Bytes()) {
			if !json.Valid(line) || len(object(line)) != 11 {
				t.Fatalf("%s", line)
			}
		}
	})
}

func object(line []byte) (m map[string]any) {
	json.Unmarshal(line, &m)
	return m
}

func BenchmarkRun(b *testing.B) {
	data, err := os.ReadFile("../../physics/classic/testdata/04-spike-tuner.jsonl")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := Run(context.Background(), "classic", bytes.NewReader(data), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

package wire

import (
	"encoding/hex"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// The sample that docs/wire.md shows in both encodings is one sample, and is
// what the encoders write.
func TestDocumentedBytes(t *testing.T) {
	doc, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^    (\{"latencyMs".*\})\n    ([0-9a-f ]+)$`).FindStringSubmatch(string(doc))
	if found == nil {
		t.Fatal("docs/wire.md shows no sample in both encodings")
	}
	bytes, err := hex.DecodeString(strings.ReplaceAll(found[2], " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := DecodeTelemetry([]byte(found[1]), nil)
	if err != nil {
		t.Fatal(err)
	}
	fromBytes, err := DecodeTelemetry(bytes, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fromJSON, fromBytes) {
		t.Errorf("JSON says %+v, msgpack %+v", fromJSON, fromBytes)
	}
	for format, want := range map[Format]string{JSON: found[1], Msgpack: string(bytes)} {
		got, err := AppendTelemetry(nil, fromJSON, format)
		if err != nil || string(got) != want {
			t.Errorf("%v encodes as %q (%x), %v; the document has %q", format, got, got, err, want)
		}
	}
	if want := "JSON (48 bytes) and msgpack (28 bytes)"; !strings.Contains(string(doc), want) || len(found[1]) != 48 || len(bytes) != 28 {
		t.Errorf("the document does not say %q, or that is not so: %d and %d", want, len(found[1]), len(bytes))
	}
}

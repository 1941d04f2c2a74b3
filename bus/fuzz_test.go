package bus

import (
	"encoding/json"
	"testing"
)

// What nodes tell each other is taken whole or refused whole.
func FuzzNode(f *testing.F) {
	for _, s := range []string{`{"node":"a"}`, `{"node":"a","gone":true}`, `{"node":""}`, `[]`, ``, `{"node":1}`, `{"gone":true}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeNode(data)
		if err != nil {
			if m != (nodeMessage{}) {
				t.Errorf("%q: %+v with %v", data, m, err)
			}
			return
		}
		if len(data) > maxNodeMessage || len(m.Node) == 0 || len(m.Node) > 64 {
			t.Errorf("%q: %+v", data, m)
		}
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		// A name that is not UTF-8 cannot come in, and 64 bytes of it fit.
		if again, err := decodeNode(body); err != nil || again != m {
			t.Errorf("%q: %+v, again %+v, %v", data, m, again, err)
		}
	})
}

package actors

import (
	"bytes"
	"testing"
)

// What an envelope says is what was put in; any other bytes are an error, or a
// state from before there were envelopes.
func FuzzEnvelope(f *testing.F) {
	s := &System{cfg: Config{Law: &ledger{}}.withDefaults()}
	s.life.Store(7)
	sealed := s.seal(nil, &Published{State: &entry{n: 3}, Revision: 9}, 1)
	f.Add(sealed)
	f.Add(sealed[:12])
	f.Add([]byte{})
	f.Add([]byte{envelopeMark})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := openEnvelope(b)
		if err != nil {
			return
		}
		if len(b) > 0 && b[0] == envelopeMark {
			if len(e.state)+len(e.share) > len(b)-18 {
				t.Fatalf("%d and %d bytes out of %d", len(e.state), len(e.share), len(b))
			}
		} else if !bytes.Equal(e.state, b) || e.life != 0 {
			t.Fatalf("%+v", e)
		}
	})
	e, err := openEnvelope(sealed)
	if err != nil || e.life != 7 || e.seq != 9 || len(e.state) == 0 {
		f.Fatalf("%+v, %v", e, err)
	}
}

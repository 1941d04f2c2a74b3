package actors

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/providers"
)

// envelope is what a node stores of a route: when it said it, in its own count,
// the law's durable form of the state, and what the law tells other nodes.
//
//	0xA7 | life u64 | seq u64 | n uvarint | n bytes of state | the rest: share
//
// A life is one run of a node's system, a later one has a higher number; seq is
// the snapshot's revision in it. So the two order what one node said, whatever
// clocks say and however often a message comes. What does not begin with the
// mark was written before there were envelopes, and is a state alone.
type envelope struct {
	life, seq    uint64
	state, share []byte
}

const envelopeMark = 0xA7

var errEnvelope = errors.New("actors: stored value is truncated")

// seal appends the envelope of p as of now to dst.
func (s *System) seal(dst []byte, p *Published, now int64) []byte {
	dst = append(dst, envelopeMark)
	dst = binary.LittleEndian.AppendUint64(dst, s.life.Load())
	dst = binary.LittleEndian.AppendUint64(dst, p.Revision)
	state := p.State.AppendState(nil, now)
	dst = binary.AppendUvarint(dst, uint64(len(state)))
	dst = append(dst, state...)
	if told, ok := p.State.(physics.Shared); ok {
		dst = told.AppendShare(dst, now)
	}
	return dst
}

// openEnvelope is the inverse of seal, up to what is the law's.
func openEnvelope(src []byte) (e envelope, err error) {
	if len(src) == 0 || src[0] != envelopeMark {
		return envelope{state: src}, nil
	}
	if len(src) < 18 {
		return e, errEnvelope
	}
	e.life, e.seq = binary.LittleEndian.Uint64(src[1:]), binary.LittleEndian.Uint64(src[9:])
	n, size := binary.Uvarint(src[17:])
	rest := src[17+max(size, 0):]
	if size <= 0 || n > uint64(len(rest)) {
		return e, errEnvelope
	}
	e.state, e.share = rest[:n], rest[n:]
	return e, nil
}

// open is the envelope in e, and what read makes of it.
func (s *System) open(g *Regime, e *providers.Entry) (env envelope, st physics.State, at int64, err error) {
	if env, err = openEnvelope(e.Value); err == nil {
		st, at, err = s.read(g, &env, e.Age)
	}
	return env, st, at, err
}

// read is the state in e under the law of g, as of the instant at, on this
// system's clock, that is so long ago.
func (s *System) read(g *Regime, e *envelope, age time.Duration) (st physics.State, at int64, err error) {
	at = s.cfg.Clock.Now() - int64(max(age, 0))
	st = g.law.NewState()
	if err = st.ParseState(e.state, at); err != nil {
		return nil, at, err
	}
	if shared, ok := st.(physics.Shared); ok && len(e.share) > 0 {
		err = shared.ParseShare(e.share, at)
	}
	return st, at, err
}

// later reports whether e was said after what is known up to life and seq.
func (e *envelope) later(life, seq uint64) bool {
	return e.life > life || e.life == life && e.seq > seq
}

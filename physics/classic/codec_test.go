package classic

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/tuner"
)

// TestStoredState: a state written, read and used by another node goes on as
// if nothing had happened, to the bit, whatever the clocks say.
func TestStoredState(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 17))
		l := mustNew(t, randomConfig(rng))
		samples := traffic(rng, 300)
		cut := rng.IntN(len(samples))
		s := advance(t, l, l.NewState(), samples[:cut], always(50))
		now := s.last + rng.Int64N(10e9)
		stored := s.AppendState([]byte("prefix"), now)[len("prefix"):]
		if len(stored) != stateLen {
			t.Fatalf("%d bytes", len(stored))
		}

		// Same clock: the same state.
		same := l.NewState().(*State)
		if err := same.ParseState(stored, now); err != nil {
			t.Fatal(err)
		}
		if s.ticks > 0 && *same != *s {
			t.Fatalf("seed %d: read %+v, written %+v", seed, *same, *s)
		}
		// Another clock, an hour off: the same answers.
		skew := int64(time.Hour) * int64(rng.IntN(3)-1)
		moved := l.NewState().(*State)
		if err := moved.ParseState(stored, now+skew); err != nil {
			t.Fatal(err)
		}
		q := physics.Query{Voltage: 20, Now: now + 1e9}
		want := physics.Judge(s, q)
		q.Now += skew
		if got := physics.Judge(moved, q); got != want {
			t.Fatalf("seed %d: %+v, want %+v", seed, got, want)
		}
		rest := samples[cut:]
		for i := range rest {
			rest[i].Time = now + int64(i)*50e6
		}
		end := advance(t, l, s, rest, always(50))
		for i := range rest {
			rest[i].Time += skew
		}
		if s.ticks == 0 {
			continue
		}
		got := advance(t, l, moved, rest, always(50))
		got.last -= skew
		if *got != *end {
			t.Fatalf("seed %d: goes on to %+v, want %+v", seed, *got, *end)
		}
	}
}

// TestRestartKeepsTrip: a tripped route comes back tripped.
func TestRestartKeepsTrip(t *testing.T) {
	s := tripped(t, DefaultConfig())
	n := s.law.NewState()
	if err := n.ParseState(s.AppendState(nil, s.last), 0); err != nil {
		t.Fatal(err)
	}
	if v := physics.Judge(n, physics.Query{Voltage: 1e9}); v.Allow || v.Reason != physics.Tripped {
		t.Errorf("%+v", v)
	}
}

// TestParseErrors: every field outside its range is refused by name.
func TestParseErrors(t *testing.T) {
	s := after(t, mature(t, DefaultConfig()), time.Second, dire)
	good := s.AppendState(nil, s.last+5)
	if err := s.law.NewState().ParseState(good, 1e18); err != nil {
		t.Fatal(err)
	}
	float := func(offset int, v float64) func([]byte) {
		return func(b []byte) { binary.BigEndian.PutUint64(b[offset:], math.Float64bits(v)) }
	}
	for _, x := range []struct {
		change func([]byte)
		want   string
	}{
		{func(b []byte) { copy(b, "ohmic!!") }, `law "ohmic!!"`},
		{func(b []byte) { b[7] = 2 }, "version 2, want 1"},
		{func(b []byte) { b[8] = 2 }, "mode is 2, allowed 0, 1 or 3"},
		{func(b []byte) { b[8] = 200 }, "mode is 200"},
		{func(b []byte) { b[8] = 0 }, "allowed 0 in bootstrap"},
		{func(b []byte) { binary.BigEndian.PutUint32(b[9:], 0) }, "samples is 0"},
		{func(b []byte) { binary.BigEndian.PutUint32(b[9:], 1<<31) }, "samples is 2147483648"},
		{func(b []byte) { b[13] = 0xff }, "age is -"},
		{func(b []byte) { b[13] = 0x7f }, "age is 9"},
		{float(21, 1.5), "pressure.latency is 1.5, allowed -1 to 1"},
		{float(29, math.NaN()), "pressure.error is NaN"},
		{float(37, math.Inf(-1)), "pressure.saturation is -Inf"},
		{float(45, -2), "previous.latency is -2"},
		{float(53, 2), "previous.error is 2"},
		{float(61, math.NaN()), "previous.saturation is NaN"},
		{float(69, math.Inf(1)), "momentum is +Inf"},
		{float(69, -5e6), "momentum is -5e+06"},
		{float(77, -1), "scar is -1, allowed 0 to 1e+12"},
		{float(77, 1e300), "scar is 1e+300"},
		{float(77, math.NaN()), "scar is NaN"},
		{float(85, -1), "tuner.mean is -1"},
		{float(93, math.Inf(1)), "tuner.variance is +Inf"},
	} {
		b := bytes.Clone(good)
		x.change(b)
		if err := s.law.NewState().ParseState(b, 1e18); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want %q in it", err, x.want)
		}
	}
	for _, b := range [][]byte{nil, {}, good[:len(good)-1], append(bytes.Clone(good), 0), good[:8], []byte("classic")} {
		if err := s.law.NewState().ParseState(b, 0); err == nil || !strings.Contains(err.Error(), "bytes, want 113") {
			t.Errorf("%d bytes: error %v", len(b), err)
		}
	}
	if err := s.law.NewState().ParseState(good, math.MinInt64); err == nil || !strings.Contains(err.Error(), "age") {
		t.Errorf("an age from before the clock: error %v", err)
	}
}

// TestStoredLimits: what is too large to be read is written smaller.
func TestStoredLimits(t *testing.T) {
	s := mature(t, DefaultConfig())
	s.k.Scar, s.k.Mean, s.k.Var, s.k.Momentum = 4e157, 1e200, 1e300, -1e9
	s.last = math.MinInt64 + 5
	n := s.law.NewState().(*State)
	if err := n.ParseState(s.AppendState(nil, math.MaxInt64), math.MaxInt64); err != nil {
		t.Fatal(err)
	}
	if n.k.Scar != 1e12 || n.k.Mean != 1e12 || n.k.Var != 1e24 || n.k.Momentum != -4e6 {
		t.Errorf("%+v", n.k)
	}
	s.k.Var = math.NaN()
	if err := n.ParseState(s.AppendState(nil, 0), 0); err != nil {
		t.Fatal(err)
	}
	if n.Tuner() != (tuner.State{}) {
		t.Errorf("%+v", n.Tuner())
	}
}

// FuzzParseState: no bytes panic, and what is accepted makes a sound state that
// is written as it was read.
func FuzzParseState(f *testing.F) {
	l := mustNew(f, DefaultConfig())
	f.Add(l.NewState().AppendState(nil, 0), int64(0))
	for _, s := range []*State{mature(f, DefaultConfig()), tripped(f, DefaultConfig())} {
		f.Add(s.AppendState(nil, s.last+1e9), s.last)
	}
	f.Add([]byte("classic"), int64(-1))
	f.Fuzz(func(t *testing.T, src []byte, now int64) {
		s := l.NewState().(*State)
		if s.ParseState(src, now) != nil {
			return
		}
		if got := s.AppendState(nil, now); !bytes.Equal(got, src) {
			t.Fatalf("read  %x\nwrote %x", src, got)
		}
		for _, at := range []int64{now, s.last, math.MaxInt64, math.MinInt64} {
			v := physics.Judge(s, physics.Query{Voltage: 20, Now: at})
			checkVerdict(t, l, v)
			s.Settled(at)
			s.Departs(s, at)
		}
		next := advance(t, l, s, []physics.Sample{{Time: now, Latency: 500, ErrorRate: 1, Saturation: 1}}, always(1))
		checkVerdict(t, l, physics.Judge(next, physics.Query{Voltage: 20, Now: now}))
	})
}

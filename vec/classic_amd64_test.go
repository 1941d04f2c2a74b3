//go:build amd64 && !purego && !noasm

package vec

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestLayout compares what the assembly takes for granted with what is.
func TestLayout(t *testing.T) {
	var s ClassicState
	var sc classicScratch
	var one classicSingles
	var b ClassicBatch
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"ClassicState.P", unsafe.Offsetof(s.P), 0},
		{"ClassicState.Prev", unsafe.Offsetof(s.Prev), 24},
		{"ClassicState.Momentum", unsafe.Offsetof(s.Momentum), 48},
		{"ClassicState.Scar", unsafe.Offsetof(s.Scar), 56},
		{"ClassicState.R", unsafe.Offsetof(s.R), 64},
		{"ClassicState.Mean", unsafe.Offsetof(s.Mean), 72},
		{"ClassicState.Var", unsafe.Offsetof(s.Var), 80},
		{"ClassicState.Break", unsafe.Offsetof(s.Break), 88},
		{"ClassicState.Recover", unsafe.Offsetof(s.Recover), 96},
		{"ClassicState.Samples", unsafe.Offsetof(s.Samples), 104},
		{"ClassicState.Trips", unsafe.Offsetof(s.Trips), 108},
		{"ClassicState.Recoveries", unsafe.Offsetof(s.Recoveries), 112},
		{"ClassicState.Tripped", unsafe.Offsetof(s.Tripped), 116},
		{"scratch.e", unsafe.Offsetof(sc.e), 3264},
		{"scratch.gain", unsafe.Offsetof(sc.gain), 4288},
		{"scratch.add", unsafe.Offsetof(sc.add), 5312},
		{"scratch.square", unsafe.Offsetof(sc.square), 6336},
		{"scratch.scar", unsafe.Offsetof(sc.scar), 7360},
		{"scratch.r", unsafe.Offsetof(sc.r), 8384},
		{"scratch.mean", unsafe.Offsetof(sc.mean), 9408},
		{"scratch.vari", unsafe.Offsetof(sc.vari), 10432},
		{"scratch.trip", unsafe.Offsetof(sc.trip), 11456},
		{"scratch.calm", unsafe.Offsetof(sc.calm), 11472},
		{"singles.weight", unsafe.Offsetof(one.weight), 64},
		{"singles.dtRange", unsafe.Offsetof(one.dtRange), 208},
		{"singles.tuned", unsafe.Offsetof(one.tuned), 216},
		{"ClassicBatch.Saturation", unsafe.Offsetof(b.Saturation), 72},
		{"rows", unsafe.Sizeof(classicRows{}), 64 * 25},
	} {
		if c.got != c.want {
			t.Errorf("%s is at %d, the assembly takes it for %d", c.name, c.got, c.want)
		}
	}
}

// TestPath: ordinary telemetry must go through the kernels, and samples they
// are not made for must not.
func TestPath(t *testing.T) {
	if best == Portable {
		t.Skip("no kernels on this CPU")
	}
	p := NewClassicParams(testParams())
	for _, l := range Supported()[1:] {
		for _, c := range []struct {
			name   string
			change func(b *ClassicBatch)
			want   bool
		}{
			{"calm", func(b *ClassicBatch) {}, true},
			{"values not given", func(b *ClassicBatch) { b.Latency[3], b.ErrorRate[50] = math.NaN(), math.Inf(-1) }, true},
			{"dt 0", func(b *ClassicBatch) { b.DT[0], b.DT[99] = 0, 0 }, true},
			{"dt negative", func(b *ClassicBatch) { b.DT[99] = -1 }, false},
			{"dt NaN", func(b *ClassicBatch) { b.DT[5] = math.NaN() }, false},
			{"dt huge", func(b *ClassicBatch) { b.DT[98] = 1e12 }, false},
			{"momentum overflows", func(b *ClassicBatch) { b.DT[97] = 1e-320 }, false},
			{"pressure overflows", func(b *ClassicBatch) { b.ErrorRate[99] = 1e307 }, false},
		} {
			b := calmStream(rand.New(rand.NewPCG(97, 98)), 100)
			c.change(b)
			s := ClassicState{Samples: 1000, Mean: 10}
			before := s
			got := classicChunk(l, p, &s, b, 0, 100, new(classicScratch), nil, nil)
			if got != c.want {
				t.Errorf("%s, %s: done by kernels: %t, want %t", l, c.name, got, c.want)
			}
			if !got && s != before {
				t.Errorf("%s, %s: the state changed although nothing was done", l, c.name)
			}
		}
	}
	// One sample at a time.
	s := ClassicState{Samples: 1000, Mean: 10}
	for _, c := range []struct {
		dt, latency float64
		want        int
	}{{100, 90, 1}, {0, 90, 1}, {-1, 90, 0}, {math.NaN(), 90, 0}, {1e-310, 90, 0}, {1e9, 90, 0}, {1, math.NaN(), 0}, {1, 1e280, 1}, {1, 1e308, 0}} {
		b := ClassicBatch{[]float64{c.dt}, []float64{c.latency}, []float64{0}, []float64{0}}
		if got := classicFew(&p.singles.base[0], &s.P[0], &b.DT, 0, nil, nil); got != c.want {
			t.Errorf("dt %v, latency %v: %d done, want %d", c.dt, c.latency, got, c.want)
		}
	}
}

//go:build amd64 && !purego && !noasm

package vec

import (
	"math"
	"math/bits"
	"sync"
	"unsafe"
)

const (
	haveKernels = true
	chunk       = 128   // samples per round of passes: scratch then stays in L1
	vectorN     = 7     // below this many samples, one at a time is quicker
	huge        = 1e300 // scars and resistances below cannot overflow
)

// classicScratch carries a chunk from pass to pass. The generator knows its
// layout.
type classicScratch struct {
	// hist is the pressures, after the two that precede the chunk.
	hist   [3][chunk + lanes]float64
	e      [chunk]float64 // resistance without scar
	gain   [chunk]float64 // what remains of one ohm of scar
	add    [chunk]float64 // scar the sample leaves
	square [chunk]float64 // |P|^2
	scar   [chunk]float64
	r      [chunk]float64
	mean   [chunk]float64
	vari   [chunk]float64
	trip   [chunk / 64]uint64 // would trip a closed route
	calm   [chunk / 64]uint64 // would close a tripped route
}

// base is the scratch as kernels take it: they find the rest by offset.
func (sc *classicScratch) base() *float64 { return &sc.hist[0][0] }

// scratches are pooled, not on the stack: 11 KB would have to be cleared at
// every call, and would grow the stack of every goroutine that calls.
var scratches = sync.Pool{New: func() any { return new(classicScratch) }}

// classicFrom advances s over the samples from i on.
func classicFrom(p *ClassicParams, s *ClassicState, b *ClassicBatch, i int, r []float64, tripped []bool) {
	level := Active()
	n := len(b.DT)
	if level == Portable || p.scalar {
		classicPortable(p, s, b, i, n, r, tripped)
		return
	}
	if uint64(s.Samples) < p.quickFrom {
		// The tuner's first samples follow rules of their own.
		cold := i + int(min(uint64(n-i), p.quickFrom-uint64(s.Samples)))
		classicPortable(p, s, b, i, cold, r, tripped)
		i = cold
	}
	if n-i >= vectorN {
		i = classicChunks(level, p, s, b, i, r, tripped)
	}
	for i < n {
		i = classicFew(&p.singles.base[0], &s.P[0], &b.DT, i, unsafe.SliceData(r), unsafe.SliceData(tripped))
		if i < n { // a sample for which the kernel is not made
			classicPortable(p, s, b, i, i+1, r, tripped)
			i++
		}
	}
}

// classicChunks advances s over the samples from i on, except a few at the
// end, and returns where it stopped.
func classicChunks(level Level, p *ClassicParams, s *ClassicState, b *ClassicBatch, i int, r []float64, tripped []bool) int {
	sc := scratches.Get().(*classicScratch)
	for n := len(b.DT); n-i >= vectorN; {
		end := min(i+chunk, n)
		if !classicChunk(level, p, s, b, i, end, sc, r, tripped) {
			classicPortable(p, s, b, i, end, r, tripped)
		}
		i = end
	}
	scratches.Put(sc)
	return i
}

// classicChunk advances s over the samples [from, to) of b, 4 to chunk in
// number, or reports false, having changed nothing but scratch.
func classicChunk(level Level, p *ClassicParams, s *ClassicState, b *ClassicBatch, from, to int,
	sc *classicScratch, r []float64, tripped []bool) bool {
	if !(s.Scar >= 0 && s.Scar <= huge) {
		return false
	}
	rows := &p.rows[0][0]
	n := to - from
	for c := range sc.hist {
		sc.hist[c][0], sc.hist[c][1] = s.Prev[c], s.P[c]
	}
	var odd int
	if level == AVX512 {
		odd = classicVectorAVX512(rows, sc.base(), &b.DT[from], &b.Latency[from], &b.ErrorRate[from], &b.Saturation[from], n)
	} else {
		odd = classicVectorAVX2(rows, sc.base(), &b.DT[from], &b.Latency[from], &b.ErrorRate[from], &b.Saturation[from], n)
	}
	if odd != 0 {
		return false
	}
	switch {
	case p.Tuned:
		classicChainTuned(rows, sc.base(), &s.P[0], n)
		s.count(n)
		if level == AVX512 {
			classicJudgeTunedAVX512(rows, sc.base(), n)
		} else {
			classicJudgeTunedAVX2(rows, sc.base(), n)
		}
	default:
		classicChainFixed(rows, sc.base(), &s.P[0], n)
		if level == AVX512 {
			classicJudgeFixedAVX512(rows, sc.base(), n)
		} else {
			classicJudgeFixedAVX2(rows, sc.base(), n)
		}
	}
	for c := range sc.hist {
		s.Prev[c], s.P[c] = sc.hist[c][n], sc.hist[c][n+1]
	}
	prev := [3]float64{sc.hist[0][n-1], sc.hist[1][n-1], sc.hist[2][n-1]}
	s.Momentum = momentum(s.P, prev, b.DT[to-1])
	s.Break, s.Recover = p.Thresholds(s.Mean, s.Var, s.Samples)
	if r != nil {
		copy(r[from:to], sc.r[:n])
	}
	if tripped != nil {
		tripped = tripped[from:to]
	}
	sc.walk(s, n, tripped)
	return true
}

// walk follows the mode through n samples. Changes are rare, so it goes from
// one to the next by the bits rather than from sample to sample.
func (sc *classicScratch) walk(s *ClassicState, n int, tripped []bool) {
	for w := 0; w*64 < n; w++ {
		left := min(64, n-w*64) // bits beyond belong to no sample
		trip, calm := sc.trip[w], sc.calm[w]
		at := 0
		for at < left {
			set := trip
			if s.Tripped {
				set = calm
			}
			next := min(bits.TrailingZeros64(set&(math.MaxUint64<<at)), left)
			if tripped != nil {
				t := tripped[w*64+at : w*64+next]
				for i := range t {
					t[i] = s.Tripped
				}
			}
			if next == left {
				break
			}
			s.Tripped = !s.Tripped
			if s.Tripped {
				s.Trips++
			} else {
				s.Recoveries++
			}
			if tripped != nil {
				tripped[w*64+next] = s.Tripped
			}
			at = next + 1
		}
	}
}

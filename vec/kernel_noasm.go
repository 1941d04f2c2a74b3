//go:build !amd64 || purego || noasm

package vec

func detect() Level { return Portable }

func tanhBatch(dst, x []float64) { tanhPortable(dst, x) }

func expBatch(dst, x []float64) { expPortable(dst, x) }

func lnBatch(dst, x []float64) { lnPortable(dst, x) }

func classicBatch(p *ClassicParams, s *ClassicState, b *ClassicBatch, r []float64, tripped []bool) {
	classicPortable(p, s, b, 0, len(b.DT), r, tripped)
}

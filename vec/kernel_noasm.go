//go:build !amd64 || purego || noasm

package vec

func detect() Level { return Portable }

func tanhBatch(dst, x []float64) { tanhPortable(dst, x) }

func expBatch(dst, x []float64) { expPortable(dst, x) }

func lnBatch(dst, x []float64) { lnPortable(dst, x) }

const (
	haveKernels = false
	vectorN     = 0
)

func classicFew(_, _ *float64, _ *[]float64, _ int, _ *float64, _ *bool) int { return 0 }

func classicFrom(p *ClassicParams, s *ClassicState, b *ClassicBatch, i int, r []float64, tripped []bool) {
	classicPortable(p, s, b, i, len(b.DT), r, tripped)
}

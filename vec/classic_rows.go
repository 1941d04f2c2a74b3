package vec

import "math"

// lanes is the width of the widest vector.
const lanes = 8

// Rows of classicRows: each constant once per lane, so that kernels of any
// width use it straight from memory. The generator knows this order.
const (
	rowBase0 = iota // per component: base, factor, weight
	rowBase1
	rowBase2
	rowTwice0
	rowTwice1
	rowTwice2
	rowWeight0
	rowWeight1
	rowWeight2
	rowBase
	rowDamping
	rowRate
	rowScar
	rowTrauma
	rowCalm
	rowRetain
	rowWeigh
	rowWeighSq
	rowSensitivity
	rowFloor
	rowCeiling
	rowRecovery
	rowHalfFloor
	rowFixedBreak
	rowFixedRecover
	classicRowCount
)

type classicRows [classicRowCount][lanes]float64

func newClassicRows(p *ClassicParams) (rows classicRows) {
	for i, v := range [...]float64{
		rowBase0: p.base[0], rowBase1: p.base[1], rowBase2: p.base[2],
		rowTwice0: p.twice[0], rowTwice1: p.twice[1], rowTwice2: p.twice[2],
		rowWeight0: p.WLatency, rowWeight1: p.WError, rowWeight2: p.WSaturation,
		rowBase: p.Base, rowDamping: p.Damping,
		rowRate: p.negRate, rowScar: p.ScarFactor, rowTrauma: p.trauma, rowCalm: p.calm,
		rowRetain: p.retain, rowWeigh: p.weigh, rowWeighSq: p.weighSq,
		rowSensitivity: p.Sensitivity, rowFloor: p.Floor, rowCeiling: p.Ceiling,
		rowRecovery: p.RecoveryMultiplier, rowHalfFloor: p.halfFloor,
		rowFixedBreak: p.FixedBreak, rowFixedRecover: p.FixedRecover,
	} {
		for j := range rows[i] {
			rows[i][j] = v
		}
	}
	return rows
}

// classicSingles are the constants of the kernel for one sample, close
// together: every 4096 bytes there is an address that the CPU takes for that
// of the state just written, and loads from there wait.
type classicSingles struct {
	// Three pressures, one decay.
	base, factor [4]float64

	weight                      [3]float64
	ohms, damping               float64
	trauma, scar, calm          float64
	retain, weigh, weighSq      float64
	sensitivity, ceiling, floor float64
	recovery, halfFloor         float64
	fixedBreak, fixedRecover    float64
	dtRange                     uint64 // see dtLeast
	tuned                       uint64 // 0: no
}

func newClassicSingles(p *ClassicParams) classicSingles {
	var tuned uint64
	if p.Tuned {
		tuned = 1
	}
	return classicSingles{
		tuned:       tuned,
		base:        [4]float64{p.base[0], p.base[1], p.base[2], 0},
		factor:      [4]float64{p.twice[0], p.twice[1], p.twice[2], p.negRate},
		weight:      [3]float64{p.WLatency, p.WError, p.WSaturation},
		ohms:        p.Base,
		damping:     p.Damping,
		trauma:      p.trauma,
		scar:        p.ScarFactor,
		calm:        p.calm,
		retain:      p.retain,
		weigh:       p.weigh,
		weighSq:     p.weighSq,
		sensitivity: p.Sensitivity,
		ceiling:     p.Ceiling,
		floor:       p.Floor,
		recovery:    p.RecoveryMultiplier,
		halfFloor:   p.halfFloor,
		fixedBreak:  p.FixedBreak, fixedRecover: p.FixedRecover,
		dtRange: dtRange(p),
	}
}

// dtLeast is the least dt, apart from 0, that the kernel for one sample takes.
// Momentum is then far from overflow.
const dtLeast = 1e-100

// dtRange returns the difference, as bits, from dtLeast to the largest dt for
// which scar fades by a normal number.
func dtRange(p *ClassicParams) uint64 {
	most := math.MaxFloat64
	if p.negRate < 0 {
		most = min(most, expFast/-p.negRate*(1-0x1p-40))
	}
	if !(most >= dtLeast) {
		return 0
	}
	return math.Float64bits(most) - math.Float64bits(dtLeast)
}

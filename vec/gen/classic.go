package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Rows of classicRows in vec/classic_rows.go.
const (
	rowBase0 = 64 * iota
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
)

// Offsets in classicSingles there.
const (
	oneBase   = 0
	oneFactor = 32
)

const (
	oneWeight0 = 64 + 8*iota
	oneWeight1
	oneWeight2
	oneOhms
	oneDamping
	oneTrauma
	oneScar
	oneCalm
	oneRetain
	oneWeigh
	oneWeighSq
	oneSensitivity
	oneCeiling
	oneFloor
	oneRecovery
	oneHalfFloor
	oneFixedBreak
	oneFixedRecover
	oneDTRange
	oneTuned
)

// Offsets in classicScratch in vec/classic_amd64.go.
const (
	chunk      = 128
	histStride = 8 * (chunk + 8)

	offHist = 0
)

const (
	offE = 3*histStride + 8*chunk*iota
	offGain
	offAdd
	offSquare
	offScar
	offR
	offMean
	offVar
	offTrip
	offCalm = offTrip + 16
)

// Offsets in ClassicState.
const (
	stateP          = 0
	statePrev       = 24
	stateMomentum   = 48
	stateScar       = 56
	stateR          = 64
	stateMean       = 72
	stateVar        = 80
	stateBreak      = 88
	stateRecover    = 96
	stateSamples    = 104
	stateTrips      = 108
	stateRecoveries = 112
	stateTripped    = 116
)

const (
	cmpGE  = Imm8(0x1d) // ordered, quiet
	cmpGT  = Imm8(0x1e)
	cmpLT  = Imm8(0x11)
	cmpNEQ = Imm8(0x04)
	cmpORD = Imm8(0x07)
	cmpNGE = Imm8(0x19) // or NaN
)

// Imm8 is a comparison predicate.
type Imm8 = U8

// classicVector writes the passes without recurrence: pressures, then all that
// follows from them. n is at least 4. The result is not 0 if some sample is
// outside what the short cuts hold for; scratch is then worthless.
func (k *kernel) classicVector() {
	k.text("classicVector",
		"func(rows, sc, dt, latency, errorRate, saturation *float64, n int) (odd int)")
	rows, sc, dt, n := GP64(), GP64(), GP64(), GP64()
	x := []Register{GP64(), GP64(), GP64()}
	Load(Param("rows"), rows)
	Load(Param("sc"), sc)
	Load(Param("dt"), dt)
	Load(Param("latency"), x[0])
	Load(Param("errorRate"), x[1])
	Load(Param("saturation"), x[2])
	Load(Param("n"), n)
	row := func(off int) Mem { return Mem{Base: rows, Disp: off} }
	i := GP64()

	Comment("Pressures: the three components in lockstep.")
	least := AllocLocal(k.bytes())
	v := k.vec()
	VXORPD(v, v, v)
	VMOVUPD(v, least)
	k.strip("pressure", i, n, 1, func(_ int, at func(Register, int, int) Mem, mask Register) {
		k.pressures(x, sc, row, least, at, mask)
	})

	Comment("What follows from them.")
	odd := AllocLocal(k.bytes())
	v = k.vec()
	VXORPD(v, v, v)
	VMOVUPD(v, odd)
	k.strip("rest", i, n, 2, func(w int, at func(Register, int, int) Mem, mask Register) {
		k.rest(w, dt, sc, row, odd, at, mask)
	})

	acc, low := k.vec(), k.vec()
	res := GP64()
	VMOVUPD(odd, acc)
	VMOVUPD(least, low)
	if k.wide {
		m := K()
		VCMPPD(cmpLT, k.c(-large), low, m)
		r2 := GP64()
		KMOVQ(m, r2)
		VPMOVQ2M(acc, m)
		KMOVQ(m, res)
		ORQ(r2, res)
	} else {
		VCMPPD(cmpLT, k.c(-large), low, low)
		VORPD(low, acc, acc)
		r32 := res.As32()
		VMOVMSKPD(acc, r32)
	}
	Store(res, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// strip runs body over n elements, w vectors at a time and then one. The last
// vector overlaps its predecessor (256 bits) or is masked (512 bits; mask is
// nil elsewhere). at gives the place of the j-th vector, d elements further on.
func (k *kernel) strip(name string, i, n Register, w int,
	body func(w int, at func(p Register, j, disp int) Mem, mask Register)) {
	at := func(p Register, j, disp int) Mem {
		return Mem{Base: p, Index: i, Scale: 8, Disp: j*k.bytes() + disp}
	}
	XORQ(i, i)
	if w > 1 {
		loop(name, i, n, w*k.width, func() { body(w, at, nil) })
	}
	loop(name+"One", i, n, k.width, func() { body(1, at, nil) })
	CMPQ(i, n)
	JEQ(LabelRef(name + "Done"))
	if k.wide {
		rem := GP64()
		MOVQ(n, rem)
		SUBQ(i, rem)
		body(1, at, tailMask(rem))
	} else {
		LEAQ(Mem{Base: n, Disp: -k.width}, i)
		body(1, at, nil)
	}
	Label(name + "Done")
}

// in loads a vector; lanes off the mask become fill.
func (k *kernel) in(m Mem, mask Register, fill float64, v VecVirtual) {
	switch {
	case mask == nil:
		VMOVUPD(m, v)
	case fill == 0:
		VMOVUPD_Z(m, mask, v)
	default:
		VMOVUPD(k.row(math.Float64bits(fill)), v)
		VMOVUPD(m, mask, v)
	}
}

// pressures does one vector of each component. Scratch has room for whole
// vectors, so only reads of the inputs are masked.
func (k *kernel) pressures(x []Register, sc Register, row func(int) Mem, least Mem,
	at func(Register, int, int) Mem, mask Register) {
	hist := func(c int) Mem { return at(sc, 0, offHist+c*histStride+16) }
	z := k.vecs(3)
	each(3, func(c int) { k.in(at(x[c], 0, 0), mask, 0, z[c]) })
	each(3, func(c int) {
		// NaN and infinities, for which v-v is NaN, count as 0.
		t := k.vec()
		VSUBPD(z[c], z[c], t)
		if k.wide {
			m := K()
			VCMPPD(cmpORD, t, t, m)
			VMOVAPD_Z(z[c], m, z[c])
		} else {
			VCMPPD(cmpORD, t, t, t)
			VANDPD(t, z[c], z[c])
		}
	})
	each(3, func(c int) { VSUBPD(row(rowBase0+64*c), z[c], z[c]) })
	each(3, func(c int) { VMULPD(row(rowTwice0+64*c), z[c], z[c]) })
	each(3, func(c int) { VMOVUPD(z[c], hist(c)) }) // for the sign
	each(3, func(c int) { VORPD(k.bits(signBit), z[c], z[c]) })
	low := k.vec()
	VMINPD(z[0], z[1], low)
	VMINPD(z[2], low, low)
	VMINPD(least, low, low)
	VMOVUPD(low, least)
	k.clampTanh(z)
	p, s := k.core(z, false)
	q := k.fraction(p, s)
	k.copySign(q, func(c int, v VecVirtual) { VMOVUPD(hist(c), v) })
	each(3, func(c int) { VMOVUPD(q[c], hist(c)) })
}

// rest does w vectors of samples.
func (k *kernel) rest(w int, dt, sc Register, row func(int) Mem, odd Mem,
	at func(Register, int, int) Mem, mask Register) {
	exponent := k.vecs(w)
	each(w, func(j int) {
		p, d := k.vecs(3), k.vecs(3)
		each(3, func(c int) { VMOVUPD(at(sc, j, offHist+c*histStride+16), p[c]) })
		each(3, func(c int) { VSUBPD(at(sc, j, offHist+c*histStride), p[c], d[c]) })
		change := k.square(d)
		full := k.square(p)
		VMOVUPD(full, at(sc, j, offSquare))

		ohms := k.vec()
		VMULPD(row(rowWeight0), p[0], ohms)
		each(2, func(c int) { VFMADD231PD(row(rowWeight1+64*c), p[c+1], ohms) })
		VADDPD(row(rowBase), ohms, ohms)

		zero, limit := k.vec(), k.vec()
		VXORPD(zero, zero, zero)
		each(3, func(c int) { VMAXPD(zero, p[c], p[c]) })
		pos := k.square(p)
		VMOVUPD(row(rowTrauma), limit)
		t := k.vec()
		k.in(at(dt, j, 0), mask, 1, t)
		VMULPD(row(rowRate), t, exponent[j])
		root, inv := k.vec(), k.vec()
		VSQRTPD(change, root)
		VMOVUPD(k.c(1), inv)
		VDIVPD(t, inv, inv)
		VMULPD(inv, root, root)
		if k.wide {
			m, live, quick := K(), K(), K()
			VCMPPD(cmpGT, limit, pos, m)
			VMOVUPD_Z(row(rowScar), m, pos)
			VCMPPD(cmpNEQ, zero, t, live)
			VCMPPD(cmpGE, k.c(noise), change, live, quick)
			VMOVAPD_Z(root, quick, root)
		} else {
			VCMPPD(cmpGT, limit, pos, pos)
			VANDPD(row(rowScar), pos, pos)
			VCMPPD(cmpGE, k.c(noise), change, change)
			VCMPPD(cmpNEQ, zero, t, t)
			VANDPD(t, change, change)
			VANDPD(change, root, root)
		}
		VMOVUPD(pos, at(sc, j, offAdd))
		VFMADD231PD(row(rowDamping), root, ohms)
		VMOVUPD(ohms, at(sc, j, offE))

		// As integers, -0 to -708 are the smallest, and infinity is above
		// any number.
		k.flag(exponent[j], math.Float64bits(-expFast), odd)
		k.flag(root, math.Float64bits(fast), odd)
	})
	p, s := k.core(exponent, true)
	each(w, func(j int) { VFMADD213PD(s[j], s[j], p[j]) })
	each(w, func(j int) { VMOVUPD(p[j], at(sc, j, offGain)) })
}

// flag sets the sign bit of the lanes of acc where v is above limit as an
// integer.
func (k *kernel) flag(v VecVirtual, limit uint64, acc Mem) {
	t := k.vec()
	if k.wide {
		m := K()
		VPCMPGTQ(k.bits(limit), v, m)
		VPMOVM2Q(m, t)
	} else {
		VPCMPGTQ(k.bits(limit), v, t)
	}
	k.or(acc, t, t)
	VMOVUPD(t, acc)
}

// square returns the sum of the squares.
func (k *kernel) square(v []VecVirtual) VecVirtual {
	q := k.vec()
	VMULPD(v[0], v[0], q)
	VFMADD231PD(v[1], v[1], q)
	VFMADD231PD(v[2], v[2], q)
	return q
}

// classicChain writes the recurrences, sample by sample in order: exactly what
// the scalar code does, with the chains of scar, mean and variance side by
// side. 128-bit code, for all levels.
func classicChain(tuned bool) {
	name := "classicChainFixed"
	if tuned {
		name = "classicChainTuned"
	}
	TEXT(name, NOSPLIT, "func(rows, sc, s *float64, n int)")
	Pragma("noescape")
	rows, sc, st, n := GP64(), GP64(), GP64(), GP64()
	Load(Param("rows"), rows)
	Load(Param("sc"), sc)
	Load(Param("s"), st)
	Load(Param("n"), n)
	scalar := func(off int) VecVirtual {
		v := XMM()
		VMOVSD(Mem{Base: rows, Disp: off}, v)
		return v
	}
	field := func(off int) Mem { return Mem{Base: st, Disp: off} }
	scar, mean, variance := XMM(), XMM(), XMM()
	base := scalar(rowBase)
	var retain, weigh, weighSq VecVirtual
	VMOVSD(field(stateScar), scar)
	if tuned {
		retain, weigh, weighSq = scalar(rowRetain), scalar(rowWeigh), scalar(rowWeighSq)
		VMOVSD(field(stateMean), mean)
		VMOVSD(field(stateVar), variance)
	}
	i := GP64()
	XORQ(i, i)
	r := XMM()
	body := func(j int) {
		at := func(off int) Mem { return Mem{Base: sc, Index: i, Scale: 8, Disp: off + 8*j} }
		gain := XMM()
		VMOVSD(at(offGain), gain)
		VFMADD213SD(at(offAdd), gain, scar)
		VMOVSD(scar, at(offScar))
		VADDSD(at(offE), scar, r)
		VMAXSD(r, base, r)
		VMOVSD(r, at(offR))
		if tuned {
			part, d := XMM(), XMM()
			VMULSD(r, weigh, part)
			VSUBSD(mean, r, d)
			VFMADD213SD(part, retain, mean)
			VMULSD(d, d, d)
			VMULSD(weighSq, d, d)
			VFMADD213SD(d, retain, variance)
			VMOVSD(mean, at(offMean))
			VMOVSD(variance, at(offVar))
		}
	}
	loop("four", i, n, 4, func() { each(4, body) })
	loop("one", i, n, 1, func() { body(0) })
	VMOVSD(scar, field(stateScar))
	VMOVSD(r, field(stateR))
	if tuned {
		VMOVSD(mean, field(stateMean))
		VMOVSD(variance, field(stateVar))
	}
	RET()
}

// classicJudge writes the comparisons: one bit a sample whether it would trip
// a closed route, and one whether it would close a tripped one. It does whole
// bytes of bits, so it may read scratch beyond n, to which no bits belong.
func (k *kernel) classicJudge(tuned bool) {
	name := "classicJudgeFixed"
	if tuned {
		name = "classicJudgeTuned"
	}
	k.text(name, "func(rows, sc *float64, n int)")
	rows, sc, n := GP64(), GP64(), GP64()
	Load(Param("rows"), rows)
	Load(Param("sc"), sc)
	Load(Param("n"), n)
	constant := func(off int) VecVirtual {
		v := k.vec()
		VMOVUPD(Mem{Base: rows, Disp: off}, v)
		return v
	}
	scar, calm := constant(rowScar), constant(rowCalm)
	var sens, floor, ceil, mult, half, brk, rec VecVirtual
	if tuned {
		sens, floor, ceil = constant(rowSensitivity), constant(rowFloor), constant(rowCeiling)
		mult, half = constant(rowRecovery), constant(rowHalfFloor)
	} else {
		brk, rec = constant(rowFixedBreak), constant(rowFixedRecover)
	}
	vectors := 8 / k.width
	i, byteAt := GP64(), GP64()
	XORQ(i, i)
	MOVQ(sc, byteAt)
	trip, calmBits := GP32(), GP32()
	Label("byte")
	each(vectors, func(j int) {
		at := func(off int) Mem { return Mem{Base: sc, Index: i, Scale: 8, Disp: off + j*k.bytes()} }
		b, c := brk, rec
		if tuned {
			b, c = k.vec(), k.vec()
			VSQRTPD(at(offVar), b)
			VFMADD213PD(at(offMean), sens, b)
			VMINPD(b, ceil, b)
			VMAXPD(b, floor, b)
			VMULPD(mult, b, c)
			VMAXPD(c, half, c)
		}
		r, s, q := k.vec(), k.vec(), k.vec()
		VMOVUPD(at(offR), r)
		VMOVUPD(at(offScar), s)
		VMOVUPD(at(offSquare), q)
		if k.wide {
			m, low, calmK := K(), K(), K()
			VCMPPD(cmpGE, b, r, m)
			KMOVB(m, Mem{Base: byteAt, Disp: offTrip})
			VCMPPD(cmpLT, scar, s, low)
			VCMPPD(cmpLT, calm, q, low, calmK)
			VCMPPD(cmpLT, c, r, m)
			KORB(m, calmK, m)
			KMOVB(m, Mem{Base: byteAt, Disp: offCalm})
			return
		}
		t := k.vec()
		VCMPPD(cmpGE, b, r, t)
		VCMPPD(cmpLT, scar, s, s)
		VCMPPD(cmpLT, calm, q, q)
		VCMPPD(cmpLT, c, r, r)
		VANDPD(q, s, s)
		VORPD(r, s, s)
		if j == 0 {
			VMOVMSKPD(t, trip)
			VMOVMSKPD(s, calmBits)
			return
		}
		hi := GP32()
		VMOVMSKPD(t, hi)
		SHLL(Imm(4), hi)
		ORL(hi, trip)
		MOVB(trip.As8(), Mem{Base: byteAt, Disp: offTrip})
		hi = GP32()
		VMOVMSKPD(s, hi)
		SHLL(Imm(4), hi)
		ORL(hi, calmBits)
		MOVB(calmBits.As8(), Mem{Base: byteAt, Disp: offCalm})
	})
	ADDQ(Imm(8), i)
	INCQ(byteAt)
	CMPQ(i, n)
	JLT(LabelRef("byte"))
	VZEROUPPER()
	RET()
}

// classicFew writes the update by a few samples, one after the other: the three
// pressures and the decay share one vector. The tuner must be warm, and from
// within the batch. It returns how many samples of the batch are done; if
// that is not all, the next one is outside what it can do.
//
// Its constants lie close together; see classicSingles.
func classicFew() {
	k := &kernel{width: 4, regs: map[uint64]Op{}, table: &singleTable}
	TEXT("classicFew", NOSPLIT,
		"func(params, s *float64, b *[]float64, from int, r *float64, tripped *bool) (done int)")
	Pragma("noescape")
	get := func(name string) Register {
		v := GP64()
		Load(Param(name), v)
		return v
	}
	params, st := get("params"), get("s")
	batch := get("b") // four slices, one after the other
	slice := func(i int) Register {
		v := GP64()
		MOVQ(Mem{Base: batch, Disp: 24 * i}, v)
		return v
	}
	dtAt, latencyAt, errorAt, saturationAt := slice(0), slice(1), slice(2), slice(3)
	rOut, trippedOut := get("r"), get("tripped")
	param := func(off int) Mem { return Mem{Base: params, Disp: off} }
	field := func(off int) Mem { return Mem{Base: st, Disp: off} }
	scalar := func(m Mem) VecVirtual {
		v := XMM()
		VMOVSD(m, v)
		return v
	}
	i := get("from")
	at := func(p Register) Mem { return Mem{Base: p, Index: i, Scale: 8} }

	Label("sample")
	Comment("Is it within range? As bits, dt is 0 or from dtLeast on, scar from 0 to huge.")
	Comment("Where dt is 0, its inverse counts as 0, and so does momentum.")
	bits, edge := GP64(), GP64()
	inv := XMM()
	MOVQ(at(dtAt), bits)
	VXORPD(inv, inv, inv)
	TESTQ(bits, bits)
	JEQ(LabelRef("dtFits"))
	MOVQ(Imm(math.Float64bits(dtLeast)), edge)
	SUBQ(edge, bits)
	CMPQ(bits, param(oneDTRange))
	JHI(LabelRef("leave"))
	VMOVSD(k.c(1).(Mem), inv)
	VDIVSD(at(dtAt), inv, inv)
	Label("dtFits")
	MOVQ(Imm(math.Float64bits(huge)), edge)
	CMPQ(field(stateScar), edge)
	JHI(LabelRef("leave"))

	lo, hi, x := XMM(), XMM(), YMM()
	VMOVSD(at(latencyAt), lo)
	VMOVHPD(at(errorAt), lo, lo)
	VMOVSD(at(saturationAt), hi)
	VMOVHPD(at(dtAt), hi, hi)
	VINSERTF128(Imm(1), hi, lo.AsY(), x)
	VSUBPD(param(oneBase), x, x)
	VMULPD(param(oneFactor), x, x)
	y, low := YMM(), YMM()
	VORPD(k.bits(signBit), x, y)
	VCMPPD(cmpNGE, k.c(-large), y, low) // NaN too
	VTESTPD(low, low)
	JNE(LabelRef("leave"))

	limit := YMM()
	VMOVUPD(k.lanes(-tanhEnd, -tanhEnd, -tanhEnd, -math.MaxFloat64), limit)
	VMAXPD(y, limit, y)
	s, nf := YMM(), YMM()
	k.load(log2e, s)
	VFMADD213PD(k.c(magic), y, s)
	VSUBPD(k.c(magic), s, nf)
	VFNMADD231PD(k.c(ln2), nf, y)
	VFNMADD231PD(k.lanes(0, 0, 0, ln2Lo), nf, y)
	p := k.coreEnd([]VecVirtual{y}, []VecVirtual{s})[0]
	num, den := YMM(), YMM()
	VADDPD(k.c(1), s, den)
	VADDPD(k.lanes(-1, -1, -1, 0), s, num) // s-1 for pressures, s for the decay
	VFMADD231PD(s, p, num)
	VFMADD231PD(s, p, den)
	gain := XMM()
	VEXTRACTF128(Imm(1), num, gain)
	VUNPCKHPD(gain, gain, gain)
	VDIVPD(den, num, num)
	VANDPD(k.bits(signBit), x, x)
	VANDPD(k.bits(absBits), num, num)
	VORPD(x, num, num)

	pr := []VecVirtual{num.(VecVirtual).AsX().(VecVirtual), XMM(), XMM()}
	VUNPCKHPD(pr[0], pr[0], pr[1])
	VEXTRACTF128(Imm(1), num, pr[2])
	square := func(v []VecVirtual) VecVirtual {
		q := XMM()
		VMULSD(v[0], v[0], q)
		VFMADD231SD(v[1], v[1], q)
		VFMADD231SD(v[2], v[2], q)
		return q
	}
	d := []VecVirtual{XMM(), XMM(), XMM()}
	each(3, func(c int) { VSUBSD(field(statePrev+8*c), pr[c], d[c]) })
	change := square(d)
	momentum, zero := XMM(), XMM()
	VSQRTSD(change, change, momentum)
	VXORPD(zero, zero, zero)
	VMULSD(inv, momentum, momentum)
	VCMPSD(cmpGE, k.c(noise), change, change)
	VANDPD(change, momentum, momentum)

	ohms := XMM()
	VMULSD(param(oneWeight0), pr[0], ohms)
	each(2, func(c int) { VFMADD231SD(param(oneWeight1+8*c), pr[c+1], ohms) })
	VADDSD(param(oneOhms), ohms, ohms)
	VFMADD231SD(param(oneDamping), momentum, ohms)

	pos := []VecVirtual{XMM(), XMM(), XMM()}
	each(3, func(c int) { VMAXSD(zero, pr[c], pos[c]) })
	add := square(pos)
	VCMPSD(cmpGT, param(oneTrauma), add, add)
	factor := scalar(param(oneScar))
	VANDPD(factor, add, add)
	scar := scalar(field(stateScar))
	VFMADD213SD(add, gain, scar)
	r, base := XMM(), scalar(param(oneOhms))
	VADDSD(ohms, scar, r)
	VMAXSD(r, base, r)

	old := XMM()
	VMOVUPD(field(stateP), old)
	VMOVUPD(old, field(statePrev))
	old = scalar(field(stateP + 16))
	VMOVSD(old, field(statePrev+16))
	// The first two together: the next round loads them so, and a load that
	// spans two stores would wait for both to reach the cache.
	VMOVUPD(pr[0], field(stateP))
	VMOVSD(pr[2], field(stateP+16))
	VMOVSD(momentum, field(stateMomentum))
	VMOVSD(scar, field(stateScar))
	VMOVSD(r, field(stateR))

	b, rec := XMM(), XMM()
	CMPQ(param(oneTuned), Imm(0))
	JEQ(LabelRef("fixed"))
	{
		retain, mean, variance := scalar(param(oneRetain)), scalar(field(stateMean)), scalar(field(stateVar))
		part, dev := XMM(), XMM()
		VMULSD(param(oneWeigh), r, part)
		VSUBSD(mean, r, dev)
		VFMADD213SD(part, retain, mean)
		VMULSD(dev, dev, dev)
		VMULSD(param(oneWeighSq), dev, dev)
		VFMADD213SD(dev, retain, variance)
		VMOVSD(mean, field(stateMean))
		VMOVSD(variance, field(stateVar))
		VSQRTSD(variance, variance, b)
		sens, bound := scalar(param(oneSensitivity)), scalar(param(oneCeiling))
		VFMADD213SD(mean, sens, b)
		VMINSD(b, bound, b)
		bound = scalar(param(oneFloor))
		VMAXSD(b, bound, b)
		VMULSD(param(oneRecovery), b, rec)
		bound = scalar(param(oneHalfFloor))
		VMAXSD(rec, bound, rec)
		// Samples stays at its end.
		n := GP32()
		MOVL(field(stateSamples), n)
		ADDL(Imm(1), n)
		SBBL(Imm(0), n)
		MOVL(n, field(stateSamples))
	}
	JMP(LabelRef("points"))
	Label("fixed")
	VMOVSD(param(oneFixedBreak), b)
	VMOVSD(param(oneFixedRecover), rec)
	Label("points")
	VMOVSD(b, field(stateBreak))
	VMOVSD(rec, field(stateRecover))

	CMPB(field(stateTripped), Imm(0))
	JNE(LabelRef("tripped"))
	VUCOMISD(b, r)
	JCS(LabelRef("settled")) // below, or NaN
	MOVB(Imm(1), field(stateTripped))
	INCL(field(stateTrips))
	JMP(LabelRef("settled"))
	Label("tripped")
	VUCOMISD(r, rec)
	JHI(LabelRef("recovered"))
	VUCOMISD(scar, factor)
	JLS(LabelRef("settled"))
	full := square(pr)
	calm := scalar(param(oneCalm))
	VUCOMISD(full, calm)
	JLS(LabelRef("settled"))
	Label("recovered")
	MOVB(Imm(0), field(stateTripped))
	INCL(field(stateRecoveries))
	Label("settled")

	TESTQ(rOut, rOut)
	JEQ(LabelRef("noR"))
	VMOVSD(r, at(rOut))
	Label("noR")
	TESTQ(trippedOut, trippedOut)
	JEQ(LabelRef("noTripped"))
	flag := GP8()
	MOVB(field(stateTripped), flag)
	MOVB(flag, Mem{Base: trippedOut, Index: i, Scale: 1})
	Label("noTripped")
	INCQ(i)
	CMPQ(i, Mem{Base: batch, Disp: 8})
	JLT(LabelRef("sample"))
	Label("leave")
	Store(i.(GPVirtual), ReturnIndex(0))
	VZEROUPPER()
	RET()
}

package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The constants of vec/core.go and its neighbours. That both files have the
// same is tested there: a difference changes bits.
const (
	magic   = 0x1.8p52 + 1023
	log2e   = 0x1.71547652b82fep+0
	ln2     = 0x1.62e42fefa39efp-1
	ln2Lo   = 0x1.abc9e3b39803fp-56
	tanhEnd = 44
	expFast = 708
	noise   = 1e-9
	huge    = 1e300
	large   = 1e290
	fast    = 1e200
	dtLeast = 1e-100

	signBit = 1 << 63
	absBits = signBit - 1

	sqrtHalfBits = 0x3fe6a09e667f3bcd
	oneBits      = 0x3ff0000000000000
	mantissa     = 1<<52 - 1
	minNormBit   = 0x0010000000000000
	infBits      = 0x7ff0000000000000
)

var expm1Coeff = [10]float64{
	0x1.0000000000006p-1,
	0x1.555555555556cp-3,
	0x1.5555555552414p-5,
	0x1.111111110e851p-7,
	0x1.6c16c17e9789ep-10,
	0x1.a01a01b56719cp-13,
	0x1.a019a80f61e97p-16,
	0x1.71ddeae363420p-19,
	0x1.28a1625ef9093p-22,
	0x1.af7576ca69904p-26,
}

var lnCoeff = [7]float64{
	0x1.5555555555566p-1,
	0x1.999999998c710p-2,
	0x1.2492493800856p-2,
	0x1.c71c5967bea90p-3,
	0x1.7464d89e8e025p-3,
	0x1.39c3853cdd6cap-3,
	0x1.2dc43364e20dbp-3,
}

// load puts a constant into v.
func (k *kernel) load(f float64, v VecVirtual) { VMOVUPD(k.c(f), v) }

// horner continues acc[i] = acc[i]*x[i] + c for all vectors.
func (k *kernel) horner(acc, x []VecVirtual, c float64) {
	each(len(acc), func(i int) { VFMADD213PD(k.c(c), x[i], acc[i]) })
}

// core turns the exponents y into p and s: e^y = s (1 + p). It works on all
// vectors in lockstep, which keeps the ports busy while each chain waits.
// twoSteps reduces y as Exp does, else as Tanh does. y is used up.
func (k *kernel) core(y []VecVirtual, twoSteps bool) (p, s []VecVirtual) {
	w := len(y)
	s, nf := k.vecs(w), k.vecs(w)
	each(w, func(i int) { k.load(log2e, s[i]) })
	each(w, func(i int) { VFMADD213PD(k.c(magic), y[i], s[i]) })
	each(w, func(i int) { VSUBPD(k.c(magic), s[i], nf[i]) })
	each(w, func(i int) { VFNMADD231PD(k.c(ln2), nf[i], y[i]) })
	if twoSteps {
		each(w, func(i int) { VFNMADD231PD(k.c(ln2Lo), nf[i], y[i]) })
	}
	return k.coreEnd(y, s), s
}

// coreEnd is core from the reduced y on.
func (k *kernel) coreEnd(y, s []VecVirtual) []VecVirtual {
	w := len(y)
	q, odd, even := k.vecs(w), k.vecs(w), k.vecs(w)
	each(w, func(i int) { VPSLLQ(Imm(52), s[i], s[i]) })
	each(w, func(i int) { VMULPD(y[i], y[i], q[i]) })
	each(w, func(i int) { k.load(expm1Coeff[9], odd[i]) })
	each(w, func(i int) { k.load(expm1Coeff[8], even[i]) })
	for c := 7; c > 0; c -= 2 {
		k.horner(odd, q, expm1Coeff[c])
		k.horner(even, q, expm1Coeff[c-1])
	}
	each(w, func(i int) { VFMADD213PD(even[i], y[i], odd[i]) })
	each(w, func(i int) { VFMADD213PD(y[i], q[i], odd[i]) })
	return odd
}

// fraction returns (1-E)/(1+E), negated, where E = s (1+p).
func (k *kernel) fraction(p, s []VecVirtual) []VecVirtual {
	w := len(p)
	num, den := k.vecs(w), k.vecs(w)
	each(w, func(i int) { VADDPD(k.c(-1), s[i], num[i]) })
	each(w, func(i int) { VADDPD(k.c(1), s[i], den[i]) })
	each(w, func(i int) { VFMADD231PD(s[i], p[i], num[i]) })
	each(w, func(i int) { VFMADD231PD(s[i], p[i], den[i]) })
	each(w, func(i int) { VDIVPD(den[i], num[i], num[i]) })
	return num
}

// tanhOf returns tanh of the vectors for which load(i, v) loads x into v.
// again does the same at the end, when v is only needed for its sign.
func (k *kernel) tanhOf(w int, load, again func(i int, v VecVirtual)) []VecVirtual {
	y := k.vecs(w)
	each(w, func(i int) { load(i, y[i]) })
	each(w, func(i int) { VORPD(k.bits(signBit), y[i], y[i]) })
	each(w, func(i int) { VADDPD(y[i], y[i], y[i]) })
	k.clampTanh(y)
	p, s := k.core(y, false)
	q := k.fraction(p, s)
	k.copySign(q, again)
	return q
}

// clampTanh sets y to max(y, -tanhEnd), NaN staying NaN.
func (k *kernel) clampTanh(y []VecVirtual) {
	each(len(y), func(i int) {
		e := k.r(math.Float64bits(-tanhEnd))
		VMAXPD(y[i], e, y[i])
	})
}

// copySign gives q the signs of what load loads.
func (k *kernel) copySign(q []VecVirtual, load func(i int, v VecVirtual)) {
	each(len(q), func(i int) {
		x := k.vec()
		load(i, x)
		if k.wide {
			// q where the sign bit is not, x where it is.
			VPTERNLOGQ(Imm(0xd8), k.r(signBit), x, q[i])
			return
		}
		VANDPD(k.bits(signBit), x, x)
		VANDPD(k.bits(absBits), q[i], q[i])
		VORPD(x, q[i], q[i])
	})
}

// lockstep picks how many vectors to work on at a time, by level.
func (k *kernel) lockstep(avx2, avx512 int) int {
	if k.wide {
		return avx512
	}
	return avx2
}

// elementwise writes a function of dst, x and n, which does w vectors at a time. body does w vectors at index
// i of x, read by load, and returns them.
//
// With 256 bits n is at least 4, and the last, incomplete vector is the last 4
// elements: read first, because dst may be x, written last. With 512 bits a
// mask does it.
func (k *kernel) elementwise(w int, keep func(), fill uint64,
	body func(w int, load func(i int, v VecVirtual)) []VecVirtual, done func(i Register)) {
	dst, x, n := GP64(), GP64(), GP64()
	Load(Param("dst"), dst)
	Load(Param("x"), x)
	Load(Param("n"), n)
	keep()
	i := GP64()
	XORQ(i, i)
	var tail Mem
	if !k.wide {
		tail = AllocLocal(32)
		t := k.vec()
		VMOVUPD(Mem{Base: x, Index: n, Scale: 8, Disp: -32}, t)
		VMOVUPD(t, tail)
	}
	at := func(p Register, j int) Mem {
		return Mem{Base: p, Index: i, Scale: 8, Disp: j * k.bytes()}
	}
	run := func(w int) func() {
		return func() {
			v := body(w, func(j int, v VecVirtual) { VMOVUPD(at(x, j), v) })
			each(w, func(j int) { VMOVUPD(v[j], at(dst, j)) })
		}
	}
	loop("block", i, n, w*k.width, run(w))
	if w > 2 {
		loop("pair", i, n, 2*k.width, run(2))
	}
	loop("one", i, n, k.width, run(1))
	CMPQ(i, n)
	JEQ(LabelRef("done"))
	if k.wide {
		rem := GP64()
		MOVQ(n, rem)
		SUBQ(i, rem)
		m := tailMask(rem)
		t := k.vec()
		VMOVUPD(k.row(fill), t)
		VMOVUPD(at(x, 0), m, t)
		v := body(1, func(_ int, v VecVirtual) { VMOVAPD(t, v) })
		VMOVUPD(v[0], m, at(dst, 0))
	} else {
		v := body(1, func(_ int, v VecVirtual) { VMOVUPD(tail, v) })
		VMOVUPD(v[0], Mem{Base: dst, Index: n, Scale: 8, Disp: -32})
	}
	MOVQ(n, i)
	Label("done")
	done(i)
	VZEROUPPER()
	RET()
}

func (k *kernel) tanh() {
	k.text("tanh", "func(dst, x *float64, n int)")
	k.elementwise(k.lockstep(3, 3), func() {
		if k.wide {
			k.keep(expm1Coeff[:]...)
			k.keep(log2e, magic, ln2)
			k.keepBits(signBit)
		}
	}, 0, func(w int, load func(int, VecVirtual)) []VecVirtual {
		return k.tanhOf(w, load, load)
	}, func(Register) {})
}

// leaveIf jumps to done if any lane of any vector has a signed integer above
// limit, or with unsigned false at or above it.
func (k *kernel) leaveIf(v []VecVirtual, limit uint64) {
	if k.wide {
		acc := K()
		each(len(v), func(i int) {
			m := K()
			if i == 0 {
				m = acc
			}
			VPCMPGTQ(k.bits(limit), v[i], m)
			if i > 0 {
				KORW(m, acc, acc)
			}
		})
		KORTESTB(acc, acc)
		JNE(LabelRef("done"))
		return
	}
	each(len(v), func(i int) { VPCMPGTQ(k.bits(limit), v[i], v[i]) })
	for i := 1; i < len(v); i++ {
		VPOR(v[i], v[0], v[0])
	}
	VPTEST(v[0], v[0])
	JNE(LabelRef("done"))
}

func (k *kernel) exp() {
	k.text("exp", "func(dst, x *float64, n int) int")
	k.elementwise(k.lockstep(3, 3), func() {
		if k.wide {
			k.keep(expm1Coeff[:]...)
			k.keep(log2e, magic, ln2, ln2Lo)
		}
	}, 0, func(w int, load func(int, VecVirtual)) []VecVirtual {
		x, a := k.vecs(w), k.vecs(w)
		each(w, func(i int) { load(i, x[i]) })
		each(w, func(i int) { k.and(k.bits(absBits), x[i], a[i]) })
		k.leaveIf(a, math.Float64bits(expFast))
		p, s := k.core(x, true)
		each(w, func(i int) { VFMADD213PD(s[i], s[i], p[i]) })
		return p
	}, func(i Register) { Store(i.(GPVirtual), ReturnIndex(0)) })
}

func (k *kernel) ln() {
	k.text("ln", "func(dst, x *float64, n int) int")
	k.elementwise(k.lockstep(2, 2), func() {
		if k.wide {
			k.keep(lnCoeff[:]...)
			k.keep(ln2, ln2Lo)
			k.keepBits(mantissa)
		}
	}, oneBits, func(w int, load func(int, VecVirtual)) []VecVirtual {
		b, a := k.vecs(w), k.vecs(w)
		each(w, func(i int) { load(i, b[i]) })
		// As signed integers, normal positive numbers less minNormBit + 2^63
		// are the smallest; everything else is above.
		each(w, func(i int) { VPADDQ(k.bits(signBit-minNormBit), b[i], a[i]) })
		k.leaveIf(a, signBit+infBits-minNormBit-1)

		kf, f := k.vecs(w), k.vecs(w)
		each(w, func(i int) { VPADDQ(k.bits(oneBits-sqrtHalfBits), b[i], b[i]) })
		each(w, func(i int) { VPSRLQ(Imm(52), b[i], kf[i]) })
		each(w, func(i int) { k.and(k.bits(mantissa), b[i], f[i]) })
		each(w, func(i int) { VPADDQ(k.bits(sqrtHalfBits), f[i], f[i]) })
		each(w, func(i int) { VADDPD(k.c(-1), f[i], f[i]) })
		each(w, func(i int) { k.or(k.bits(0x4330000000000000), kf[i], kf[i]) })
		each(w, func(i int) { VSUBPD(k.c(0x1p52+1023), kf[i], kf[i]) })
		s, z := k.vecs(w), k.vecs(w)
		each(w, func(i int) { VADDPD(k.c(2), f[i], s[i]) })
		each(w, func(i int) { VDIVPD(s[i], f[i], s[i]) })
		each(w, func(i int) { VMULPD(s[i], s[i], z[i]) })
		sq, odd, even := k.vecs(w), k.vecs(w), k.vecs(w)
		each(w, func(i int) { VMULPD(z[i], z[i], sq[i]) })
		each(w, func(i int) { k.load(lnCoeff[6], even[i]) })
		each(w, func(i int) { k.load(lnCoeff[5], odd[i]) })
		k.horner(even, sq, lnCoeff[4])
		k.horner(odd, sq, lnCoeff[3])
		k.horner(even, sq, lnCoeff[2])
		k.horner(odd, sq, lnCoeff[1])
		k.horner(even, sq, lnCoeff[0])
		each(w, func(i int) { VFMADD213PD(even[i], z[i], odd[i]) })
		h := k.vecs(w)
		each(w, func(i int) { VMULPD(k.c(0.5), f[i], h[i]) })
		each(w, func(i int) { VMULPD(f[i], h[i], h[i]) })
		each(w, func(i int) { VFMADD213PD(h[i], z[i], odd[i]) })
		lo := k.vecs(w)
		each(w, func(i int) { VMULPD(k.c(ln2Lo), kf[i], lo[i]) })
		each(w, func(i int) { VFMADD213PD(lo[i], s[i], odd[i]) })
		each(w, func(i int) { VSUBPD(odd[i], h[i], h[i]) })
		each(w, func(i int) { VSUBPD(h[i], f[i], f[i]) })
		each(w, func(i int) { VFMADD231PD(k.c(ln2), kf[i], f[i]) })
		return f
	}, func(i Register) { Store(i.(GPVirtual), ReturnIndex(0)) })
}

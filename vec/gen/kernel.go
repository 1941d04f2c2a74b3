package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// kernel writes one family of functions for one width of vector.
type kernel struct {
	name  string        // suffix of its functions
	width int           // float64 per vector
	wide  bool          // AVX-512: 32 registers, masks
	regs  map[uint64]Op // constants kept in registers
	table *table
}

// table is read-only data: rows of constants.
type table struct {
	name    string
	copies  int // of a constant in a row
	data    *Mem
	size    int
	offsets map[[8]uint64]int
}

var (
	// wideTable serves vectors of any width.
	wideTable = table{name: "constants", copies: 8}
	// singleTable is that of the kernels for one sample; see classicSingles.
	singleTable = table{name: "constants1", copies: 4}
)

// row returns the place of a row.
func (t *table) row(lanes ...uint64) Mem {
	if t.data == nil {
		m := GLOBL(t.name, RODATA|NOPTR)
		t.data, t.offsets = &m, map[[8]uint64]int{}
	}
	key := [8]uint64(append(lanes, make([]uint64, 8-len(lanes))...))
	off, ok := t.offsets[key]
	if !ok {
		off = t.size
		t.offsets[key] = off
		t.size += 8 * len(lanes)
		for i, bits := range lanes {
			DATA(off+8*i, U64(bits))
		}
	}
	return t.data.Offset(off)
}

// same returns the row of one constant, given by its bits.
func (t *table) same(bits uint64) Mem {
	lanes := make([]uint64, t.copies)
	for i := range lanes {
		lanes[i] = bits
	}
	return t.row(lanes...)
}

func (k *kernel) bytes() int { return 8 * k.width }

// vec returns a fresh vector register.
func (k *kernel) vec() VecVirtual {
	if k.wide {
		return ZMM()
	}
	return YMM()
}

func (k *kernel) vecs(n int) []VecVirtual {
	v := make([]VecVirtual, n)
	for i := range v {
		v[i] = k.vec()
	}
	return v
}

// c is a constant as an operand: the register it was kept in, or memory.
func (k *kernel) c(f float64) Op { return k.bits(math.Float64bits(f)) }

func (k *kernel) bits(b uint64) Op {
	if r, ok := k.regs[b]; ok {
		return r
	}
	return k.row(b)
}

// r is a constant in a register: a kept one, or one loaded for the occasion.
func (k *kernel) r(b uint64) VecVirtual {
	if r, ok := k.regs[b]; ok {
		return r.(VecVirtual)
	}
	v := k.vec()
	VMOVUPD(k.row(b), v)
	return v
}

// keep loads constants into registers for the rest of the function.
func (k *kernel) keep(fs ...float64) {
	for _, f := range fs {
		k.keepBits(math.Float64bits(f))
	}
}

func (k *kernel) keepBits(b uint64) {
	v := k.vec()
	VMOVUPD(k.row(b), v)
	k.regs[b] = v
}

// text starts a function.
func (k *kernel) text(name, signature string) {
	TEXT(name+k.name, NOSPLIT, signature)
	Pragma("noescape")
	k.regs = map[uint64]Op{}
}

func each(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}

// loop runs body for blocks of step elements while they last, with i counted
// in elements.
func loop(label string, i, n Register, step int, body func()) {
	end := GP64()
	MOVQ(n, end)
	SUBQ(Imm(uint64(step)), end)
	JLT(LabelRef(label + "End"))
	Label(label)
	CMPQ(i, end)
	JGT(LabelRef(label + "End"))
	body()
	ADDQ(Imm(uint64(step)), i)
	JMP(LabelRef(label))
	Label(label + "End")
}

// tailMask returns the mask of the lowest n lanes, 0 < n < 8.
func tailMask(n Register) Register {
	m, k := GP64(), K()
	XORQ(m, m)
	DECQ(m)
	BZHIQ(n, m, m)
	KMOVQ(m, k)
	return k
}

// and and or work on integers.
func (k *kernel) and(a, b, dst Op) {
	if k.wide {
		VPANDQ(a, b, dst)
		return
	}
	VPAND(a, b, dst)
}

func (k *kernel) or(a, b, dst Op) {
	if k.wide {
		VPORQ(a, b, dst)
		return
	}
	VPOR(a, b, dst)
}

// row is a constant in memory.
func (k *kernel) row(bits uint64) Mem {
	if k.table == nil {
		k.table = &wideTable
	}
	return k.table.same(bits)
}

// lanes is a row of different constants.
func (k *kernel) lanes(fs ...float64) Mem {
	bits := make([]uint64, len(fs))
	for i, f := range fs {
		bits[i] = math.Float64bits(f)
	}
	return k.table.row(bits...)
}

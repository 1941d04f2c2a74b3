package vec

import (
	"math"
	"math/big"
)

// Two references. The slow one is math/big at 200 bits. The quick one is
// double-double (about 100 bits), which is compared with the slow one before
// it judges anything.

const bigPrec = 200

func bigF(x float64) *big.Float { return new(big.Float).SetPrec(bigPrec).SetFloat64(x) }

func bigNew() *big.Float { return new(big.Float).SetPrec(bigPrec) }

// bigExpm1 returns e^x - 1 for finite x: e^x - 1 of x/2^k by its series, then
// k times E <- E (E + 2).
func bigExpm1(x *big.Float) *big.Float {
	k := max(0, x.MantExp(nil)+20)
	r := bigNew().SetMantExp(x, -k)
	sum, term := bigNew(), bigF(1)
	for i := int64(1); i < 30; i++ {
		term.Mul(term, r)
		term.Quo(term, bigNew().SetInt64(i))
		sum.Add(sum, term)
		if term.Sign() == 0 || term.MantExp(nil) < sum.MantExp(nil)-bigPrec {
			break
		}
	}
	for range k {
		sum.Mul(sum, bigNew().Add(sum, bigF(2)))
	}
	return sum
}

func bigExp(x float64) *big.Float { return bigExpOf(bigF(x)) }

func bigExpOf(x *big.Float) *big.Float {
	// The doublings lose bits near -1, so compute e^|x|.
	e := bigExpm1(bigNew().Abs(x))
	e.Add(e, bigF(1))
	if x.Sign() < 0 {
		e.Quo(bigF(1), e)
	}
	return e
}

func bigTanh(x float64) *big.Float {
	e := bigExpm1(bigF(2 * x))
	return bigNew().Quo(e, bigNew().Add(e, bigF(2)))
}

// bigLn solves e^y = x by Newton steps y <- y + 2 (x - e^y) / (x + e^y).
func bigLn(x float64) *big.Float {
	// Not math.Log(x): on amd64 it takes denormals for normal numbers.
	f, k := math.Frexp(x)
	y := bigF(math.Log(f) + float64(k)*math.Ln2)
	bx := bigF(x)
	for range 3 {
		e := bigExpOf(y)
		d := bigNew().Sub(bx, e)
		d.Quo(d, bigNew().Add(bx, e))
		y.Add(y, d.Add(d, d))
	}
	return y
}

// dd is an unevaluated sum of two float64, |lo| <= ulp(hi)/2.
type dd struct{ hi, lo float64 }

func ddSum(a, b float64) dd {
	s := a + b
	t := s - a
	return dd{s, (a - (s - t)) + (b - t)}
}

func (a dd) add(b dd) dd {
	s, t := ddSum(a.hi, b.hi), ddSum(a.lo, b.lo)
	s = ddSum(s.hi, s.lo+t.hi)
	return ddSum(s.hi, s.lo+t.lo)
}

func (a dd) mul(b dd) dd {
	p := float64(a.hi * b.hi)
	e := math.FMA(a.hi, b.hi, -p)
	e = math.FMA(a.hi, b.lo, e)
	e = math.FMA(a.lo, b.hi, e)
	return ddSum(p, e)
}

func (a dd) div(b dd) dd {
	q := a.hi / b.hi
	r := a.add(b.mul(dd{-q, 0}))
	q2 := r.hi / b.hi
	r = r.add(b.mul(dd{-q2, 0}))
	return ddSum(q, q2).add(dd{r.hi / b.hi, 0})
}

func (a dd) scale(f float64) dd { return dd{a.hi * f, a.lo * f} }

var (
	ddLn2 = func() [3]float64 {
		l := bigLn(2)
		var p [3]float64
		for i := range p {
			p[i], _ = l.Float64()
			l.Sub(l, bigF(p[i]))
		}
		return p
	}()
	ddInv = func() (t [20]dd) { // 1/n!
		f := bigF(1)
		for i := range t {
			if i > 0 {
				f.Quo(f, bigNew().SetInt64(int64(i)))
			}
			t[i].hi, _ = f.Float64()
			t[i].lo, _ = bigNew().Sub(f, bigF(t[i].hi)).Float64()
		}
		return
	}()
)

// ddExpm1 returns m and n with e^x = 2^n (1 + m).
func ddExpm1(x dd) (m dd, n int) {
	k := math.RoundToEven(x.hi / math.Ln2)
	r := x
	for _, c := range ddLn2 {
		r = r.add(dd{-k, 0}.mul(dd{c, 0}))
	}
	const halvings = 6
	r = r.scale(1.0 / (1 << halvings))
	s := ddInv[11]
	for i := 10; i >= 1; i-- {
		s = s.mul(r).add(ddInv[i])
	}
	s = s.mul(r)
	for range halvings {
		s = s.mul(s).add(s.scale(2))
	}
	return s, int(k)
}

func ddTanh(x float64) dd {
	y := 2 * math.Abs(x)
	if y > 80 {
		return dd{math.Copysign(1, x), 0}
	}
	m, n := ddExpm1(dd{-y, 0})
	p := math.Ldexp(1, n)
	e := m.scale(p).add(ddSum(p, -1))
	return e.div(e.add(dd{2, 0})).scale(math.Copysign(1, -x))
}

func ddExp(x float64) (dd, int) {
	m, n := ddExpm1(dd{x, 0})
	return m.add(dd{1, 0}), n
}

func ddLn(x float64) dd {
	f, k := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f, k = f*2, k-1
	}
	y := math.Log(f)
	m, n := ddExpm1(dd{-y, 0})
	e := m.add(dd{1, 0}).scale(math.Ldexp(1, n)).mul(dd{f, 0}).add(dd{-1, 0}) // f e^-y - 1, tiny
	l := dd{y, 0}.add(e).add(dd{-e.hi * e.hi / 2, 0})
	for _, c := range ddLn2 {
		l = l.add(dd{float64(k), 0}.mul(dd{c, 0}))
	}
	return l
}

// ulp is the distance from |x| to the next larger float64 (to the next
// smaller one at the end of the range).
func ulp(x float64) float64 {
	x = math.Abs(x)
	if x > 0x1p1022 {
		return 0x1p971
	}
	return math.Nextafter(x, math.Inf(1)) - x
}

// ulpsDD is the error of got in ULPs of the true value.
func ulpsDD(got float64, want dd) float64 {
	return math.Abs((got-want.hi)-want.lo) / ulp(want.hi)
}

// ulpsBig is the same for a big reference.
func ulpsBig(got float64, want *big.Float) float64 {
	w, _ := want.Float64()
	d := bigNew().Sub(bigF(got), want)
	u, _ := d.Quo(d, bigF(ulp(w))).Float64()
	return math.Abs(u)
}

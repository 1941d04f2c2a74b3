package vec

import (
	"fmt"
	"math"
	"unsafe"
)

// ClassicParams are the constants of the classic law: one value per law, not
// per route. Fill in the exported fields and pass the value to
// [NewClassicParams]. The result is read-only and safe for concurrent use.
type ClassicParams struct {
	// LatencyBase (ms), ErrorBase and SaturationBase (fractions) are what a
	// route shows at zero pressure. At or below 0, or NaN: that component has
	// no pressure.
	LatencyBase, ErrorBase, SaturationBase float64
	// TanhScale stretches pressure before tanh bounds it.
	TanhScale float64
	// WLatency, WError and WSaturation are ohms per unit of pressure.
	WLatency, WError, WSaturation float64
	// Base is the least resistance, in ohms.
	Base float64
	// Damping is ohms per unit of momentum (pressure per ms).
	Damping float64
	// DecayPerSecond is the rate, per second, at which scar fades.
	DecayPerSecond float64
	// ScarFactor is the scar, in ohms, that one traumatic sample leaves.
	ScarFactor float64
	// Critical is the magnitude of positive pressure above which a sample is
	// traumatic.
	Critical float64

	// Tuned: the trip point follows the route's own mean and deviation.
	Tuned bool
	// Alpha is the weight of a new sample, 2/(window+1). Weights are kept to
	// 2^-53, so windows beyond some 10,000 samples follow theirs to fewer
	// than twelve digits.
	Alpha float64
	// Sensitivity is how many deviations above the mean the trip point is.
	Sensitivity float64
	// Floor and Ceiling bound the trip point, in ohms. Floor wins.
	Floor, Ceiling float64
	// RecoveryMultiplier times the trip point is the recovery point, which is
	// at least Floor/2.
	RecoveryMultiplier float64
	// Warmup is how many samples FallbackBreak (ohms) is in force for.
	Warmup        int
	FallbackBreak float64

	// FixedBreak and FixedRecover are the two points, in ohms, if not Tuned.
	FixedBreak, FixedRecover float64

	ready  bool
	scalar bool // constants for which the kernels' short cuts do not hold

	base      [3]float64
	inv       [3]float64 // 1/base
	twice     [3]float64 // 2 TanhScale/base; twice, because tanhHalf halves
	retain    float64    // 1 - Alpha
	weigh     float64    // 1 - retain, exactly
	weighSq   float64    // retain * Alpha
	negRate   float64    // -DecayPerSecond per ms
	trauma    float64    // |p+| > Critical is |p+|^2 > trauma
	calm      float64    // |P| < Critical is |P|^2 < calm
	halfFloor float64
	warmupRec float64 // recovery point while warming up
	// The kernels' rules hold from quickFrom Samples on, for quickFor: for
	// all there can be, or for none.
	quickFrom, quickFor uint64
	rows                classicRows
	singles             classicSingles
}

// ClassicState is everything Classic knows of one route: plain numbers, free
// to copy. The zero value, with Break and Recover set, is a route that starts
// at zero pressure. Not safe for concurrent use.
type ClassicState struct {
	// P is the pressure (latency, error rate, saturation) at the last sample,
	// Prev that at the one before: the next momentum is measured from Prev.
	P, Prev [3]float64
	// Momentum (pressure per ms), Scar (ohms) and R (ohms), all as of the
	// last sample.
	Momentum, Scar, R float64
	// Mean (ohms), Var (ohms squared) and Samples belong to the tuner.
	Mean, Var float64
	// Break and Recover are the points in force after the last sample.
	Break, Recover float64
	Samples        uint32
	// Trips and Recoveries count the changes of Tripped.
	Trips, Recoveries uint32
	Tripped           bool
}

// ClassicBatch is samples of one route in order of arrival. Latency, ErrorRate
// and Saturation are at least as long as DT. NaN and infinite values count as
// 0 (not given).
type ClassicBatch struct {
	DT         []float64 // ms since the previous sample; any value
	Latency    []float64 // ms
	ErrorRate  []float64 // fraction
	Saturation []float64 // fraction
}

// noise is the square below which a magnitude counts as 0.
const noise = 1e-9

// NewClassicParams returns p with what the kernels need derived from it. It
// accepts any constants; validation is the law's business. Constants that are
// negative or not finite where that makes no sense cost speed, not accuracy.
func NewClassicParams(p ClassicParams) *ClassicParams {
	p.base = [3]float64{p.LatencyBase, p.ErrorBase, p.SaturationBase}
	for i, b := range p.base {
		if !(b > 0) || math.IsInf(b, 1) {
			p.base[i] = 0
			continue
		}
		p.inv[i] = 1 / b
		p.twice[i] = 2 * (p.TanhScale * p.inv[i])
	}
	p.retain = 1 - p.Alpha
	p.weigh = 1 - p.retain
	p.weighSq = p.retain * p.Alpha
	p.negRate = -p.DecayPerSecond / 1000
	p.halfFloor = p.Floor * 0.5
	p.trauma, p.calm = squareBounds(p.Critical)
	p.warmupRec = p.recoverAt(p.FallbackBreak)

	within := func(max float64, vs ...float64) bool {
		for _, v := range vs {
			if !(v >= 0 && v <= max) {
				return false
			}
		}
		return true
	}
	p.scalar = !(within(1e100, math.Abs(p.WLatency), math.Abs(p.WError), math.Abs(p.WSaturation),
		p.Base, p.Damping, p.DecayPerSecond, p.ScarFactor, math.Abs(p.TanhScale)) &&
		math.Abs(p.TanhScale) >= 1e-8 &&
		int64(p.Warmup) < math.MaxUint32 &&
		within(math.MaxFloat64, p.inv[:]...))
	if p.Tuned {
		p.quickFrom = uint64(max(1, int64(p.Warmup)-1))
	}
	if !p.scalar {
		p.quickFor = 1 << 33
	}
	p.rows = newClassicRows(&p)
	p.singles = newClassicSingles(&p)
	p.ready = true
	return &p
}

// squareBounds turns tests of a magnitude against c into tests of its square,
// without changing a single outcome: with |.| = 0 for squares below noise,
// |.| > c exactly if the square > above, and |.| < c exactly if it is < below.
func squareBounds(c float64) (above, below float64) {
	if c != c {
		return math.Inf(1), math.Inf(-1) // no comparison with NaN holds
	}
	// above: the largest square whose root is <= c. Squares are >= 0.
	switch {
	case c < 0:
		above = -1
	default:
		above = c * c
		for above <= math.MaxFloat64 && math.Sqrt(above) <= c {
			above = math.Nextafter(above, math.Inf(1))
		}
		for math.Sqrt(above) > c {
			above = math.Nextafter(above, 0)
		}
		above = max(above, math.Nextafter(noise, 0))
	}
	// below: the smallest square whose root is >= c.
	if c <= 0 {
		return above, 0
	}
	below = c * c
	for below > 0 && math.Sqrt(below) >= c {
		below = math.Nextafter(below, 0)
	}
	for below <= math.MaxFloat64 && math.Sqrt(below) < c {
		below = math.Nextafter(below, math.Inf(1))
	}
	return above, max(below, noise)
}

// Classic advances s over the samples of b, which must be a route past its
// bootstrap (the caller's business). If r is not nil, r[i] becomes the
// resistance after sample i, and if tripped is not nil, tripped[i] becomes
// s.Tripped after it. The order of one sample is in the package comment.
//
// The result has the same bits at every level and however the samples are cut
// into batches. Classic panics, writing nothing, if p does not come from
// NewClassicParams or a slice is shorter than b.DT. It does not allocate once
// warm. Safe for concurrent use on distinct s, r and tripped.
func Classic(p *ClassicParams, s *ClassicState, b *ClassicBatch, r []float64, tripped []bool) {
	n := len(b.DT)
	if len(b.Latency) < n || len(b.ErrorRate) < n || len(b.Saturation) < n ||
		r != nil && len(r) < n || tripped != nil && len(tripped) < n {
		panic(classicLengths(b, r, tripped))
	}
	// The way of a single sample, the commonest batch, comes first and short.
	i := 0
	if haveKernels && n < vectorN && uint64(s.Samples)-p.quickFrom < p.quickFor && Active() != Portable {
		i = classicFew(&p.singles.base[0], &s.P[0], &b.DT, 0, unsafe.SliceData(r), unsafe.SliceData(tripped))
		if i == n {
			return
		}
	}
	if !p.ready {
		panic("vec: Classic: params not made by NewClassicParams")
	}
	classicFrom(p, s, b, i, r, tripped)
}

func classicLengths(b *ClassicBatch, r []float64, tripped []bool) string {
	return fmt.Sprintf("vec: Classic: %d samples by DT, but Latency has %d, ErrorRate %d, Saturation %d, "+
		"r %d, tripped %d", len(b.DT), len(b.Latency), len(b.ErrorRate), len(b.Saturation), len(r), len(tripped))
}

// Pressure returns the pressures of one sample, the same bits as in [Classic].
// Safe for concurrent use.
func (p *ClassicParams) Pressure(latency, errorRate, saturation float64) [3]float64 {
	return [3]float64{p.pressure(0, latency), p.pressure(1, errorRate), p.pressure(2, saturation)}
}

func (p *ClassicParams) pressure(i int, x float64) float64 {
	if !finite(x) {
		x = 0
	}
	x -= p.base[i]
	if !finite(x * p.inv[i] * p.TanhScale) {
		return 0
	}
	return tanhHalf(x * p.twice[i])
}

// NextScar returns the scar, in ohms, that a scar has become dt ms later, after
// a sample of the given pressure: the same bits as in [Classic]. Safe for
// concurrent use.
func (p *ClassicParams) NextScar(scar float64, pressure [3]float64, dt float64) float64 {
	if !(scar > 0 && scar <= math.MaxFloat64) {
		scar = 0
	}
	var add float64
	var q [3]float64
	for i, v := range pressure {
		q[i] = max(v, 0)
	}
	if square(q[0], q[1], q[2]) > p.trauma {
		add = p.ScarFactor
	}
	scar = math.FMA(scar, p.fade(dt), add)
	if !finite(scar) {
		scar = 0
	}
	return scar
}

// fade returns what remains of one ohm of scar after dt ms.
func (p *ClassicParams) fade(dt float64) float64 {
	e := dt * p.negRate
	switch {
	case e != e:
		return 1
	case e > 709:
		return math.MaxFloat64
	case e < -745:
		return 0
	}
	return Exp1(e)
}

// Resistance returns the resistance, in ohms, of a route: the same bits as in
// [Classic]. Momentum is in pressure per ms, scar in ohms. Safe for concurrent
// use.
func (p *ClassicParams) Resistance(pressure [3]float64, momentum, scar float64) float64 {
	w := float64(p.WLatency * pressure[0])
	w = math.FMA(p.WError, pressure[1], w)
	w = math.FMA(p.WSaturation, pressure[2], w)
	r := math.FMA(p.Damping, momentum, p.Base+w) + scar
	if p.Base > r {
		r = p.Base
	}
	if !finite(r) {
		return 0
	}
	return r
}

// Thresholds returns the trip and the recovery point, in ohms, that belong to
// a tuner's state (ignored if not Tuned): the same bits as in [Classic]. Safe
// for concurrent use.
func (p *ClassicParams) Thresholds(mean, variance float64, samples uint32) (trip, recover float64) {
	if !p.Tuned {
		return p.FixedBreak, p.FixedRecover
	}
	if int64(samples) < int64(p.Warmup) {
		return p.FallbackBreak, p.warmupRec
	}
	// The two bounds are written as the assembly does them, so that NaN passes.
	trip = math.FMA(p.Sensitivity, math.Sqrt(variance), mean)
	if p.Ceiling < trip {
		trip = p.Ceiling
	}
	if p.Floor > trip {
		trip = p.Floor
	}
	return trip, p.recoverAt(trip)
}

func (p *ClassicParams) recoverAt(trip float64) float64 {
	rec := trip * p.RecoveryMultiplier
	if p.halfFloor > rec {
		rec = p.halfFloor
	}
	return rec
}

// momentum is the change from prev to pressure per ms.
func momentum(pressure, prev [3]float64, dt float64) float64 {
	q := square(pressure[0]-prev[0], pressure[1]-prev[1], pressure[2]-prev[2])
	if dt == 0 || !(q >= noise) {
		return 0
	}
	// A product, because 1/dt need not wait for the root.
	root := math.Sqrt(q)
	m := root * (1 / dt)
	if !finite(m) { // 1/dt may overflow alone
		m = root / dt
	}
	if !finite(m) {
		return 0
	}
	return m
}

func square(a, b, c float64) float64 {
	return math.FMA(c, c, math.FMA(b, b, float64(a*a)))
}

func finite(x float64) bool { return x-x == 0 }

// step advances s over one sample. It is the law; the kernels are faster ways
// to the same bits.
func (p *ClassicParams) step(s *ClassicState, dt, latency, errorRate, saturation float64) {
	pressure := p.Pressure(latency, errorRate, saturation)
	s.Momentum = momentum(pressure, s.Prev, dt)
	s.Scar = p.NextScar(s.Scar, pressure, dt)
	s.R = p.Resistance(pressure, s.Momentum, s.Scar)
	s.Prev, s.P = s.P, pressure
	if p.Tuned {
		if s.Samples == 0 {
			s.Mean, s.Var = s.R, 0
		} else {
			d := s.R - s.Mean
			s.Mean = math.FMA(s.Mean, p.retain, float64(p.weigh*s.R))
			s.Var = math.FMA(s.Var, p.retain, float64(d*d)*p.weighSq)
		}
		s.count(1)
	}
	s.Break, s.Recover = p.Thresholds(s.Mean, s.Var, s.Samples)
	switch {
	case !s.Tripped:
		if s.R >= s.Break {
			s.Tripped = true
			s.Trips++
		}
	case s.Scar < p.ScarFactor && square(pressure[0], pressure[1], pressure[2]) < p.calm || s.R < s.Recover:
		s.Tripped = false
		s.Recoveries++
	}
}

// count adds n to Samples, which stays at its end rather than becoming 0.
func (s *ClassicState) count(n int) {
	s.Samples = uint32(min(uint64(s.Samples)+uint64(n), math.MaxUint32))
}

// classicPortable advances s over the samples [from, to) of b.
func classicPortable(p *ClassicParams, s *ClassicState, b *ClassicBatch, from, to int, r []float64, tripped []bool) {
	for i := from; i < to; i++ {
		p.step(s, b.DT[i], b.Latency[i], b.ErrorRate[i], b.Saturation[i])
		if r != nil {
			r[i] = s.R
		}
		if tripped != nil {
			tripped[i] = s.Tripped
		}
	}
}

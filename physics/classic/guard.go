package classic

import "math"

// The guards of the published law: what becomes of a number that is not a
// number, or too large, or too small. Those that the equations of this package
// need are used by them; the rest ([ClampResistance], [CleanScar],
// [ClampToZero], [SafeDeltaT], [SafeClamp]) the original defines and never
// calls.
//
// Known fault, kept: as nothing calls them, no ceiling applies to R, no floor
// to dt and no clean-up to scars, whatever its documents say. Package classic
// relies on validated configurations and samples instead.

const (
	// Epsilon separates numbers from noise in [ClampToZero] and [CleanScar].
	Epsilon = 1e-9
	// EqualTolerance is the absolute tolerance of [Equal].
	//
	// Known fault, kept: the original has two epsilons, ten times apart.
	EqualTolerance = 1e-10
	// MaxResistance is the ceiling of [ClampResistance] in ohms.
	MaxResistance = 1_000_000
	// MinDeltaT is the default floor of [SafeDeltaT] in ms.
	MinDeltaT = 1
	// MinSignificantChange was meant as the dead band of changes worth
	// acting on. Known fault, kept: nothing uses it.
	MinSignificantChange = 0.0001
)

// Finite reports whether x is neither NaN nor an infinity.
func Finite(x float64) bool { return x-x == 0 }

// Safe returns x, or fallback where x is not finite.
func Safe(x, fallback float64) float64 {
	if Finite(x) {
		return x
	}
	return fallback
}

// SafePositive returns max(0, x), or max(0, fallback) where x is not finite.
func SafePositive(x, fallback float64) float64 { return max(0, Safe(x, fallback)) }

// SafeClamp limits x to [lo, hi]; the middle of the range stands for an x that
// is not finite.
func SafeClamp(x, lo, hi float64) float64 {
	if !Finite(x) {
		return (lo + hi) / 2
	}
	return max(lo, min(hi, x))
}

// SafeDivide returns a/b, or fallback where a, b or the quotient is not finite
// or b is 0.
func SafeDivide(a, b, fallback float64) float64 {
	if !Finite(a) || !Finite(b) || b == 0 {
		return fallback
	}
	return Safe(a/b, fallback)
}

// Largest and smallest exponents that math.Exp is asked for. The upper one
// stops a little short of the true limit of 709.78.
const (
	maxExponent = 709
	minExponent = -745
)

// SafeExp returns e^x: the largest float64 above 709, 0 below -745, and
// fallback where x is not finite.
func SafeExp(x, fallback float64) float64 {
	switch {
	case !Finite(x):
		return fallback
	case x > maxExponent:
		return math.MaxFloat64
	case x < minExponent:
		return 0
	}
	return math.Exp(x)
}

// SafeTanh returns tanh x, or 0 where x is not finite.
//
// Known fault, kept: an infinite stress is thereby no stress.
func SafeTanh(x float64) float64 {
	if !Finite(x) {
		return 0
	}
	return math.Tanh(x)
}

// ClampToZero returns x, or 0 where |x| < Epsilon or x is not finite.
func ClampToZero(x float64) float64 {
	if !Finite(x) || math.Abs(x) < Epsilon {
		return 0
	}
	return x
}

// PositiveZero returns x with the sign of a negative zero removed.
func PositiveZero(x float64) float64 {
	if x == 0 {
		return 0
	}
	return x
}

// Equal reports whether a and b differ by less than EqualTolerance. NaN equals
// nothing.
func Equal(a, b float64) bool { return math.Abs(a-b) < EqualTolerance }

// IsPressure reports whether x is a pressure: finite and in [-1,1].
func IsPressure(x float64) bool { return x >= -1 && x <= 1 }

// IsPressure reports whether every component of v is a pressure.
func (v Vector) IsPressure() bool {
	return IsPressure(v.Latency) && IsPressure(v.Error) && IsPressure(v.Saturation)
}

// SafePressure limits x to [-1,1]; 0 stands for an x that is not finite.
func SafePressure(x float64) float64 { return max(-1, min(1, Safe(x, 0))) }

// Sanitize applies [SafePressure] to every component.
func (v Vector) Sanitize() Vector {
	return Vector{SafePressure(v.Latency), SafePressure(v.Error), SafePressure(v.Saturation)}
}

// SafeDeltaT returns now - last in ms, at least least. NaN stays NaN.
func SafeDeltaT(now, last, least float64) float64 { return max(least, now-last) }

// ClampResistance limits r, in ohms, to [base, MaxResistance]; base stands for
// an r that is not finite.
func ClampResistance(r, base float64) float64 {
	return max(base, min(MaxResistance, Safe(r, base)))
}

// CleanScar returns the scar s, in ohms, or 0 where it is below Epsilon,
// negative or not finite.
func CleanScar(s float64) float64 {
	if !Finite(s) || s < Epsilon {
		return 0
	}
	return s
}

package classic

import "math"

// Vector is one value per stress component: a pressure (dimensionless, each in
// [-1,1]), a difference of pressures, or the weights of the components. It is
// a plain value and its zero value is the zero vector.
//
// Sums over components run in the order latency, error, saturation, always:
// floating-point addition is not associative.
type Vector struct {
	Latency, Error, Saturation float64
}

// NoiseFloor is the inner product below which two vectors count as unrelated,
// and with itself a vector as no movement at all.
//
// Known fault, kept: the published floor of 1e-9 was meant for a length but is
// compared with its square, so the shortest length that counts is 3.16e-5.
const NoiseFloor = 1e-9

// Dot is the inner product of v and w, 0 where it is within [NoiseFloor] of 0
// or not finite.
func (v Vector) Dot(w Vector) float64 {
	product := v.weighted(w)
	if !(math.Abs(product) >= NoiseFloor && Finite(product)) {
		return 0
	}
	return product
}

// weighted is the inner product without a noise floor.
func (v Vector) weighted(w Vector) float64 {
	return float64(v.Latency*w.Latency) + float64(v.Error*w.Error) + float64(v.Saturation*w.Saturation)
}

// Magnitude is the Euclidean length of v, 0 where its square is below
// [NoiseFloor] or not finite.
func (v Vector) Magnitude() float64 { return math.Sqrt(v.Dot(v)) }

// Add is v + w.
func (v Vector) Add(w Vector) Vector {
	return Vector{v.Latency + w.Latency, v.Error + w.Error, v.Saturation + w.Saturation}
}

// Sub is v - w.
func (v Vector) Sub(w Vector) Vector {
	return Vector{v.Latency - w.Latency, v.Error - w.Error, v.Saturation - w.Saturation}
}

// Scale is v with every component times k.
func (v Vector) Scale(k float64) Vector {
	return Vector{v.Latency * k, v.Error * k, v.Saturation * k}
}

// Divide is v with every component divided by d. A component whose quotient is
// not finite, and every component where d is 0 or not finite, is 0.
func (v Vector) Divide(d float64) Vector {
	return Vector{SafeDivide(v.Latency, d, 0), SafeDivide(v.Error, d, 0), SafeDivide(v.Saturation, d, 0)}
}

// Multiply is the componentwise product of v and w.
func (v Vector) Multiply(w Vector) Vector {
	return Vector{v.Latency * w.Latency, v.Error * w.Error, v.Saturation * w.Saturation}
}

// Sum is the sum of the components.
func (v Vector) Sum() float64 { return v.Latency + v.Error + v.Saturation }

// Clamp is v with every component limited to [-1,1].
func (v Vector) Clamp() Vector {
	limit := func(x float64) float64 { return max(-1, min(1, x)) }
	return Vector{limit(v.Latency), limit(v.Error), limit(v.Saturation)}
}

// Positive is v with every negative component replaced by 0: the stress above
// the baseline, without what is better than it.
func (v Vector) Positive() Vector {
	return Vector{max(0, v.Latency), max(0, v.Error), max(0, v.Saturation)}
}

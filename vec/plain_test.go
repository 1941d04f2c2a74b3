package vec

import "math"

// referenceClassic is the law written down plainly, with the library's
// functions and a root wherever a magnitude is meant. It is what Classic is
// compared with, in results and in speed, and shares nothing with it.
func referenceClassic(p *ClassicParams, s *ClassicState, b *ClassicBatch, r []float64, tripped []bool) {
	for i := range b.DT {
		referenceStep(p, s, b.DT[i], b.Latency[i], b.ErrorRate[i], b.Saturation[i])
		if r != nil {
			r[i] = s.R
		}
		if tripped != nil {
			tripped[i] = s.Tripped
		}
	}
}

func referenceStep(p *ClassicParams, s *ClassicState, dt, latency, errorRate, saturation float64) {
	pressure := [3]float64{
		referencePressure(latency, p.LatencyBase, p.TanhScale),
		referencePressure(errorRate, p.ErrorBase, p.TanhScale),
		referencePressure(saturation, p.SaturationBase, p.TanhScale),
	}

	m := 0.0
	if dt != 0 {
		m = magnitude(pressure[0]-s.Prev[0], pressure[1]-s.Prev[1], pressure[2]-s.Prev[2]) / dt
		if math.IsNaN(m) || math.IsInf(m, 0) {
			m = 0
		}
	}

	scar := s.Scar
	if math.IsNaN(scar) || math.IsInf(scar, 0) || scar < 0 {
		scar = 0
	}
	exponent := -p.DecayPerSecond * (dt / 1000)
	switch {
	case math.IsNaN(exponent):
	case exponent > 709:
		scar *= math.MaxFloat64
	case exponent < -745:
		scar = 0
	default:
		scar *= math.Exp(exponent)
	}
	if magnitude(math.Max(pressure[0], 0), math.Max(pressure[1], 0), math.Max(pressure[2], 0)) > p.Critical {
		scar += p.ScarFactor
	}
	if math.IsNaN(scar) || math.IsInf(scar, 0) {
		scar = 0
	}

	resistance := math.Max(p.Base, p.Base+
		((p.WLatency*pressure[0]+p.WError*pressure[1])+p.WSaturation*pressure[2])+
		p.Damping*m+scar)
	if math.IsNaN(resistance) || math.IsInf(resistance, 0) {
		resistance = 0
	}

	trip, recover := p.FixedBreak, p.FixedRecover
	if p.Tuned {
		if s.Samples == 0 {
			s.Mean, s.Var = resistance, 0
		} else {
			delta := resistance - s.Mean
			s.Mean += p.Alpha * delta
			s.Var = (1 - p.Alpha) * (s.Var + p.Alpha*delta*delta)
		}
		s.Samples++
		trip = p.FallbackBreak
		if int(s.Samples) >= p.Warmup {
			trip = math.Max(p.Floor, math.Min(p.Ceiling, s.Mean+p.Sensitivity*math.Sqrt(s.Var)))
		}
		recover = math.Max(p.Floor/2, trip*p.RecoveryMultiplier)
	}

	if !s.Tripped {
		if resistance >= trip {
			s.Tripped = true
			s.Trips++
		}
	} else if scar < p.ScarFactor && magnitude(pressure[0], pressure[1], pressure[2]) < p.Critical ||
		resistance < recover {
		s.Tripped = false
		s.Recoveries++
	}

	s.Prev, s.P = s.P, pressure
	s.Momentum, s.Scar, s.R = m, scar, resistance
	s.Break, s.Recover = trip, recover
}

func referencePressure(x, base, scale float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		x = 0
	}
	if !(base > 0) {
		return 0
	}
	z := ((x - base) / base) * scale
	if math.IsNaN(z) || math.IsInf(z, 0) {
		return 0
	}
	return math.Tanh(z)
}

func magnitude(a, b, c float64) float64 {
	sum := a*a + b*b + c*c
	if sum < 1e-9 {
		return 0
	}
	return math.Sqrt(sum)
}

package replay

import (
	"math"
	"strconv"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/classic"
)

// modeLetters are the modes as recordings write them.
var modeLetters = map[physics.Mode]string{
	physics.Bootstrap:      "B",
	physics.Operational:    "O",
	physics.CircuitBreaker: "C",
}

// answer appends the line for a call that left its route in state s.
func (r *runner) answer(dst []byte, s *classic.Route, allow bool) []byte {
	dst = append(dst, `{"p":[`...)
	dst = appendNumber(dst, s.Pressure.Latency)
	dst = appendNumber(append(dst, ','), s.Pressure.Error)
	dst = appendNumber(append(dst, ','), s.Pressure.Saturation)
	dst = append(dst, `],"m":`...)
	if s.Mode == physics.Bootstrap {
		dst = append(dst, "null"...)
	} else {
		dst = appendNumber(dst, s.Momentum)
	}
	dst = appendNumber(append(dst, `,"s":`...), s.Scar)
	dst = appendNumber(append(dst, `,"r":`...), s.Resistance)
	dst = append(append(append(dst, `,"mode":"`...), modeLetters[s.Mode]...), '"')
	if t := r.tuner; t == nil {
		dst = append(dst, `,"mean":null,"sd":null,"n":null`...)
	} else {
		dst = appendNumber(append(dst, `,"mean":`...), t.Mean)
		dst = appendNumber(append(dst, `,"sd":`...), t.StdDev())
		dst = strconv.AppendUint(append(dst, `,"n":`...), uint64(t.Samples), 10)
	}
	breakPoint, recoveryPoint := r.params.Limits(r.tuner)
	dst = appendNumber(append(dst, `,"bp":`...), breakPoint)
	dst = appendNumber(append(dst, `,"rp":`...), recoveryPoint)
	dst = strconv.AppendBool(append(dst, `,"allow":`...), allow)
	return append(dst, "}\n"...)
}

// appendNumber appends x as the shortest JSON number that reads back to the
// same bits, or as text where JSON has none.
func appendNumber(dst []byte, x float64) []byte {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return append(dst, `"NaN"`...)
	case math.IsInf(x, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(x, -1):
		return append(dst, `"-Infinity"`...)
	case a != 0 && (a < 1e-6 || a >= 1e21):
		return strconv.AppendFloat(dst, x, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, x, 'f', -1, 64)
}

package control

import (
	"math"

	"github.com/atrion-io/atrion/internal/sim"
)

// vegas is the adaptive concurrency limit of Netflix's concurrency-limits after
// TCP Vegas (class VegasLimit), with the library's defaults and without a
// window: the estimate of the backend's queue, limit*(1 - least latency/this
// latency), raises or lowers the limit with every sample. The least latency is
// forgotten from time to time.
type vegas struct {
	env      *sim.Env
	limit    float64
	inflight int
	least    float64 // latency in ms; 0: none yet
	samples  int
	jitter   float64
}

const (
	vegasInitial = 20
	vegasMost    = 1000
	vegasProbe   = 30 // times the limit: samples until the least latency is forgotten
)

func newVegas(env *sim.Env) sim.Controller {
	v := &vegas{env: env, limit: vegasInitial}
	v.shake()
	return v
}

func (v *vegas) shake() { v.jitter = .5 + v.env.Rand.Float64()/2 }

func (v *vegas) Admit(sim.Attempt) (sim.Ticket, bool) {
	if v.inflight >= int(v.limit) {
		return 0, false
	}
	v.inflight++
	return sim.Ticket(v.inflight), true
}

func (v *vegas) Done(t sim.Ticket, latency float64, k sim.Kind) {
	v.inflight--
	if k == sim.Fail {
		return
	}
	v.samples++
	switch {
	case v.jitter*vegasProbe*v.limit <= float64(v.samples):
		v.shake()
		v.samples = 0
		v.least = latency
	case v.least == 0 || latency < v.least:
		v.least = latency
	default:
		v.update(latency, int(t), k != sim.OK)
	}
}

func (v *vegas) update(latency float64, inflight int, dropped bool) {
	unit := float64(root(int(v.limit)))
	queue := math.Ceil(v.limit * (1 - v.least/latency))
	limit := v.limit
	switch {
	case dropped:
		limit -= unit
	case 2*float64(inflight) < v.limit:
		return
	case queue <= unit:
		limit += 6 * unit
	case queue < 3*unit:
		limit += unit
	case queue > 6*unit:
		limit -= unit
	}
	v.limit = max(1, min(vegasMost, limit))
}

// root is the integral part of the decimal logarithm, at least 1.
func root(n int) int {
	r := 1
	for n >= 100 {
		n /= 10
		r++
	}
	return r
}

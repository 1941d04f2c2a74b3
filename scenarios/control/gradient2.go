package control

import "github.com/atrion-io/atrion/internal/sim"

// gradient2 is the adaptive concurrency limit of Netflix's concurrency-limits
// (class Gradient2Limit inside WindowedLimit), with the library's defaults but
// for the highest limit, which would be 200: it would bind in the large
// scenario, and measure the setting instead of the algorithm.
//
// Once a window, the limit is multiplied with the ratio of the long-term mean
// latency, times a tolerance, to that of the window, and gets a few seats more
// for a queue; then it is smoothed. It knows neither classes nor voltages.
type gradient2 struct {
	env      *sim.Env
	limit    float64
	inflight int
	long     expAverage
	window   rttWindow
}

const (
	gradientInitial   = 20
	gradientLeast     = 20
	gradientMost      = 2000
	gradientQueue     = 4   // seats for a queue
	gradientSmoothing = .2  // weight of the new limit
	gradientTolerance = 1.5 // of latency over the long-term mean
	gradientDrift     = .95 // on the long-term mean while it is over twice the present one
)

func newGradient2(env *sim.Env) sim.Controller {
	return &gradient2{env: env, limit: gradientInitial, long: expAverage{window: 600, warmup: 10}}
}

func (g *gradient2) Admit(sim.Attempt) (sim.Ticket, bool) {
	if g.inflight >= int(g.limit) {
		return 0, false
	}
	g.inflight++
	return sim.Ticket(g.inflight), true // the sample remembers how many were in flight
}

func (g *gradient2) Done(t sim.Ticket, latency float64, k sim.Kind) {
	g.inflight--
	if k == sim.Fail {
		return // an error says nothing of the load: the library ignores it too
	}
	if rtt, inflight, ok := g.window.add(g.env.Now(), latency, int(t)); ok {
		g.update(rtt, inflight)
	}
}

func (g *gradient2) update(rtt float64, inflight int) {
	long := g.long.add(rtt)
	if long/rtt > 2 {
		g.long.value *= gradientDrift
	}
	if float64(inflight) < g.limit/2 {
		return // the demand, not the limit, decided how many were in flight
	}
	gradient := max(.5, min(1, gradientTolerance*long/rtt))
	limit := float64(g.limit*gradient) + gradientQueue
	limit = float64(g.limit*(1-gradientSmoothing)) + float64(limit*gradientSmoothing)
	g.limit = max(gradientLeast, min(gradientMost, limit))
}

// rttWindow collects samples for a second and gives their mean.
type rttWindow struct {
	next     int64 // when the window may end
	sum      float64
	n        int
	inflight int // the most that any sample saw
}

const (
	windowLength  = int64(1e9)
	windowSamples = 10
)

func (w *rttWindow) add(now int64, rtt float64, inflight int) (mean float64, most int, ok bool) {
	w.sum += rtt
	w.n++
	w.inflight = max(w.inflight, inflight)
	if now <= w.next {
		return 0, 0, false
	}
	mean, most, ok = w.sum/float64(w.n), w.inflight, w.n >= windowSamples
	*w = rttWindow{next: now + windowLength}
	return mean, most, ok
}

// expAverage is an exponential average that begins as a plain one.
type expAverage struct {
	window, warmup int
	value, sum     float64
	n              int
}

func (e *expAverage) add(x float64) float64 {
	if e.n < e.warmup {
		e.n++
		e.sum += x
		e.value = e.sum / float64(e.n)
		return e.value
	}
	f := 2 / float64(e.window+1)
	e.value = float64(e.value*(1-f)) + float64(x*f)
	return e.value
}

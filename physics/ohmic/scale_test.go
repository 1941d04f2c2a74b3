package ohmic

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// scaled lives through a history twice: as it is, and with all voltages
// multiplied.
type scaled struct {
	t      *testing.T
	a, b   *route
	factor float64
	same   int
}

func (x *scaled) epoch() uint32 { return x.a.state.Epoch() }

func (x *scaled) request(q physics.Query, seated bool) bool {
	p := q
	p.Voltage *= x.factor
	r, terms := x.a.state.Decide(q)
	s, other := x.b.state.Decide(p)
	if r.Allow != s.Allow || r.Reason != s.Reason || r.RetryAfter != s.RetryAfter {
		x.t.Fatalf("%+v: %+v, at %v times the voltages %+v", q, r, x.factor, s)
	}
	if fraction, _ := math.Frexp(x.factor); fraction == 0.5 && terms.Sum()*x.factor != other.Sum() {
		x.t.Fatalf("%+v: R %v, at %v times the voltages %v", q, terms.Sum(), x.factor, other.Sum())
	}
	x.a.state.Note(q, r.Allow, seated)
	x.b.state.Note(p, s.Allow, seated)
	x.same++
	return r.Allow
}

func (x *scaled) deliver(s []physics.Sample, now, seats int64) time.Duration {
	x.b.advance(s, now, seats)
	return x.a.advance(s, now, seats)
}

// Nothing depends on how users scale their voltages: any power of two gives the
// same decisions whatever is bid, and any factor does among classes that stay a
// band apart.
func TestScaleDoesNotMatter(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 41))
		h := newHistory(rng)
		x := &scaled{t: t, factor: math.Ldexp(1, rng.IntN(21)-10)}
		h.voltage = func() float64 { return between(rng, 1, 1000) }
		if seed%2 == 1 {
			x.factor = between(rng, 1e-3, 1e5)
			h.voltage = func() float64 { return []float64{400, 200, 100, 50, 25, 20}[rng.IntN(6)] }
		}
		x.a, x.b = newRoute(DefaultConfig()), newRoute(DefaultConfig())
		h.sloppy = min(h.sloppy, 0.15) // voltages that are none cannot be compared
		h.play(x, 1500)
	}
}

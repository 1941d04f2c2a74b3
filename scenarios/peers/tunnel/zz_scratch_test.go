package tunnel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/internal/vtime"
)

type zreq struct {
	cls      sim.Class
	id       int
	try      int
	arr      int64
}
type zatt struct {
	r       *zreq
	t       sim.Ticket
	start   int64
	over    bool
}

func zrun(f sim.Factory, seed uint64, T float64, load func(t float64) float64, alive func(t float64) float64) (float64, int) {
	l := vtime.New()
	t0 := l.Now()
	arr := rand.New(rand.NewPCG(seed, 1)); svc := rand.New(rand.NewPCG(seed, 2)); ret := rand.New(rand.NewPCG(seed, 3))
	const c = 32
	sec := func(x int64) float64 { return float64(x-t0) / 1e9 }
	var q []*zatt
	busy := 0
	nb := int(T)
	offered := make([]float64, nb+1); ok := make([]float64, nb+1); capb := make([]float64, nb+1)
	for i := 0; i < nb*10; i++ { capb[i/10] += alive(float64(i)*.1+.05) * c / .05 * .1 }
	env := &sim.Env{Now: l.Now, At: l.At, Rand: rand.New(rand.NewPCG(seed, 5)), Look: func() (float64, float64) { a := alive(sec(l.Now())) * c; return math.Min(1, float64(busy)/a), 0 }}
	ctl := f(env)
	ev := 0
	adv := func() { ev++; ctl.(sim.Advancer).Advance(l.Now()) }
	var pump func()
	pump = func() {
		for len(q) > 0 && busy < int(alive(sec(l.Now()))*c+.5) {
			a := q[0]; q = q[1:]
			busy++
			s := svc.ExpFloat64() * .05 * (1 + .5*math.Min(1, float64(len(q))/(4*c)))
			l.At(l.Now()+int64(s*1e9), func() {
				adv(); busy--
				if !a.over { a.over = true; ctl.Done(a.t, float64(l.Now()-a.start)/1e6, sim.OK); b := int(sec(l.Now())); if b < nb { ok[b]++ } }
				pump()
			})
		}
	}
	var attempt func(r *zreq)
	retry := func(r *zreq) {
		if r.try++; r.try < 3 {
			d := .1 * math.Pow(2, float64(r.try-1)) * (.5 + ret.Float64())
			l.At(l.Now()+int64(d*1e9), func() { attempt(r) })
		}
	}
	attempt = func(r *zreq) {
		adv()
		t, adm := ctl.Admit(sim.Attempt{Class: r.cls, Retry: r.try, ID: r.id})
		if !adm { retry(r); return }
		a := &zatt{r: r, t: t, start: l.Now()}
		q = append(q, a)
		l.At(l.Now()+1e9, func() { if !a.over { adv(); a.over = true; ctl.Done(t, 1000, sim.Timeout); retry(r) } })
		pump()
	}
	id := 0
	var next func()
	maxr := 0.0
	for x := 0.0; x < T; x += .1 { maxr = math.Max(maxr, load(x)) }
	maxr *= 640
	next = func() {
		if arr.Float64() < load(sec(l.Now()))*640/maxr {
			u := arr.Float64(); cl := sim.VIP
			if u > .7 { cl = sim.Background } else if u > .2 { cl = sim.Normal }
			id++
			if b := int(sec(l.Now())); b < nb { offered[b]++ }
			attempt(&zreq{cls: cl, id: id, arr: l.Now()})
		}
		if d := l.Now() + int64(arr.ExpFloat64()/maxr*1e9); sec(d) < T { l.At(d, next) }
	}
	// wake for alive changes
	for x := 0.0; x < T; x += .1 { l.At(t0+int64(x*1e9), pump) }
	l.At(t0, next)
	l.Run(t0 + int64(T*1e9))
	if cl, isc := ctl.(sim.Closer); isc { adv(); cl.Close() }
	so, sg := 0.0, 0.0
	for b := 0; b < nb; b++ { so += math.Min(offered[b], capb[b]); sg += ok[b] }
	return sg / so, ev
}

func TestZZ(t *testing.T) {
	if os.Getenv("ZZ") == "" { t.Skip() }
	one := func(float64) float64 { return 1 }
	step := func(x float64) float64 { if x >= 20 && x < 45 { return 5 }; return .6 }
	flat := func(v float64) func(float64) float64 { return func(float64) float64 { return v } }
	half := func(x float64) float64 { if x >= 20 && x < 55 { return .5 }; return 1 }
	for _, n := range Names() {
		if v := os.Getenv("ZZ"); v != "all" && !strings.Contains(v, n) { continue }
		f, _ := Lookup(n)
		for _, sc := range []string{"step5x", "capdrop", "steady70"} {
			sum := 0.0; ev := 0
			start := time.Now()
			var each []string
			const N = 4
			for s := uint64(1); s <= N; s++ {
				synctest.Test(t, func(t *testing.T) {
					var g float64; var e int
					switch sc {
					case "step5x": g, e = zrun(f, s, 80, step, one)
					case "capdrop": g, e = zrun(f, s, 80, flat(.8), half)
					default: g, e = zrun(f, s, 60, flat(.7), one)
					}
					sum += g; ev += e
					each = append(each, fmt.Sprintf("%.3f", g))
				})
			}
			d := time.Since(start)
			fmt.Printf("%-24s %-8s %.3f %v  %d ev %.2f s/run %.0f ns/ev\n", n, sc, sum/N, each, ev/N, d.Seconds()/N, float64(d)/float64(ev))
		}
	}
}

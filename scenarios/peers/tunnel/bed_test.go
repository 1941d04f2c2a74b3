package tunnel

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/internal/vtime"
)

// bed is traffic of a fixed shape for one controller, without the simulator:
// what a test says happens to a request, happens.
type bed struct {
	loop     *vtime.Loop
	env      *sim.Env
	c        sim.Controller
	busy     float64 // of the servers
	wait     time.Duration
	fate     sim.Kind
	inflight int
	most     int          // in flight
	log      bytes.Buffer // every decision
}

// onBed runs f with the named controller in a bubble.
func onBed(t *testing.T, name string, seed uint64, f func(t *testing.T, b *bed)) {
	t.Helper()
	factory, ok := Lookup(name)
	if !ok {
		t.Fatalf("no controller %q", name)
	}
	synctest.Test(t, func(t *testing.T) {
		b := &bed{loop: vtime.New(), wait: 50 * time.Millisecond}
		b.env = &sim.Env{
			Now:  b.loop.Now,
			At:   b.loop.At,
			Rand: rand.New(rand.NewPCG(seed, 1)),
			Look: func() (float64, float64) { return b.busy, 0 },
		}
		b.c = factory(b.env)
		f(t, b)
		if c, ok := b.c.(sim.Closer); ok {
			c.Close()
		}
	})
}

// admit asks the controller at the loop's instant.
func (b *bed) admit(class sim.Class) (sim.Ticket, bool) {
	b.c.(sim.Advancer).Advance(b.loop.Now())
	t, ok := b.c.Admit(sim.Attempt{Class: class})
	if ok {
		b.inflight++
		b.most = max(b.most, b.inflight)
	}
	fmt.Fprint(&b.log, ok)
	return t, ok
}

func (b *bed) done(t sim.Ticket, took time.Duration, k sim.Kind) {
	b.c.(sim.Advancer).Advance(b.loop.Now())
	b.inflight--
	b.c.Done(t, float64(took)/float64(time.Millisecond), k)
}

// play sends rps requests per second for d: a fifth, half and three tenths
// of the classes. It returns the admitted share of all and of each.
func (b *bed) play(d time.Duration, rps float64) (all float64, class [sim.Classes]float64) {
	gap := int64(float64(time.Second) / rps)
	end := b.loop.Now() + int64(d)
	var asked, passed [sim.Classes]float64
	n := 0
	var arrive func()
	arrive = func() {
		c := [...]sim.Class{sim.VIP, sim.Normal, sim.Background, sim.Normal, sim.Background,
			sim.Normal, sim.VIP, sim.Normal, sim.Background, sim.Normal}[n%10]
		n++
		asked[c]++
		if t, ok := b.admit(c); ok {
			passed[c]++
			took, kind := b.wait, b.fate
			b.loop.At(b.loop.Now()+int64(took), func() { b.done(t, took, kind) })
		}
		if next := b.loop.Now() + gap; next < end {
			b.loop.At(next, arrive)
		}
	}
	b.loop.At(b.loop.Now()+1, arrive)
	b.loop.Run(end)
	for c := range class {
		class[c] = passed[c] / asked[c]
		all += passed[c]
	}
	return all / float64(n), class
}

// rest lets d pass without traffic.
func (b *bed) rest(d time.Duration) { b.loop.Run(b.loop.Now() + int64(d)) }

func wantShare(t *testing.T, what string, got, low, high float64) {
	t.Helper()
	if !(got >= low && got <= high) {
		t.Errorf("%s: admitted %.3f, want %.3f to %.3f", what, got, low, high)
	}
}

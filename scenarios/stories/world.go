package stories

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/atrion-io/atrion/internal/vtime"
	"github.com/atrion-io/atrion/vec"
)

// world is the virtual time of one run and the chance in it. Instants of a
// story are seconds from its start, service times and latencies milliseconds.
type world struct {
	loop *vtime.Loop
	seed uint64
	end  float64
	over bool
}

func newWorld(seed uint64, end float64) *world {
	w := &world{loop: vtime.New(), seed: seed, end: end}
	w.loop.Distinct()
	return w
}

// run plays everything that is due up to the end; what comes after it does not
// happen, even if closing an engine takes the loop further.
func (w *world) run() {
	w.loop.Run(vtime.Start + nanos(w.end))
	w.over = true
}

// now returns the seconds since the start.
func (w *world) now() float64 { return float64(w.loop.Now()-vtime.Start) / 1e9 }

func nanos(seconds float64) int64 { return int64(math.Round(seconds * 1e9)) }

// at runs f at second t.
func (w *world) at(t float64, f func()) {
	w.loop.At(vtime.Start+nanos(t), func() {
		if !w.over {
			f()
		}
	})
}

// after runs f after so many milliseconds.
func (w *world) after(ms float64, f func()) {
	w.loop.After(time.Duration(math.Round(ms*1e6)), func() {
		if !w.over {
			f()
		}
	})
}

// every runs f all period seconds, first at second from, up to second to.
func (w *world) every(from, to, period float64, f func()) {
	for i := 0; ; i++ {
		t := from + float64(float64(i)*period)
		if t >= to {
			return
		}
		w.at(t, f)
	}
}

// dice is a seeded stream of chance. Its logarithm is package vec's, which
// every machine rounds alike.
type dice struct{ pcg rand.PCG }

// dice returns the stream of that number within the seed; key tells apart what
// belongs to different things, such as requests, so that every arm meets the
// same ones.
func (w *world) dice(stream, key uint64) *dice {
	d := new(dice)
	h := scramble(w.seed + scramble(stream))
	d.pcg.Seed(h, scramble(h+key))
	return d
}

// scramble spreads neighbouring numbers over all 64 bits: SplitMix64's
// finaliser.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// float returns a number in (0, 1).
func (d *dice) float() float64 { return (float64(d.pcg.Uint64()>>12) + .5) / (1 << 52) }

// between returns a uniform number.
func (d *dice) between(low, high float64) float64 { return low + float64((high-low)*d.float()) }

// exponential returns an exponential number of that mean.
func (d *dice) exponential(mean float64) float64 { return -mean * vec.Ln1(d.float()) }

// normal returns a standard normal number, near enough: the sum of twelve
// uniform ones less six.
func (d *dice) normal() float64 {
	sum := -6.0
	for range 12 {
		sum += d.float()
	}
	return sum
}

// poisson calls f for every arrival of a Poisson process whose rate follows
// rate (1/s, at most peak), with the arrival's number.
func (w *world) poisson(stream uint64, peak float64, rate func(t float64) float64, f func(id uint64)) {
	w.poissonIn(stream, 0, w.end, peak, rate, f)
}

// poissonIn is poisson from one second to another.
func (w *world) poissonIn(stream uint64, from, to, peak float64, rate func(t float64) float64, f func(id uint64)) {
	d, t, id := w.dice(stream, 0), from, stream<<48
	var next func()
	next = func() {
		for {
			t += d.exponential(1 / peak)
			if t >= to {
				return
			}
			if float64(d.float()*peak) < rate(t) {
				break
			}
		}
		w.at(t, func() {
			id++
			f(id)
			next()
		})
	}
	next()
}

func constant(rate float64) func(float64) float64 { return func(float64) float64 { return rate } }

// window returns the function that is usual except from one second to another.
func window(usual, then, from, to float64) func(float64) float64 {
	return func(t float64) float64 {
		if t >= from && t < to {
			return then
		}
		return usual
	}
}

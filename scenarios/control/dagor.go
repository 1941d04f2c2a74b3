package control

import "github.com/atrion-io/atrion/internal/sim"

// dagor is the overload control of WeChat's services: Zhou et al., Overload
// Control for Scaling WeChat Microservices, SoCC 2018. A request has a level,
// made up of the priority of its business and, within that, one of 128 of its
// user. Levels up to a cursor are admitted. At the end of a window, of a second
// or 2000 requests, the cursor moves so that 5 % less would have passed if the
// mean delay in the queue was over 20 ms, and otherwise 1 % of all more.
//
// It is privileged: it reads the delay off the queue.
type dagor struct {
	env    *sim.Env
	cursor int // the last level admitted
	count  [dagorLevels]int
	all    int
	passed int
	delay  float64 // sum over the window, ms
	until  int64
}

const (
	dagorUsers  = 128
	dagorLevels = int(sim.Classes) * dagorUsers
	dagorDelay  = 20.0 // ms
	dagorWindow = int64(1e9)
	dagorMost   = 2000
	dagorAlpha  = .05
	dagorBeta   = .01
)

func newDagor(env *sim.Env) sim.Controller {
	return &dagor{env: env, cursor: dagorLevels - 1, until: env.Now() + dagorWindow}
}

func (d *dagor) Admit(a sim.Attempt) (sim.Ticket, bool) {
	if now := d.env.Now(); now >= d.until || d.all >= dagorMost {
		d.adjust()
		d.until = now + dagorWindow
	}
	_, wait := d.env.Look()
	d.delay += wait
	level := dagorLevel(a)
	d.count[level]++
	d.all++
	if level > d.cursor {
		return 0, false
	}
	d.passed++
	return 0, true
}

func (*dagor) Done(sim.Ticket, float64, sim.Kind) {}

// dagorLevel takes the class for the business, and a hash of the request for
// the user, so that all its tries have one level.
func dagorLevel(a sim.Attempt) int {
	user := uint32(a.ID) * 2654435761 >> 25
	return int(a.Class)*dagorUsers + int(user)
}

func (d *dagor) adjust() {
	below := 0 // of this window's requests, those up to the cursor
	for _, n := range d.count[:d.cursor+1] {
		below += n
	}
	if d.all > 0 && d.delay/float64(d.all) > dagorDelay {
		want := (1 - dagorAlpha) * float64(d.passed)
		for d.cursor > 0 && float64(below) > want {
			below -= d.count[d.cursor]
			d.cursor--
		}
	} else {
		want := float64(d.passed) + float64(dagorBeta*float64(d.all))
		for d.cursor < dagorLevels-1 && float64(below) < want {
			d.cursor++
			below += d.count[d.cursor]
		}
	}
	d.count = [dagorLevels]int{}
	d.all, d.passed, d.delay = 0, 0, 0
}

package control

import "github.com/atrion-io/atrion/internal/sim"

// breaker is the circuit breaker as in Nygard, Release It!, with the three
// states and the settings that are customary: it opens when half of at least
// 20 attempts of the last 10 s failed, rejects everything for 5 s, then lets 5
// probes pass; it closes when all of them succeed, and opens again as soon as
// one fails.
type breaker struct {
	env    *sim.Env
	state  breakerState
	era    sim.Ticket // counts changes of state: what was admitted in an earlier one no longer counts
	since  int64      // when it opened
	recent window     // attempts that ended, and those that failed
	probes int        // admitted while half open
	passed int        // of those, succeeded
}

type breakerState uint8

const (
	closed breakerState = iota
	open
	halfOpen
)

const (
	breakerWindow = 10 // s
	breakerLeast  = 20 // attempts in the window
	breakerOpen   = int64(5e9)
	breakerProbes = 5
)

func newBreaker(env *sim.Env) sim.Controller {
	return &breaker{env: env, recent: newWindow(breakerWindow)}
}

func (b *breaker) Admit(sim.Attempt) (sim.Ticket, bool) {
	if b.state == open && b.env.Now()-b.since >= breakerOpen {
		b.become(halfOpen)
	}
	switch b.state {
	case open:
		return 0, false
	case halfOpen:
		if b.probes == breakerProbes {
			return 0, false
		}
		b.probes++
	}
	return b.era, true
}

func (b *breaker) Done(t sim.Ticket, _ float64, k sim.Kind) {
	if t != b.era {
		return
	}
	failed := k != sim.OK
	if b.state == halfOpen {
		if b.passed++; failed {
			b.become(open)
		} else if b.passed == breakerProbes {
			b.become(closed)
		}
		return
	}
	some := 0
	if failed {
		some = 1
	}
	b.recent.add(b.env.Now(), 1, some)
	if n := b.recent.total; n.all >= breakerLeast && 2*n.some >= n.all {
		b.become(open)
	}
}

func (b *breaker) become(s breakerState) {
	b.state, b.since = s, b.env.Now()
	b.era++
	b.probes, b.passed = 0, 0
	b.recent.reset()
}

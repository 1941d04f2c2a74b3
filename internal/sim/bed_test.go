package sim

import "testing"

// open admits everything.
type open struct{}

func (open) Admit(Attempt) (Ticket, bool) { return 0, true }
func (open) Done(Ticket, float64, Kind)   {}

func newOpen(*Env) Controller { return open{} }

// limit admits so many at a time.
type limit struct{ inflight, most int }

func (l *limit) Admit(Attempt) (Ticket, bool) {
	if l.inflight >= l.most {
		return 0, false
	}
	l.inflight++
	return 0, true
}

func (l *limit) Done(Ticket, float64, Kind) { l.inflight-- }

func newLimit(env *Env) Controller { return &limit{most: int(env.Cap)} }

// probe calls the hooks it has.
type probe struct {
	admit func(Attempt) bool
	done  func(t Ticket, latency float64, k Kind)
	next  Ticket
}

func (p *probe) Admit(a Attempt) (Ticket, bool) {
	if p.admit != nil && !p.admit(a) {
		return 0, false
	}
	p.next++
	return p.next, true
}

func (p *probe) Done(t Ticket, latency float64, k Kind) {
	if p.done != nil {
		p.done(t, latency, k)
	}
}

// plain is a scenario in which nothing happens.
func plain(load, duration float64) Scenario {
	return Scenario{
		Name:     "plain",
		Duration: duration,
		Clients:  Clients{Load: Const(load)},
		Backend:  Backend{Servers: 32, Service: Exponential(50)},
		Healthy:  []Interval{{0, duration}},
	}
}

func mustRun(t testing.TB, s Scenario, f Factory, o Options) Result {
	t.Helper()
	r, err := Run(&s, "test", f, 1, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustStart(t testing.TB, s Scenario, f Factory, o Options) *run {
	t.Helper()
	r, err := start(&s, f, 1, o)
	if err != nil {
		t.Fatal(err)
	}
	r.loop.Run(r.end)
	r.recount(r.end)
	r.closeBin()
	return r
}

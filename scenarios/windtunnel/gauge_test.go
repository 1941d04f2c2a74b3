package windtunnel

import (
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
)

type whole struct{ closed, advanced, queued, told int }

func (w *whole) Admit(a sim.Attempt) (sim.Ticket, bool) { return 7, a.Retry == 0 }
func (w *whole) Done(sim.Ticket, float64, sim.Kind)     { w.told++ }
func (w *whole) Close()                                 { w.closed++ }

type advancing struct{ *whole }

func (a advancing) Advance(int64) { a.advanced++ }

type queueing struct{ *whole }

func (q queueing) Queue(int) sim.Discipline { q.queued++; return nil }

type both struct {
	advancing
	queueing
}

func (b both) Admit(a sim.Attempt) (sim.Ticket, bool)         { return b.advancing.Admit(a) }
func (b both) Done(t sim.Ticket, latency float64, k sim.Kind) { b.advancing.Done(t, latency, k) }

// TestGaugedControllersAreWhatTheyWere: the simulator asks a controller what it
// is, and must get the same answers.
func TestGaugedControllersAreWhatTheyWere(t *testing.T) {
	w := &whole{}
	for _, c := range []struct {
		inner            sim.Controller
		advances, queues bool
	}{{w, false, false}, {advancing{w}, true, false}, {queueing{w}, false, true}, {both{advancing{w}, queueing{w}}, true, true}} {
		g := gauged(func(*sim.Env) sim.Controller { return c.inner })(nil)
		_, advances := g.(sim.Advancer)
		_, queues := g.(sim.Queuer)
		if advances != c.advances || queues != c.queues {
			t.Errorf("%T: advances %v, queues %v", c.inner, advances, queues)
		}
		told := w.told
		ticket, ok := g.Admit(sim.Attempt{})
		_, again := g.Admit(sim.Attempt{Retry: 1})
		if n := g.(sim.Inspector).Inspect().N; ticket != 7 || !ok || again || n != 1 {
			t.Errorf("%T: ticket %v, admitted %v and %v, %v in flight", c.inner, ticket, ok, again, n)
		}
		g.Done(ticket, 1, sim.OK)
		if n := g.(sim.Inspector).Inspect().N; n != 0 || w.told != told+1 {
			t.Errorf("%T: %v in flight after the end", c.inner, n)
		}
		g.(sim.Closer).Close()
	}
	if w.closed != 3 { // that of the last is ambiguous
		t.Errorf("closed %d", w.closed)
	}
	seen := &inspected{}
	if g := gauged(func(*sim.Env) sim.Controller { return seen })(nil); g != sim.Controller(seen) {
		t.Error("a controller that can be looked into is wrapped")
	}
}

type inspected struct{ whole }

func (*inspected) Inspect() sim.Gauge { return sim.Gauge{} }

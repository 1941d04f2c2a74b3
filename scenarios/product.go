package scenarios

import (
	"context"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/internal/vtime"
	"github.com/atrion-io/atrion/physics"
)

// Product is the arm under test: an engine under law (nil: its default), its
// actors, mailboxes and kernels as they are, on the simulation's clock. Requests
// acquire a permit and end it, as a service would.
func Product(law physics.Law) sim.Factory {
	return func(env *sim.Env) sim.Controller { return newProduct(env, law) }
}

type product struct {
	eng     *atrion.Engine
	route   *atrion.Route
	permits sim.Tickets[*atrion.Permit]
}

func newProduct(env *sim.Env, law physics.Law) *product {
	return engine(atrion.Config{Law: law, Clock: env.Loop.(*vtime.Loop), Random: env.Rand.Float64})
}

func engine(c atrion.Config) *product {
	eng, err := atrion.New(c)
	if err != nil {
		panic(err) // the configuration above is fixed
	}
	route, err := eng.Route("backend")
	if err != nil {
		panic(err)
	}
	return &product{eng: eng, route: route}
}

// Admit acquires a permit.
func (p *product) Admit(a sim.Attempt) (sim.Ticket, bool) {
	permit, err := p.route.Acquire(context.Background(), atrion.Voltage(a.Voltage))
	if err != nil {
		return 0, false
	}
	return p.permits.Put(&permit), true
}

// Done ends the permit as the call's error would.
func (p *product) Done(t sim.Ticket, _ float64, k sim.Kind) { p.permits.Take(t).Done(k.Err()) }

// least is a bid below all of the cases: its terms show the whole price.
const least = 1e-3

// Inspect shows the route's terms for a request of the least voltage.
func (p *product) Inspect() sim.Gauge {
	e, err := p.eng.Explain(p.route.Name(), least)
	if err != nil {
		return sim.Gauge{}
	}
	d := e.Decision
	return sim.Gauge{
		R: d.Resistance, Base: d.Terms.Base, Pressure: d.Terms.Pressure, Momentum: d.Terms.Momentum, Scar: d.Terms.Scar,
		N: float64(e.Inflight), L: e.Limit, Mode: d.Mode.String(),
	}
}

// Close closes the engine.
func (p *product) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.eng.Close(ctx)
}

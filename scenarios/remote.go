package scenarios

import (
	"context"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/hold"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics"
)

// holdTTL is how long a remote caller's seat lives without a report.
const holdTTL = 2 * time.Second

// Held is the product for callers who ask from afar and report later: every
// decision is a seat held under a name, as over NATS. Play it with delayed and
// lost telemetry (sim.Options).
func Held(law physics.Law) sim.Factory {
	return func(env *sim.Env) sim.Controller {
		h := &held{product: newProduct(env, law), env: env, table: hold.New(1<<20, int64(holdTTL))}
		h.tick()
		return h
	}
}

type held struct {
	*product
	env   *sim.Env
	table *hold.Table
	names sim.Tickets[string]
}

// tick expires holds as often as the service does.
func (h *held) tick() {
	h.table.Expire(h.env.Now())
	h.env.At(h.env.Now()+int64(holdTTL)/8, h.tick)
}

// Admit acquires a permit and holds it.
func (h *held) Admit(a sim.Attempt) (sim.Ticket, bool) {
	permit, err := h.route.Acquire(context.Background(), atrion.Voltage(a.Voltage))
	if err != nil {
		return 0, false
	}
	name, err := h.table.Add(h.env.Now(), &permit)
	if err != nil {
		return 0, false
	}
	return h.names.Put(name), true
}

// Done is the report, if it arrives.
func (h *held) Done(t sim.Ticket, latency float64, k sim.Kind) {
	h.table.End(h.names.Take(t), atrion.Telemetry{Latency: time.Duration(latency * 1e6), Outcome: outcome(k)})
}

func outcome(k sim.Kind) atrion.Outcome {
	return [...]atrion.Outcome{sim.OK: atrion.OK, sim.Fail: atrion.Error, sim.Timeout: atrion.Timeout, sim.Dropped: atrion.Dropped}[k]
}

// Asking is the product for callers who only ask whether a request may pass and
// publish what they saw, without telling which report belongs to which answer.
func Asking(law physics.Law) sim.Factory {
	return func(env *sim.Env) sim.Controller { return &asking{newProduct(env, law)} }
}

type asking struct{ *product }

// Admit asks.
func (a *asking) Admit(at sim.Attempt) (sim.Ticket, bool) { return 0, a.route.Allow(at.Voltage) }

// Done publishes.
func (a *asking) Done(_ sim.Ticket, latency float64, k sim.Kind) {
	_ = a.route.Observe(atrion.Telemetry{Latency: time.Duration(latency * 1e6), Outcome: outcome(k)})
}

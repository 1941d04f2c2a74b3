package stories

import (
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// Fintech is a bank whose payments, refunds and balances share one pool of
// connections. The payment provider hangs for half a minute. In the original
// nothing was shared, so that nothing could cascade.
//
// Model: 50 connections; who finds none waits in line, until its deadline. 400
// requests a second, 70 % balances (10 ms, 1 % failing), 25 % payments and 5 %
// refunds (20 to 100 ms, 2 and 3 % failing). While the provider hangs a payment
// holds its connection until its client gives up. Deadlines: balance .5 s, others
// 2 s. Failed calls are tried again twice, after 100 and 200 ms and a half more or
// less; who was turned away by the gate is told so, and does not try again. Each
// of the three operations is a route.
//
// Oracle: serves balances and refunds as if nothing had happened.
//
// Promises: balance and refund keep .95 of what is asked for while payments hang;
// calls that reach the pool are at most 1.2 a payment; payments are back at .95
// within 2 s after the provider is. Not promised is how much of the pool hanging
// payments hold: up to the limit that their route has learned, here 38 of 50, which
// is several times what they usually need. A pool smaller than that wants a route
// of its own.
func Fintech() scenarios.Scenario {
	s := &story{
		name:  "fintech",
		about: "payments, refunds and balances share a pool of connections, and payments hang",
		promises: []promise{
			atLeast(.95, "balance", "balances served while payments hang"),
			atLeast(.95, "refund", "refunds served while payments hang"),
			atMost(1.2, "amplification", "calls a payment"),
			atMost(2, "recover_s", "payments back"),
			atMost(.01, "false_shed", "turned away without need"),
		},
	}
	s.play = func(arm scenarios.Arm, seed uint64, _ sim.Options) (scenarios.Outcome, error) {
		out := s.outcome(arm, seed)
		b, err := newBank(arm, seed)
		if err != nil {
			return out, err
		}
		defer b.w.loop.Close()
		b.w.run()
		b.gate.close()
		const from, to = bankFrom, bankTo
		bal, ref, pay := &b.ops[0], &b.ops[2], &b.ops[1]
		put(&out, "balance", ratio(bal.good.sum(from, to), bal.offered.sum(from, to)), "1")
		put(&out, "refund", ratio(ref.good.sum(from, to), ref.offered.sum(from, to)), "1")
		put(&out, "amplification", ratio(pay.calls.sum(from, to), pay.offered.sum(from, to)), "1")
		put(&out, "pool_share", b.most/bankPool, "1")
		put(&out, "recover_s", pay.good.reaches(pay.offered, .95, to, bankEnd), "s")
		shed, asked := 0.0, 0.0
		for _, o := range b.ops {
			shed += o.shed.sum(0, from) + o.shed.sum(to+2, bankEnd)
			asked += o.offered.sum(0, from) + o.offered.sum(to+2, bankEnd)
		}
		put(&out, "false_shed", ratio(shed, asked), "1")
		setResult(&out, ratio(bal.good.sum(0, bankEnd)+ref.good.sum(0, bankEnd)+pay.good.sum(0, bankEnd),
			bal.offered.sum(0, bankEnd)+ref.offered.sum(0, bankEnd)+pay.offered.sum(0, bankEnd)))
		put(&out, "payment_calls", ratio(pay.calls.sum(from, to), to-from), "1/s")
		return out, nil
	}
	return s
}

const (
	bankPool         = 50
	bankRate         = 400
	bankFrom, bankTo = 15, 45
	bankEnd          = 60
)

// bank is one run.
type bank struct {
	w    *world
	gate gate
	pool *pool
	ops  [3]operation
	hung float64 // payments that hold a connection and hang
	most float64
}

// operation is one of the three kinds of request.
type operation struct {
	name                       string
	share, low, high, failing  float64
	deadline                   float64 // ms
	offered, good, calls, shed *tally
}

func newBank(arm scenarios.Arm, seed uint64) (*bank, error) {
	w := newWorld(seed, bankEnd)
	b := &bank{w: w, pool: w.pool(bankPool)}
	b.ops = [3]operation{
		{name: "balance", share: .7, low: 5, high: 15, failing: .01, deadline: 500},
		{name: "payment", share: .25, low: 20, high: 100, failing: .02, deadline: 2000},
		{name: "refund", share: .05, low: 20, high: 100, failing: .03, deadline: 2000},
	}
	caps := map[string]float64{}
	for i := range b.ops {
		o := &b.ops[i]
		o.offered, o.good, o.calls, o.shed = w.tally(), w.tally(), w.tally(), w.tally()
		caps[o.name] = bankPool
	}
	var err error
	if b.gate, err = w.gate(arm, setup{caps: caps}); err != nil {
		return nil, err
	}
	w.poisson(1, bankRate, constant(bankRate), func(id uint64) {
		kind := w.dice(2, id).float()
		i := 0
		for ; i < 2 && kind >= b.ops[i].share; i++ {
			kind -= b.ops[i].share
		}
		b.ops[i].offered.add(1)
		b.try(&b.ops[i], id, w.now(), 0)
	})
	return b, nil
}

// try makes one try of a request that arrived at second born.
func (b *bank) try(o *operation, id uint64, born float64, retry int) {
	end, ok := b.gate.admit(bid{route: o.name, retry: retry})
	if !ok {
		o.shed.add(1)
		return
	}
	o.calls.add(1)
	d := b.w.dice(3+uint64(retry), id)
	work, fails, pause := d.between(o.low, o.high), d.float() < o.failing, d.between(.5, 1.5)
	told := false
	again := func() {
		if retry < 2 {
			b.w.after(float64(int(100)<<retry)*pause, func() { b.try(o, id, born, retry+1) })
		}
	}
	var free func()
	leave, _ := b.pool.take(func(release func()) {
		free = release
		if t := b.w.now(); o.name == "payment" && t >= bankFrom && t < bankTo {
			b.hung++
			b.most = max(b.most, b.hung)
			free = func() { b.hung--; release() }
			return // only the deadline ends it
		}
		b.w.after(work, func() {
			release()
			switch {
			case told:
			case fails:
				told = true
				end(sim.Fail)
				again()
			default:
				told = true
				end(sim.OK)
				o.good.put(born, 1)
			}
		})
	})
	b.w.after(o.deadline, func() {
		if told {
			return
		}
		told = true
		leave()
		if free != nil {
			free()
		}
		end(sim.Timeout)
		again()
	})
}

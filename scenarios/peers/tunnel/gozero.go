package tunnel

import (
	"github.com/zeromicro/go-zero/core/breaker"
	"github.com/zeromicro/go-zero/core/logx"
	"github.com/zeromicro/go-zero/core/stat"

	"github.com/atrion-io/atrion/internal/sim"
)

// go-zero writes its log, a line per minute of the process among it, to the
// standard output, which belongs to the results.
func init() {
	logx.Disable()
	stat.SetReporter(nil)
}

// gozero is go-zero's breaker, the client-side throttling of Google's SRE book
// over ten seconds. As in the framework's middleware a server error is
// rejected, anything else accepted.
type gozero struct {
	clock
	breaker  breaker.Breaker
	promises sim.Tickets[breaker.Promise]
}

func newGozero(env *sim.Env) sim.Controller {
	c := &gozero{clock: newClock(env)}
	c.breaker = breaker.NewBreaker(breaker.WithName("peer"))
	return c
}

func (c *gozero) Admit(sim.Attempt) (sim.Ticket, bool) {
	c.sync()
	p, err := c.breaker.Allow()
	if err != nil {
		return 0, false
	}
	return c.promises.Put(p), true
}

func (c *gozero) Done(t sim.Ticket, _ float64, k sim.Kind) {
	c.sync()
	if p := c.promises.Take(t); k == sim.OK {
		p.Accept()
	} else {
		p.Reject(errFailed.Error())
	}
}

func (c *gozero) Inspect() sim.Gauge { return sim.Gauge{N: float64(c.promises.Len())} }

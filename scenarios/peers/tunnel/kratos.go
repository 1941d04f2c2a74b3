package tunnel

import (
	"reflect"
	"unsafe"

	"github.com/go-kratos/aegis/ratelimit"
	"github.com/go-kratos/aegis/ratelimit/bbr"

	"github.com/atrion-io/atrion/internal/sim"
)

// kratos is go-kratos/aegis' BBR limiter with its defaults. Where it would read
// the processor of the machine that runs the simulation it reads the simulated
// servers'. As in the framework's middleware every outcome counts.
type kratos struct {
	clock
	limiter *bbr.BBR
	calls   sim.Tickets[ratelimit.DoneFunc]
}

func newKratos(env *sim.Env) sim.Controller {
	c := &kratos{clock: newClock(env)}
	c.limiter = bbr.NewLimiter()
	// The limiter keeps its reader in a field of its own, which no option sets.
	reader := reflect.ValueOf(c.limiter).Elem().FieldByName("cpu")
	*(*func() int64)(unsafe.Pointer(reader.UnsafeAddr())) = newProcessor(env).millis
	return c
}

func (c *kratos) Admit(sim.Attempt) (sim.Ticket, bool) {
	c.sync()
	done, err := c.limiter.Allow()
	if err != nil {
		return 0, false
	}
	return c.calls.Put(done), true
}

func (c *kratos) Done(t sim.Ticket, _ float64, k sim.Kind) {
	c.sync()
	c.calls.Take(t)(ratelimit.DoneInfo{Err: failure(k)})
}

func (c *kratos) Inspect() sim.Gauge {
	s := c.limiter.Stat()
	return sim.Gauge{N: float64(s.InFlight), L: float64(s.MaxInFlight)}
}

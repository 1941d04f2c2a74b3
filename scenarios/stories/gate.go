package stories

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/ohmic"
	"github.com/atrion-io/atrion/scenarios"
)

// bid is what a request says of itself when it asks to pass.
type bid struct {
	route string
	volts float64 // 0: the default of 100
	retry int
	class sim.Class
}

// gate decides which calls of a story pass.
type gate interface {
	// admit admits a call or not; end tells how it ended, once.
	admit(b bid) (end func(sim.Kind), ok bool)
	// look returns what the arm knows of a route, for a request of so many
	// volts; ok is false for arms that know no resistance.
	look(route string, volts float64) (x atrion.Explanation, ok bool)
	close()
}

// silent is the end of a call that says nothing about the callee. Arms that know
// no such thing take it for a success.
const silent = sim.Kind(255)

// setup is what a gate is made of, beside the arm.
type setup struct {
	caps   map[string]float64 // the true concurrency of each route, for the arms that may know it
	config atrion.Config      // of the engine: its permits' time to live and the like
	law    func(*ohmic.Config)
}

// gate makes the arm's gate: an engine with a route for each, if the arm is the
// product, and otherwise a controller for each route.
func (w *world) gate(arm scenarios.Arm, s setup) (gate, error) {
	if !arm.Product {
		return &controllers{w: w, arm: arm, caps: s.caps, made: map[string]sim.Controller{}}, nil
	}
	c := s.config
	c.Clock, c.Random, c.Law = w.loop, w.chance(), arm.Law
	if c.Law == nil && s.law != nil {
		settings := ohmic.DefaultConfig()
		s.law(&settings)
		law, err := ohmic.New(settings)
		if err != nil {
			return nil, err
		}
		c.Law = law
	}
	eng, err := atrion.New(c)
	if err != nil {
		return nil, err
	}
	return &product{eng: eng, routes: map[string]*atrion.Route{}}, nil
}

// chance is the number of the gates' stream.
const chance = 1 << 32

// chance returns the chance of an engine. It hangs on the instant and not on how
// often it was asked before, so that one route's requests do not move another's
// luck. All 53 bits count: an engine that thins its counts looks at the lowest.
func (w *world) chance() func() float64 {
	key, last, n := scramble(w.seed+scramble(chance)), int64(0), uint64(0)
	return func() float64 {
		if now := w.loop.Now(); now != last {
			last, n = now, 0
		}
		n++
		return float64(scramble(scramble(key+uint64(last))+n)>>11) / (1 << 53)
	}
}

// product is the engine. It is the arm under test.
type product struct {
	eng    *atrion.Engine
	routes map[string]*atrion.Route
}

func (p *product) route(name string) *atrion.Route {
	r := p.routes[name]
	if r == nil {
		var err error
		if r, err = p.eng.Route(name); errors.Is(err, atrion.ErrTooManyRoutes) {
			return nil // nothing is known of it
		} else if err != nil {
			panic(err) // the stories' names are fixed
		}
		p.routes[name] = r
	}
	return r
}

func (p *product) admit(b bid) (func(sim.Kind), bool) {
	r := p.route(b.route)
	if r == nil {
		return func(sim.Kind) {}, true
	}
	volts := b.volts
	if volts == 0 {
		volts = atrion.DefaultVoltage
	}
	permit, err := r.Acquire(context.Background(), atrion.Voltage(volts), atrion.Retry(b.retry))
	if err != nil {
		return nil, false
	}
	held := &permit
	return func(k sim.Kind) {
		if k == silent {
			held.Drop()
			return
		}
		held.Done(k.Err())
	}, true
}

func (p *product) look(route string, volts float64) (atrion.Explanation, bool) {
	x, err := p.eng.Explain(route, volts)
	return x, err == nil
}

func (p *product) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.eng.Close(ctx)
}

// controllers are an arm that is no engine: a controller a route.
type controllers struct {
	w     *world
	arm   scenarios.Arm
	caps  map[string]float64
	made  map[string]sim.Controller
	order []sim.Controller // as they were made
	ids   int
}

func (c *controllers) controller(route string) sim.Controller {
	ctl := c.made[route]
	if ctl == nil {
		d := c.w.dice(chance+1+uint64(len(c.made)), 0)
		capacity := c.caps[route]
		if capacity == 0 {
			capacity = 1e9
		}
		ctl = c.arm.Factory(&sim.Env{
			Now:  c.w.loop.Now,
			At:   c.w.loop.At,
			Rand: rand.New(&d.pcg),
			Loop: c.w.loop,
			Cap:  capacity,
			Look: func() (float64, float64) { return 0, 0 },
		})
		c.made[route] = ctl
		c.order = append(c.order, ctl)
	}
	if a, ok := ctl.(sim.Advancer); ok {
		a.Advance(c.w.loop.Now())
	}
	return ctl
}

func (c *controllers) admit(b bid) (func(sim.Kind), bool) {
	c.ids++
	volts := b.volts
	if volts == 0 {
		volts = atrion.DefaultVoltage
	}
	t, ok := c.controller(b.route).Admit(sim.Attempt{Class: b.class, Voltage: volts, Retry: b.retry, ID: c.ids})
	if !ok {
		return nil, false
	}
	begun, ended := c.w.now(), false
	return func(k sim.Kind) {
		if !ended {
			ended = true
			if k == silent {
				k = sim.OK
			}
			c.controller(b.route).Done(t, (c.w.now()-begun)*1000, k)
		}
	}, true
}

func (c *controllers) look(string, float64) (atrion.Explanation, bool) {
	return atrion.Explanation{}, false
}

func (c *controllers) close() {
	for _, ctl := range c.order {
		if x, ok := ctl.(sim.Closer); ok {
			x.Close()
		}
	}
}

// shown returns the resistance as a number, NaN for an arm without one.
func shown(x atrion.Explanation, ok bool) (physics.Terms, float64) {
	if !ok {
		return physics.Terms{}, nan
	}
	return x.Decision.Terms, x.Decision.Resistance
}

package main

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/client"
)

const route = "checkout"

var errShed = errors.New("shed")

// guard stands between the load and the service.
type guard interface {
	// call makes one call of that tier, or returns errShed.
	call(ctx context.Context, tier atrion.Tier, fn func(context.Context) error) error
	state() (resistance float64, mode string)
	close()
}

// libraryGuard decides in the process: nanoseconds.
type libraryGuard struct {
	eng   *atrion.Engine
	route *atrion.Route
}

func newLibraryGuard() (guard, error) {
	eng, err := atrion.New(atrion.Config{})
	if err != nil {
		return nil, err
	}
	r, err := eng.Route(route)
	return &libraryGuard{eng, r}, err
}

func (g *libraryGuard) call(ctx context.Context, tier atrion.Tier, fn func(context.Context) error) error {
	_, err := atrion.Do(ctx, g.route, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }, tier)
	if errors.Is(err, atrion.ErrRejected) {
		return errShed
	}
	return err
}

func (g *libraryGuard) state() (float64, string) {
	x, err := g.eng.Explain(route, 0)
	if err != nil {
		return 0, err.Error()
	}
	return x.Decision.Resistance, x.Decision.Mode.String()
}

func (g *libraryGuard) close() { _ = g.eng.Close(context.Background()) }

// busGuard asks a node over NATS, as a program in any language would: here the
// node's parts run in this process, but every message crosses a TCP socket.
type busGuard struct {
	server  *bus.Embedded
	eng     *atrion.Engine
	service *bus.Service
	nc      *nats.Conn
	client  *client.Client
}

func newBusGuard() (guard, error) {
	eng, err := atrion.New(atrion.Config{})
	if err != nil {
		return nil, err
	}
	g := &busGuard{eng: eng}
	if g.server, err = bus.StartEmbedded(bus.EmbeddedConfig{Port: -1, Memory: true}); err != nil {
		return nil, err
	}
	var conns [2]*nats.Conn
	for i, purpose := range []string{"telemetry", "decisions"} {
		if conns[i], err = g.server.Connect(purpose); err != nil {
			return nil, err
		}
	}
	if g.service, err = bus.Serve(conns[0], conns[1], eng, bus.Options{Node: "example"}); err != nil {
		return nil, err
	}
	if g.nc, err = nats.Connect(g.server.ClientURL()); err != nil {
		return nil, err
	}
	g.client = client.New(g.nc)
	return g, nil
}

func (g *busGuard) call(ctx context.Context, tier atrion.Tier, fn func(context.Context) error) error {
	// With Hold the answer is a seat, which the report that names it returns.
	d, err := g.client.Decide(ctx, route, client.Request{Tier: tier.String(), Hold: true})
	if err == nil && !d.Allow {
		return errShed
	}
	// A node that does not answer is no reason to fail: pass.
	start := time.Now()
	err = fn(ctx)
	_ = g.client.Report(route, client.Sample{Latency: time.Since(start), Outcome: atrion.Classify(err), Permit: d.Permit})
	return err
}

func (g *busGuard) state() (float64, string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	x, err := g.client.Explain(ctx, route, 0)
	if err != nil {
		return 0, err.Error()
	}
	return x.Resistance, x.Mode
}

func (g *busGuard) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	g.nc.Close()
	_ = g.service.Drain(ctx)
	_ = g.eng.Close(ctx)
	_ = g.server.Shutdown(ctx)
}

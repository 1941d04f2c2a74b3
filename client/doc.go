// Package client talks to an Atrion node over NATS. It links no engine: use it
// where the decisions are made by nodes, and package atrion where they are
// made in the process, which is a thousand times faster.
//
//	nc, err := nats.Connect("nats://127.0.0.1:4222")
//	c := client.New(nc)
//	d, err := c.Decide(ctx, "api/checkout", client.Request{Voltage: 50})
//	if err == nil && !d.Allow {
//		return fmt.Errorf("shed: %s", d.Reason)
//	}
//	start := time.Now()
//	...
//	c.Report("api/checkout", client.Sample{Latency: time.Since(start)})
//
// When no node answers, Decide returns ErrNoNode or the context's error and it
// is the caller's choice to fail open or closed; the usual choice is open.
package client

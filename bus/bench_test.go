package bus_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/bus"
	"github.com/atrion-io/atrion/internal/wire"
	"github.com/atrion-io/atrion/physics"
)

// Every benchmark runs the service beside the least that could stand in its
// place on the same server: a subscriber that only counts, a responder that only
// echoes. They take turns in small windows, so that noise meets both, and the
// figures to compare are the reported ones; ns/op is that of a turn of all.
//
//	go test -run '^$' -bench . -benchtime 20x ./bus

// bench is a node in the benchmark's process.
type bench struct {
	*testing.B
	server  *bus.Embedded
	tcp     bool // connections over a loopback socket rather than in the process
	eng     *atrion.Engine
	service *bus.Service
}

func newBench(b *testing.B, transport string, cfg atrion.Config) *bench {
	b.Helper()
	server, err := bus.StartEmbedded(bus.EmbeddedConfig{Port: -1, Memory: true})
	if err != nil {
		b.Fatal(err)
	}
	x := &bench{B: b, server: server, tcp: transport == "tcp"}
	b.Cleanup(func() {
		if err := server.Close(); err != nil {
			b.Errorf("Shutdown: %v", err)
		}
	})
	if x.eng, err = atrion.New(cfg); err != nil {
		b.Fatal(err)
	}
	if x.service, err = bus.Serve(x.dial(), x.dial(), x.eng, bus.Options{Node: "n1"}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(x.service.Drain(ctx), x.eng.Close(ctx)); err != nil {
			b.Errorf("stop: %v", err)
		}
	})
	return x
}

func (b *bench) dial() *nats.Conn {
	b.Helper()
	var nc *nats.Conn
	var err error
	if b.tcp {
		nc, err = nats.Connect(b.server.ClientURL())
	} else {
		nc, err = b.server.Connect("bench")
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	return nc
}

func (b *bench) flush(nc *nats.Conn) {
	b.Helper()
	if err := nc.Flush(); err != nil {
		b.Fatal(err)
	}
}

// countPrefix is as long as bus.TelemetryPrefix: the server must not have less
// to do for the subscriber that only counts.
const countPrefix = "counts.telemetry"

// telemetry is a message of n samples as a service sends them.
func telemetry(b *testing.B, n int, format wire.Format) []byte {
	b.Helper()
	samples := make([]wire.Sample, n)
	for i := range samples {
		samples[i] = wire.Sample{
			LatencyMs: 12.5 + float64(i%7), ErrorRate: 0.005, Saturation: 0.25, Voltage: 100, Time: 1_750_000_000_123 + int64(i), Outcome: physics.OK,
			Has: wire.HasLatency | wire.HasErrorRate | wire.HasSaturation | wire.HasVoltage | wire.HasTime | wire.HasOutcome,
		}
	}
	msg, err := wire.AppendTelemetry(nil, samples, format)
	if err != nil {
		b.Fatal(err)
	}
	return msg
}

// maxAhead is how many messages a publisher may be ahead of the receiver, and
// maxAheadBytes how many bytes. It is far less than a subscription and the
// server hold for a reader, so that none is dropped and what is measured is the
// rate at which messages are worked off.
const (
	maxAhead      = 8192
	maxAheadBytes = 2 << 20
)

func ahead(body []byte) int { return min(maxAhead, maxAheadBytes/len(body)) }

// send publishes n messages round robin over the subjects and waits until
// received has counted them all. It fails when nothing was received for some
// time, as after a loss.
func (b *bench) send(nc *nats.Conn, subjects []string, body []byte, first, n int, received func() int) {
	b.Helper()
	limit := ahead(body)
	await := func(want int) {
		last, since := -1, time.Now()
		for {
			now := received()
			if now >= want {
				return
			}
			if now != last {
				last, since = now, time.Now()
			} else if time.Since(since) > 5*time.Second {
				b.Fatalf("stuck at %d of %d messages: %+v, %+v, %d slow consumers", now, n, b.service.Stats(), b.eng.Stats(), b.server.SlowConsumers())
			}
			time.Sleep(20 * time.Microsecond)
		}
	}
	for i := range n {
		if i%(limit/16) == 0 {
			await(i - limit)
		}
		if err := nc.Publish(subjects[(first+i)%len(subjects)], body); err != nil {
			b.Fatal(err)
		}
	}
	b.flush(nc)
	await(n)
}

// cpu is the CPU time of this process, publisher and server included, in
// seconds; 0 where it cannot be told. On a machine that others share it is a
// better witness than the clock on the wall. Its resolution is 10 ms.
func cpu() float64 {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the program's name may hold spaces
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}

// BenchmarkTelemetry is a publisher's messages until the engine's laws have seen
// every sample, beside the same messages until a callback has counted them. A
// lost sample fails it.
func BenchmarkTelemetry(b *testing.B) {
	run := func(b *testing.B, transport string, format wire.Format, routes, samples, messages int) {
		body := telemetry(b, samples, format)
		cfg := atrion.Config{}
		if routes == 1 {
			// One mailbox for everything: the default one is smaller than what
			// may be on its way, and would rightly drop the rest.
			cfg.MailboxSize = min(2*ahead(body)*samples, 1<<20)
		}
		x := newBench(b, transport, cfg)
		nc, counting := x.dial(), x.dial()
		var counted atomic.Int64
		sub, err := counting.Subscribe(countPrefix+".>", func(*nats.Msg) { counted.Add(1) })
		if err == nil {
			err = sub.SetPendingLimits(65_536, 16<<20)
		}
		if err != nil {
			b.Fatal(err)
		}
		x.flush(counting)
		ours, bare := make([]string, routes), make([]string, routes)
		for i := range routes {
			name := fmt.Sprintf("service-%02d.endpoint-%06d", i%100, i)
			ours[i], bare[i] = bus.TelemetryPrefix+"."+name, countPrefix+"."+name
			if _, err := x.eng.Route(name); err != nil {
				b.Fatal(err)
			}
		}
		var oursTime, bareTime, ratios []float64
		var oursCPU, bareCPU float64
		at := 0
		for b.Loop() {
			began := cpu()
			before := x.eng.Stats().Samples
			start := time.Now()
			x.send(nc, ours, body, at, messages, func() int { return int(x.eng.Stats().Samples-before) / samples })
			o := time.Since(start).Seconds()
			was := counted.Load()
			middle := cpu()
			start = time.Now()
			x.send(nc, bare, body, at, messages, func() int { return int(counted.Load() - was) })
			c := time.Since(start).Seconds()
			at += messages
			oursCPU, bareCPU = oursCPU+middle-began, bareCPU+cpu()-middle
			oursTime, bareTime, ratios = append(oursTime, o), append(bareTime, c), append(ratios, c/o)
		}
		st, es := x.service.Stats(), x.eng.Stats()
		want := uint64(b.N * messages * samples)
		if es.Samples != want || es.MailboxFull != 0 || st.TelemetryLost != 0 || st.TelemetryDropped != 0 || st.Refused != 0 || x.server.SlowConsumers() != 0 {
			b.Fatalf("%d samples sent: %+v, %+v", want, st, es)
		}
		if n, err := sub.Dropped(); n != 0 || err != nil {
			b.Fatalf("the counting subscriber lost %d messages, %v", n, err)
		}
		b.ReportMetric(float64(messages)/median(oursTime), "msgs/s")
		b.ReportMetric(float64(messages)/median(bareTime), "bare-msgs/s")
		b.ReportMetric(median(ratios), "ratio")
		if bareCPU > 0 {
			b.ReportMetric(oursCPU*1e9/float64(b.N*messages), "cpu-ns/msg")
			b.ReportMetric(bareCPU*1e9/float64(b.N*messages), "bare-cpu-ns/msg")
			b.ReportMetric(bareCPU/oursCPU, "cpu-ratio")
		}
		b.ReportMetric(float64(len(body)), "B/msg")
		b.ReportMetric(float64(es.Samples)/float64(es.Batches), "samples/batch")
		if samples > 1 {
			b.ReportMetric(float64(messages*samples)/median(oursTime), "samples/s")
		}
	}
	for _, transport := range []string{"inprocess", "tcp"} {
		for _, format := range []wire.Format{wire.Msgpack, wire.JSON} {
			for _, routes := range []int{1, 1_000, 100_000} {
				b.Run(fmt.Sprintf("transport=%s/format=%v/samples=1/routes=%d", transport, format, routes), func(b *testing.B) {
					run(b, transport, format, routes, 1, 32_768)
				})
			}
			for _, routes := range []int{1, 1_000} {
				b.Run(fmt.Sprintf("transport=%s/format=%v/samples=100/routes=%d", transport, format, routes), func(b *testing.B) {
					run(b, transport, format, routes, 100, 8_192)
				})
			}
		}
	}
}

// BenchmarkDecide is request-reply: the service, a responder on the same server
// that echoes a reply of the same size, and the same echo behind the micro layer.
// Every client has its connection and asks one after the other.
func BenchmarkDecide(b *testing.B) {
	const (
		echoSubject  = "echoes.route.service-01.endpoint-000001"
		microSubject = "micros.route.service-01.endpoint-000001"
		routeSubject = bus.RoutePrefix + ".service-01.endpoint-000001"
	)
	run := func(b *testing.B, transport string, ask wire.Request, format wire.Format, clients int) {
		x := newBench(b, transport, atrion.Config{})
		body, err := wire.AppendRequest(nil, &ask, format)
		if err != nil {
			b.Fatal(err)
		}
		conns := make([]*nats.Conn, clients)
		for i := range conns {
			conns[i] = x.dial()
		}
		// The route is what a route is in service: out of bootstrap.
		warm := []string{bus.TelemetryPrefix + ".service-01.endpoint-000001"}
		x.send(conns[0], warm, telemetry(b, 1, format), 0, 100, func() int { return int(x.eng.Stats().Samples) })
		m, err := conns[0].Request(routeSubject, body, time.Second)
		if err != nil {
			b.Fatal(err)
		}
		var reply wire.Reply
		if err := wire.DecodeReply(m.Data, &reply); err != nil || !reply.Allow {
			b.Fatalf("%+v, %v", reply, err)
		}
		answer := slices.Clone(m.Data)
		echo := x.dial()
		if _, err := echo.Subscribe(echoSubject, func(m *nats.Msg) { _ = m.Respond(answer) }); err != nil {
			b.Fatal(err)
		}
		x.flush(echo)
		front := x.dial()
		service, err := micro.AddService(front, micro.Config{Name: "echo", Version: "0.0.0"})
		if err == nil {
			err = service.AddEndpoint("echo", micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(answer) }), micro.WithEndpointSubject(microSubject))
		}
		if err != nil {
			b.Fatal(err)
		}
		x.flush(front)

		rivals := []struct {
			name, subject string
			ns            []float64
		}{{name: "", subject: routeSubject}, {name: "echo-", subject: echoSubject}, {name: "micro-", subject: microSubject}}
		each := max(512/clients, 8)
		var mu sync.Mutex
		window := func(r int) {
			var wg sync.WaitGroup
			for _, nc := range conns {
				wg.Go(func() {
					own := make([]float64, 0, each)
					for range each {
						start := time.Now()
						m, err := nc.Request(rivals[r].subject, body, 5*time.Second)
						own = append(own, float64(time.Since(start)))
						if err != nil || len(m.Data) < len(answer)*3/4 {
							b.Errorf("%s: %v", rivals[r].subject, err)
							return
						}
					}
					mu.Lock()
					rivals[r].ns = append(rivals[r].ns, own...)
					mu.Unlock()
				})
			}
			wg.Wait()
		}
		for r := range rivals { // connections set up their inboxes with their first request
			window(r)
			rivals[r].ns = rivals[r].ns[:0]
		}
		turn := 0
		for b.Loop() {
			for i := range rivals {
				window((turn + i) % len(rivals)) // each follows each
			}
			turn++
		}
		var p50, p99 [3]float64
		for i, r := range rivals {
			p50[i], p99[i] = quantile(r.ns, 0.5), quantile(r.ns, 0.99)
			b.ReportMetric(p50[i]/1e3, r.name+"p50-us")
			b.ReportMetric(p99[i]/1e3, r.name+"p99-us")
		}
		b.ReportMetric(p50[0]/p50[1], "p50-ratio")
		b.ReportMetric(p99[0]/p99[1], "p99-ratio")
		if st := x.service.Stats(); st.Refused != 0 || st.Unanswered != 0 || st.Shed != 0 {
			b.Fatalf("%+v", st)
		}
	}
	sample := wire.Sample{LatencyMs: 12.5, ErrorRate: 0.005, Saturation: 0.25, Has: wire.HasLatency | wire.HasErrorRate | wire.HasSaturation}
	for _, transport := range []string{"inprocess", "tcp"} {
		for _, format := range []wire.Format{wire.Msgpack, wire.JSON} {
			for _, clients := range []int{1, 64} {
				b.Run(fmt.Sprintf("transport=%s/format=%v/ask=voltage/clients=%d", transport, format, clients), func(b *testing.B) {
					run(b, transport, wire.Request{Voltage: 100}, format, clients)
				})
			}
		}
		// With telemetry the answer waits until the route's actor has seen it.
		for _, clients := range []int{1, 64} {
			b.Run(fmt.Sprintf("transport=%s/format=msgpack/ask=telemetry/clients=%d", transport, clients), func(b *testing.B) {
				run(b, transport, wire.Request{Voltage: 100, Telemetry: &sample}, wire.Msgpack, clients)
			})
		}
	}
}

func median(x []float64) float64 { return quantile(x, 0.5) }

func quantile(x []float64, q float64) float64 {
	slices.Sort(x)
	return x[min(int(q*float64(len(x))), len(x)-1)]
}

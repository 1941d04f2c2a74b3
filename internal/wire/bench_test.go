package wire

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/atrion-io/atrion/physics"
)

// rival is the sample as other decoders are given it.
type rival struct {
	Latency    float64 `msgpack:"l" json:"latencyMs"`
	ErrorRate  float64 `msgpack:"e" json:"errorRate"`
	Saturation float64 `msgpack:"s" json:"saturation"`
	Time       int64   `msgpack:"t" json:"t"`
	Outcome    string  `msgpack:"o" json:"outcome"`
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		samples := make([]Sample, n)
		for i := range samples {
			samples[i] = Sample{
				LatencyMs: 12.5 + float64(i), ErrorRate: 0.25, Saturation: 0.75, Time: 1753000000123, Outcome: physics.OK,
				Has: HasLatency | HasErrorRate | HasSaturation | HasTime | HasOutcome,
			}
		}
		per := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/sample")
		}
		for _, format := range []Format{Msgpack, JSON} {
			msg, err := AppendTelemetry(nil, samples, format)
			if err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("n=%d/format=%v/by=", n, format)
			b.Run(name+"wire", func(b *testing.B) {
				dst := make([]Sample, 0, n)
				b.ReportAllocs()
				b.SetBytes(int64(len(msg)))
				for b.Loop() {
					if dst, err = DecodeTelemetry(msg, dst[:0]); err != nil {
						b.Fatal(err)
					}
				}
				per(b)
			})
			unmarshal := msgpack.Unmarshal
			if format == JSON {
				unmarshal = json.Unmarshal
			}
			b.Run(name+"library", func(b *testing.B) {
				one, many := rival{}, make([]rival, 0, n)
				b.ReportAllocs()
				b.SetBytes(int64(len(msg)))
				for b.Loop() {
					if n == 1 {
						err = unmarshal(msg, &one)
					} else {
						many = many[:0]
						err = unmarshal(msg, &many)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				per(b)
			})
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	s := []Sample{full()}
	for _, format := range []Format{Msgpack, JSON} {
		b.Run("format="+format.String(), func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = AppendTelemetry(dst[:0], s, format)
			}
		})
	}
}

func BenchmarkDecision(b *testing.B) {
	req := Request{Voltage: 50, Tier: "high"}
	rep := Reply{
		Allow: true, Route: "api.v1.users", Resistance: 12.25, Mode: "operational", Reason: "allowed",
		Terms: physics.Terms{Base: 10, Pressure: 2.25}, Voltage: 50, Node: "n1", Revision: 123456,
	}
	for _, format := range []Format{Msgpack, JSON} {
		msg, _ := AppendRequest(nil, &req, format)
		b.Run("request/format="+format.String(), func(b *testing.B) {
			var r Request
			b.ReportAllocs()
			for b.Loop() {
				if err := DecodeRequest(msg, &r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("reply/format="+format.String(), func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = AppendReply(dst[:0], &rep, format)
			}
		})
	}
}

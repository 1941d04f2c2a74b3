package vec

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// floats reads data as float64, cutting anything left over.
func floats(data []byte) []float64 {
	v := make([]float64, len(data)/8)
	for i := range v {
		v[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
	}
	return v
}

func bytesOf(v ...float64) []byte {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	}
	return b
}

// fuzzKernel compares batches at every level, cut in two, with the scalar twin.
func fuzzKernel(f *testing.F, k kernel) {
	f.Add(bytesOf(edges...), uint16(7))
	f.Add(bytesOf(0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14), uint16(3))
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		x := floats(data)
		c := 0
		if len(x) > 0 {
			c = int(cut) % len(x)
		}
		for _, l := range Supported() {
			setLevel(t, l)
			dst := make([]float64, len(x))
			k.batch(dst[:c], x[:c])
			k.batch(dst[c:], x[c:])
			for i := range x {
				if want := k.one(x[i]); !same(dst[i], want) {
					t.Fatalf("%s: %s(%v) = %v, scalar %v", l, k.name, x[i], dst[i], want)
				}
			}
		}
	})
}

func FuzzTanh(f *testing.F) { fuzzKernel(f, kernels[0]) }

func FuzzExp(f *testing.F) { fuzzKernel(f, kernels[1]) }

func FuzzLn(f *testing.F) { fuzzKernel(f, kernels[2]) }

// FuzzClassic takes a law out of the table, a starting scar and a stream of
// arbitrary bits, four numbers a sample, repeated to reach the wide kernels.
func FuzzClassic(f *testing.F) {
	f.Add(uint8(0), 0.0, uint8(1), uint64(1), bytesOf(100, 90, 0.001, 0.2, 5, 500, 1, 1, 0, math.NaN(), 0, 0))
	f.Add(uint8(1), 1e300, uint8(40), uint64(2), bytesOf(-1e5, 90, 0.001, 0.2, math.NaN(), 1e308, 0, 0))
	f.Add(uint8(5), 5.0, uint8(40), uint64(3), bytesOf(1e-320, 90, 0.001, 0.2, 7.08e6, 100, 0, 0))
	f.Fuzz(func(t *testing.T, law uint8, scar float64, repeat uint8, seed uint64, data []byte) {
		table := paramTable()
		p := NewClassicParams(table[int(law)%len(table)])
		v := floats(data)
		if len(v) > 4*256 {
			v = v[:4*256]
		}
		var stream ClassicBatch
		for range 1 + int(repeat)%64 {
			for i := 0; i+4 <= len(v); i += 4 {
				stream.add(v[i], v[i+1], v[i+2], v[i+3])
			}
		}
		for _, l := range Supported() {
			setLevel(t, l)
			compareCuts(t, l.String(), p, ClassicState{Scar: scar}, &stream, rand.New(rand.NewPCG(seed, 0)))
		}
	})
}

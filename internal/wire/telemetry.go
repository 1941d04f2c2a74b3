package wire

import "fmt"

// DecodeTelemetry appends the samples of a telemetry message, one map or an
// array of 1..MaxSamples maps, to dst and returns it. A message that is
// refused appends nothing. Permits are parts of data: copy them before data
// changes.
func DecodeTelemetry(data []byte, dst []Sample) ([]Sample, error) {
	if len(data) > 0 && len(data) <= MaxMessage { // one sample as usual needs no walker
		if room := grow(dst); fastSample(data, 0, &room[len(dst)]) == len(data) {
			return room, nil
		}
	}
	w, err := newWalker(data)
	if err != nil {
		return dst, err
	}
	kept := len(dst)
	if w.kind() != kindArray {
		if dst, err = w.appendSample(0, dst); err == nil {
			err = w.end()
		}
		if err != nil {
			return dst[:kept], err
		}
		return dst, nil
	}
	if err := w.enter(kindArray); err != nil {
		return dst, err
	}
	if n := w.left[1]; !w.json && n > MaxSamples {
		return dst, tooMany(int(n))
	}
	for at := 0; ; at++ {
		ok, err := w.more(kindArray)
		if err == nil && ok && at == MaxSamples {
			err = tooMany(at + 1)
		}
		if err == nil && ok {
			dst, err = w.appendSample(at, dst)
		}
		if err == nil && !ok {
			err = w.end()
		}
		if err == nil && !ok && at == 0 {
			err = fmt.Errorf("%w: allowed: 1..%d", ErrEmpty, MaxSamples)
		}
		if err != nil {
			return dst[:kept], err
		}
		if !ok {
			return dst, nil
		}
	}
}

func tooMany(n int) error {
	return fmt.Errorf("%w: %d or more; allowed: 1..%d", ErrTooMany, n, MaxSamples)
}

// appendSample reads one sample behind the end of dst, in place: a Sample on
// the stack would have to be copied, and would escape.
func (w *walker) appendSample(at int, dst []Sample) ([]Sample, error) {
	dst = grow(dst)
	s := &dst[len(dst)-1]
	if !w.json {
		if next := fastSample(w.data, w.pos, s); next > 0 {
			w.pos = next
			return dst, nil
		}
	}
	return dst, w.sample(at, s)
}

// grow is append of a Sample that is about to be set, and need not be zeroed.
func grow(dst []Sample) []Sample {
	if n := len(dst); n < cap(dst) {
		return dst[:n+1]
	}
	return append(dst, Sample{})
}

// AppendTelemetry appends a telemetry message of samples to dst: a map for one
// sample, an array for more. What DecodeTelemetry would refuse is the same
// error here, and dst is returned as it was. MaxSamples samples with every field
// can pass MaxMessage: about 300 always fit.
func AppendTelemetry(dst []byte, samples []Sample, format Format) ([]byte, error) {
	switch n := len(samples); {
	case n == 0:
		return dst, fmt.Errorf("%w: allowed: 1..%d", ErrEmpty, MaxSamples)
	case n > MaxSamples:
		return dst, tooMany(n)
	}
	for i := range samples {
		if err := samples[i].check(i); err != nil {
			return dst, err
		}
	}
	b := builder{dst: dst, format: format}
	if len(samples) == 1 {
		samples[0].append(&b)
		return sized(b.dst, dst)
	}
	if format == Msgpack {
		b.dst = mpArray(b.dst, len(samples))
	} else {
		b.dst = append(b.dst, '[')
	}
	for i := range samples {
		if i > 0 && format == JSON {
			b.dst = append(b.dst, ',')
		}
		samples[i].append(&b)
	}
	if format == JSON {
		b.dst = append(b.dst, ']')
	}
	return sized(b.dst, dst)
}

// sized returns the message, or dst and an error if it is too large to be read.
func sized(msg, dst []byte) ([]byte, error) {
	if err := checkSize(msg[len(dst):]); err != nil {
		return dst, err
	}
	return msg, nil
}

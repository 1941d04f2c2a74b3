package ohmic

import (
	"encoding/binary"
	"math"

	"github.com/atrion-io/atrion/physics"
)

// What a node tells the others of a route beside its durable form: a version,
// flags, counters, numbers, instants seen from now, and the voltages that are
// bid, with the decayed arrivals of each.
const (
	shareVersion = 1
	shareBands   = 24 // voltages told of at most
	shareFixed   = 2 + 3*4 + shareNumbers*8 + shareTimes*8 + 2
	shareNumbers = 27
	shareTimes   = 6

	shareHot    = 1
	shareFault  = 2
	shareSteps  = 2 // bits the step is shifted by
	shareFlags  = 15
	shareWithin = int64(1e12) // ns: how far instants may be away
)

func (s *State) shareNumbers() [shareNumbers]*float64 {
	p, f := &s.probe, &s.fleet
	return [...]*float64{
		&f.flow, &s.rate, &s.supply.busy, &f.most,
		&f.past.all, &f.past.good, &f.past.failed, &f.past.timed, &f.past.lnLatency, &f.past.counted, &f.past.lnSeats, &f.past.held, &f.past.seatTime,
		&p.size, &p.admitted, &p.done, &p.failed, &p.timed, &p.lnLatency, &p.counted, &p.lnSeats,
		&p.lastLimit, &p.preLnLatency, &p.preLnSeats, &f.word, &f.remote.all, &f.remote.good,
	}
}

func (s *State) shareTimes() [shareTimes]*int64 {
	p, f := &s.probe, &s.fleet
	return [...]*int64{&p.opened, &p.closed, &p.until, &p.due, &f.from, &f.until}
}

// AppendShare appends what others need of s to dst.
func (s *State) AppendShare(dst []byte, now int64) []byte {
	told := *s
	told.fleet.past.merge(&s.window.tally)
	told.fleet.most = max(s.fleet.most, s.window.most)
	if s.demand != nil {
		told.shed = s.demand.shed.Load()
		if s.probe.step == open {
			told.probe.admitted = float64(s.demand.cohort(s.probe.own).Load())
		}
	}
	flags := byte(s.probe.step) << shareSteps
	if s.hot(s.refreshed) {
		flags |= shareHot
	}
	if s.probe.preFault {
		flags |= shareFault
	}
	dst = append(dst, shareVersion, flags)
	dst = binary.LittleEndian.AppendUint32(dst, told.shed)
	dst = binary.LittleEndian.AppendUint32(dst, s.probe.epoch)
	dst = binary.LittleEndian.AppendUint32(dst, s.probe.own)
	for _, v := range told.shareNumbers() {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(*v))
	}
	for _, v := range told.shareTimes() {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(min(max(*v-now, -shareWithin), shareWithin)))
	}
	heat := s.price
	if s.fleet.heat != nil {
		heat = s.fleet.heat
	}
	return heat.appendHeat(dst)
}

// appendHeat appends the bands with the largest shares, in ascending order.
func (t *table) appendHeat(dst []byte) []byte {
	n, least := len(t.entry), 0.0
	if n > shareBands {
		// The share that so many do not reach; few routes see that many bids.
		for least = 1e-4; ; least *= 1.5 {
			n = 0
			for i := range t.entry {
				if t.entry[i].own > least {
					n++
				}
			}
			if n <= shareBands {
				break
			}
		}
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
	for i := range t.entry {
		if e := &t.entry[i]; e.own > least {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(e.band))
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.heat))
		}
	}
	return dst
}

// ParseShare completes s from AppendShare's form.
func (s *State) ParseShare(src []byte, now int64) error {
	if len(src) < shareFixed || src[0] != shareVersion || src[1]&^shareFlags != 0 {
		return errState
	}
	s.probe.step = step(src[1] >> shareSteps)
	s.probe.preFault = src[1]&shareFault != 0
	if src[1]&shareHot != 0 {
		s.fleet.hotAt = max(now, 1)
	}
	at := src[2:]
	word := func() uint32 {
		v := binary.LittleEndian.Uint32(at)
		at = at[4:]
		return v
	}
	long := func() uint64 {
		v := binary.LittleEndian.Uint64(at)
		at = at[8:]
		return v
	}
	s.shed, s.probe.epoch, s.probe.own = word(), word(), word()
	for _, v := range s.shareNumbers() {
		if *v = math.Float64frombits(long()); !(math.Abs(*v) <= 1e18) {
			return errState
		}
	}
	if !s.plausible() {
		return errState
	}
	for _, v := range s.shareTimes() {
		d := int64(long())
		if d < -shareWithin || d > shareWithin {
			return errState
		}
		*v = now + d
	}
	n := int(binary.LittleEndian.Uint16(at))
	if at = at[2:]; n > shareBands || len(at) != 10*n {
		return errState
	}
	heat := &table{entry: make([]entry, 0, n)}
	last, total := -1, 0.0
	for range n {
		b, v := int(binary.LittleEndian.Uint16(at)), math.Float64frombits(binary.LittleEndian.Uint64(at[2:]))
		at = at[10:]
		if b <= last || b >= bands || !(v > 0 && v <= 1e18) {
			return errState
		}
		last = b
		total += v
		heat.entry = append(heat.entry, entry{heat: v, band: b})
	}
	if n > 0 {
		heat.rank(total)
		s.price = heat
	}
	return nil
}

// plausible reports whether what was read can have been seen: whoever believes a
// node believes no number that no node can have.
func (s *State) plausible() bool {
	p, f := &s.probe, &s.fleet
	for _, v := range [...]float64{f.flow, s.rate, s.supply.busy, f.most, p.size, p.lastLimit} {
		if v < 0 || v > 1e9 {
			return false
		}
	}
	for _, v := range [...]float64{f.past.good, f.past.failed, f.past.held, f.past.seatTime, p.admitted, p.done, p.failed, f.word, f.remote.all, f.remote.good} {
		if v < 0 {
			return false
		}
	}
	const highest = 50 // ln of the largest latency or number of calls, and more
	for _, m := range [...]struct{ n, sum float64 }{
		{f.past.timed, f.past.lnLatency}, {f.past.counted, f.past.lnSeats}, {p.timed, p.lnLatency}, {p.counted, p.lnSeats},
		{1, p.preLnLatency}, {1, p.preLnSeats},
	} {
		if m.n < 0 || math.Abs(m.sum) > float64(highest*m.n)+1e-6 {
			return false
		}
	}
	return f.past.all >= 0 && f.past.timed <= f.past.all+1e-6 && f.word <= 1
}

// Strays returns by how much those who hold told are wrong about s.
func (s *State) Strays(told physics.State, now int64) float64 {
	o, ok := told.(*State)
	if !ok {
		return 2
	}
	off := math.Abs(s.scar(now)-o.scar(now)) / 0.05
	if (s.probe.own != o.probe.own || s.probe.step != o.probe.step) && (s.probe.stage == steady || s.probing(now)) {
		off = max(off, 8)
	}
	if s.refreshed == o.refreshed {
		return off
	}
	// A quarter more or less, and more than chance makes of a second's count.
	if f, g := s.fleet.flow, o.fleet.flow; math.Abs(f-g) > 0.25*g+float64(2*math.Sqrt(g))+1 {
		off = max(off, 1.5)
	}
	if now-s.arrived < hotFor && (s.hot(now) || s.fleet.live > 0 && now-s.fleet.hotAt < hotFor) {
		off = max(off, 1.2)
	}
	return off
}

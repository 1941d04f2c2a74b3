package stories

import (
	"math"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// IoT is the fleet whose vehicles send twice as many packets as the database can
// write. The original let every tenth packet through, by its number, so that ten
// vehicles of a hundred were written and ninety never.
//
// Model: 100 vehicles; 4k packets a second, 10k from second 5 to 15, then 4k
// again. Each vehicle sends at even distances, a little shaken. The writer is 50
// connections of 10 ms on average, C = 5k a second, with a line of 500 at most;
// what is not written within 150 ms is stale. A packet bids 25 V and half as much
// again for every one of its vehicle that was turned away or lost since the last
// one that was written, up to 25 of them: the longer nothing was heard of a
// vehicle, the more its next packet is worth.
//
// Oracle: writes every packet or C of them, each vehicle's in its turn, so that in
// the flood one of each is written every 20 ms.
//
// Promises: .95 of C written in time in the flood, no vehicle without a written
// packet for more than three times the oracle's 20 ms (save for the second in
// which the flood begins), and every packet again within 2 s after it.
func IoT() scenarios.Scenario {
	s := &story{
		name:  "iot",
		about: "10,000 packets a second of 100 vehicles into a writer of 5,000",
		promises: []promise{
			atLeast(.95, "written", "written in time in the flood, of the capacity"),
			atMost(3, "gap", "longest gap of any vehicle in the flood, in ideal gaps"),
			atMost(2, "recover_s", "back to every packet"),
			atMost(.01, "false_shed", "turned away without need"),
		},
	}
	s.play = func(arm scenarios.Arm, seed uint64, _ sim.Options) (scenarios.Outcome, error) {
		out := s.outcome(arm, seed)
		f, err := playFleet(arm, seed)
		if err != nil {
			return out, err
		}
		const from, to, end = fleetFrom, fleetTo, fleetEnd
		put(&out, "written", f.good.sum(from+1, to)/(fleetRate*(to-from-1)), "1")
		put(&out, "gap", f.gap*fleetRate/vehicles, "1")
		put(&out, "recover_s", f.good.reaches(f.offered, .98, to, end), "s")
		put(&out, "false_shed", ratio(f.shed.sum(1, from)+f.shed.sum(to+2, end), f.offered.sum(1, from)+f.offered.sum(to+2, end)), "1")
		setResult(&out, nan)
		out.GoodputFault = out.Measure("written")
		put(&out, "median_gap", quantile(f.gaps, .5)*fleetRate/vehicles, "1")
		put(&out, "p999_gap", quantile(f.gaps, .999)*fleetRate/vehicles, "1")
		return out, nil
	}
	return s
}

const (
	vehicles           = 100
	fleetRate          = 5000 // C
	fleetFrom, fleetTo = 5, 15
	fleetEnd           = 22
	stale              = 150 // ms
)

// fleet is one run.
type fleet struct {
	w                   *world
	gate                gate
	writer              *pool
	offered, good, shed *tally
	missed              [vehicles]int     // packets not written since the last one that was
	heard               [vehicles]float64 // second at which the last packet written was sent
	gap                 float64           // s, the longest in the flood
	gaps                []float64
	bids                [26]float64
}

func playFleet(arm scenarios.Arm, seed uint64) (*fleet, error) {
	w := newWorld(seed, fleetEnd)
	defer w.loop.Close()
	f := &fleet{w: w, writer: w.pool(50), offered: w.tally(), good: w.tally(), shed: w.tally()}
	f.writer.bound = 500
	for i, v := 0, 25.0; i < len(f.bids); i, v = i+1, v*1.5 {
		f.bids[i] = v
	}
	g, err := w.gate(arm, setup{caps: map[string]float64{"writer": 50}})
	if err != nil {
		return nil, err
	}
	f.gate = g
	for v := range vehicles {
		f.drive(v)
	}
	w.run()
	f.gate.close()
	return f, nil
}

// drive lets a vehicle send.
func (f *fleet) drive(v int) {
	d := f.w.dice(1, uint64(v))
	t := d.between(0, .025)
	var next func()
	next = func() {
		f.packet(v, d)
		each := .025
		if t >= fleetFrom && t < fleetTo {
			each = .01
		}
		t += each * d.between(.9, 1.1)
		f.w.at(t, next)
	}
	f.w.at(t, next)
}

func (f *fleet) packet(v int, d *dice) {
	sent, work := f.w.now(), d.between(5, 15)
	f.offered.add(1)
	end, ok := f.gate.admit(bid{route: "writer", volts: f.bids[min(f.missed[v], len(f.bids)-1)]})
	if !ok {
		f.shed.add(1)
		f.missed[v]++
		return
	}
	told := false
	f.missed[v] = 0 // under way
	if !f.writer.serve(work, func() {
		if !told {
			told = true
			end(sim.OK)
			f.write(v, sent)
		}
	}) {
		end(sim.Dropped)
		f.missed[v]++
		return
	}
	f.w.after(stale, func() {
		if !told {
			told = true
			end(sim.Timeout)
			f.missed[v]++
		}
	})
}

// write books a written packet.
func (f *fleet) write(v int, sent float64) {
	f.good.put(sent, 1)
	if sent < f.heard[v] {
		return // overtaken by a later one, which closed the gap before it
	}
	if gap := sent - f.heard[v]; sent >= fleetFrom+1 && sent < fleetTo {
		f.gap = math.Max(f.gap, gap)
		f.gaps = append(f.gaps, gap)
	}
	f.heard[v] = sent
}

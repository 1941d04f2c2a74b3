package stories

import (
	"math"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// The game server of three stories. 20 times a second it brings every player's
// view up to date, the players' turns spread evenly over the tick; 16 cores, a
// view that is not complete within the 50 ms of a tick is a missed frame. A view
// has up to three layers, each of which is a call behind the gate with a bid of
// its own:
//
//	level   layer adds    bid
//	LOW     3.2 ms        100 V
//	MEDIUM  6.4 ms         50 V
//	HIGH    12.8 ms        25 V
//
// At a level, the layers up to it are asked for. A layer that is turned away is
// missing from the view, with those above it; the first one asks again up to three
// times, every 8 ms. If it is not there, or if a layer that was begun is late, the
// frame is missed. A frame is worth 1 at HIGH, .85 at MEDIUM, .6 at LOW, and
// nothing if it was missed. So cost falls with the level, and 35 players fit at
// HIGH, 83 at MEDIUM, 250 at LOW.

type level int

const (
	low level = iota
	medium
	high
)

var (
	layerWork = [...]float64{3.2, 6.4, 12.8} // ms
	layerBid  = [...]float64{100, 50, 25}    // V
	worth     = [...]float64{.6, .85, 1}
)

const (
	gameCores = 16
	gameTick  = .05 // s
)

// load is what a view at that level costs, ms.
func (l level) load() float64 {
	ms := 0.0
	for i := low; i <= l; i++ {
		ms += layerWork[i]
	}
	return ms
}

// best returns what the views of so many players can be worth at most in a tick:
// the cores do what is worth most for its time first, and never wait.
func best(players float64) float64 {
	room, sum, before := gameCores*gameTick*1000, 0.0, 0.0
	for l := low; l <= high; l++ {
		n := min(players, room/layerWork[l])
		room -= n * layerWork[l]
		sum += n * (worth[l] - before)
		before = worth[l]
	}
	return sum
}

// sight is what the server sees at the beginning of a tick.
type sight struct {
	known bool // the arm knows a resistance
	x     atrion.Explanation
	level level // that it is at
	now   float64
}

// game is one run.
type game struct {
	w       *world
	gate    gate
	cores   *pool
	players func(t float64) int
	decide  func(s sight) level
	spread  float64 // players' bids within a layer differ by up to that much

	level    level
	switches []change
	born     *tally // frames begun
	missed   *tally
	got      float64 // integral of quality
	ideal    float64
	work     [high + 1]struct{ ms, frames float64 }
	terms    *tally // ticks with momentum
}

// change is a change of the level.
type change struct {
	at       float64
	from, to level
}

func playGame(arm scenarios.Arm, seed uint64, end float64, players func(t float64, d *dice) int, spread float64, decide func(s sight) level) (*game, error) {
	w := newWorld(seed, end)
	defer w.loop.Close()
	d := w.dice(1, 0)
	g := &game{
		w: w, cores: w.pool(gameCores), players: func(t float64) int { return players(t, d) }, decide: decide, spread: spread,
		level: high, born: w.tally(), missed: w.tally(), terms: w.tally(),
	}
	var err error
	if g.gate, err = w.gate(arm, setup{caps: map[string]float64{"tick": gameCores}}); err != nil {
		return nil, err
	}
	n := uint64(0)
	w.every(0, end-gameTick, gameTick, func() {
		n++
		g.tick(n)
	})
	w.run()
	g.gate.close()
	return g, nil
}

func (g *game) tick(n uint64) {
	s := sight{level: g.level, now: g.w.now()}
	s.x, s.known = g.gate.look("tick", layerBid[high])
	if s.known && s.x.Decision.Terms.Momentum > 0 {
		g.terms.add(1)
	}
	if l := g.decide(s); l != g.level {
		g.switches = append(g.switches, change{s.now, g.level, l})
		g.level = l
	}
	players := g.players(s.now)
	g.ideal += best(float64(players))
	at := g.level
	for i := range players {
		key := n<<16 | uint64(i)
		g.w.after(gameTick*1000*float64(i)/float64(players), func() { g.view(key, at) })
	}
}

// frame is a view under way.
type frame struct {
	begun float64
	volts float64 // share of the layers' bids that this player adds
	open  int     // layers begun and not done
	seen  level   // highest layer begun, -1: none
}

// view brings one player's view up to date.
func (g *game) view(key uint64, at level) {
	f := &frame{begun: g.w.now(), volts: g.spread * float64(key&0xffff*7919%128) / 128, seen: -1}
	g.born.put(f.begun, 1)
	g.work[at].frames++
	d := g.w.dice(2, key)
	for l, whole := low, true; l <= at; l++ {
		work := layerWork[l] * d.between(.7, 1.3)
		whole = whole && g.layer(f, l, at, work, 0)
	}
	g.w.after(gameTick*1000+.001, func() {
		if f.open > 0 || f.seen < low {
			g.missed.put(f.begun, 1)
			return
		}
		g.got += worth[f.seen]
	})
}

// layer begins a layer, if it may. The first one, without which there is no
// frame, asks again up to three times.
func (g *game) layer(f *frame, l, at level, work float64, retry int) bool {
	end, ok := g.gate.admit(bid{route: "tick", volts: layerBid[l] * (1 + f.volts), retry: retry, class: sim.Class(l)})
	if !ok {
		if l == low && retry < 3 {
			g.w.after(8, func() { g.layer(f, l, at, work, retry+1) })
		}
		return false
	}
	f.seen = l
	f.open++
	g.work[at].ms += work
	over := false
	g.cores.serve(work, func() {
		if !over {
			over = true
			f.open--
			end(sim.OK)
		}
	})
	g.w.at(f.begun+gameTick, func() {
		if !over {
			over = true // too late: f.open says so
			end(sim.Timeout)
		}
	})
	return true
}

// firstMiss returns the second of the first frame missed from one second to
// another, and the other if there is none.
func (g *game) firstMiss(from, to float64) float64 {
	for t := from; t < to; t += .1 {
		if g.missed.sum(t, t+.1) > 0 {
			return t
		}
	}
	return to
}

// changes returns the changes of level from one second to another.
func (g *game) changes(from, to float64) (n float64) {
	for _, c := range g.switches {
		if c.at >= from && c.at < to {
			n++
		}
	}
	return n
}

// The phases of game-lod and game-lod-v2.
const gamePhase = 8 // s

var gamePlayers = [...]int{10, 30, 60, 100, 20}

func gameCrowd(t float64, _ *dice) int {
	return gamePlayers[min(int(t/gamePhase), len(gamePlayers)-1)]
}

// byResistance is the original's rule: the level is the highest whose bid is above
// R at this moment.
func byResistance(s sight) level {
	switch r := s.x.Decision.Resistance; {
	case !s.known, r < layerBid[high]:
		return high
	case r < layerBid[medium]:
		return medium
	default:
		return low
	}
}

// steady is the rule of the second version, over the last second of ticks: down
// by one level where the bid of the present one was not enough in a third of them;
// up where it always was and what the next one costs fits into .65 of the
// limit that the route has learned.
type steady struct {
	poor  [20]bool
	n     [20]float64 // in flight
	limit [20]float64
	i     int
	seen  int // ticks since the last change
}

func (m *steady) decide(s sight) level {
	if !s.known {
		return s.level
	}
	at := m.i % len(m.poor)
	m.i++
	m.seen++
	m.poor[at] = s.x.Decision.Resistance >= layerBid[s.level]
	m.n[at], m.limit[at] = float64(s.x.Inflight), s.x.Limit
	poor, n, limit := 0, 0.0, 0.0
	for i := range m.poor {
		if m.poor[i] {
			poor++
		}
		n += m.n[i] / float64(len(m.n))
		limit = math.Max(limit, m.limit[i])
	}
	switch {
	case s.level > low && poor >= 6:
		return m.to(s.level - 1)
	case s.level < high && m.seen >= len(m.poor) && poor == 0 && n*(s.level+1).load()/s.level.load() <= .65*limit:
		return m.to(s.level + 1)
	}
	return s.level
}

func (m *steady) to(l level) level {
	*m = steady{}
	return l
}

package ohmic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/atrion-io/atrion/physics"
)

// member is a node of a fleet in tests: a state, and what it has heard.
type member struct {
	state *State
	heard []physics.Peer
	from  []int
	batch *physics.Batch
}

func newMember(l *Law) *member {
	return &member{state: l.NewState().(*State), batch: physics.NewBatch()}
}

// advance plays samples, none for a tick, with what was heard if it is news.
func (m *member) advance(now int64, rank uint64, samples ...physics.Sample) {
	b := m.batch
	b.Reset()
	for i := range samples {
		b.Add(&samples[i])
	}
	if b.N == 0 {
		b.Time[0] = now
	}
	b.Peers, b.Rank, b.Every = m.heard, rank, int64(100*time.Millisecond)
	next := m.state.law.NewState().(*State)
	next.Advance(m.state, b)
	m.state = next
}

// tell is what m says at now, as another node reads it at the instant at.
func (m *member) tell(t testing.TB, now, at int64) *State {
	t.Helper()
	s := m.state.law.NewState().(*State)
	if err := s.ParseState(m.state.AppendState(nil, now), at); err != nil {
		t.Fatal(err)
	}
	if err := s.ParseShare(m.state.AppendShare(nil, now), at); err != nil {
		t.Fatal(err)
	}
	return s
}

// hear takes in what node i said.
func (m *member) hear(i int, said *State, at int64) {
	peers := append([]physics.Peer(nil), m.heard...)
	for k, from := range m.from {
		if from == i {
			peers[k] = physics.Peer{Rank: uint64(i + 1), State: said, Heard: at}
			m.heard = peers
			return
		}
	}
	m.from = append(m.from, i)
	m.heard = append(peers, physics.Peer{Rank: uint64(i + 1), State: said, Heard: at})
}

// united is a law under which evidence counts wherever it was seen, without the
// caps that protect a node from others.
func united(t testing.TB) *Law {
	t.Helper()
	c := DefaultConfig()
	c.PeerCalls, c.FailureCalls, c.WordMost = 1e9, 1e9, 0
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A fleet whose nodes each see a part of the calls holds, once they have told
// each other, what one node holds that sees them all: the same evidence, the same
// demand curve and the same R, however the calls were split, and whatever was
// told twice, late or in the wrong order before.
func TestFleetIsOneNode(t *testing.T) {
	const nodes = 3
	apart := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 101))
		law := united(t)
		one := newMember(law)
		var all [nodes]*member
		for i := range all {
			all[i] = newMember(law)
		}
		voltages := []float64{20, 50, 100, 3, 700}[:2+rng.IntN(4)]
		fails, rate := rng.Float64(), 50+rng.Float64()*3000
		weights := [nodes]float64{rng.Float64(), rng.Float64(), rng.Float64()}
		now := int64(time.Hour)
		for range 60 + rng.IntN(60) {
			now += refreshEvery
			if rng.IntN(10) == 0 {
				fails = rng.Float64()
			}
			var of [nodes][]physics.Sample
			for range int(rate * 0.05 * (0.5 + rng.Float64())) {
				u, i := rng.Float64()*(weights[0]+weights[1]+weights[2]), 0
				for u -= weights[i]; u > 0 && i < nodes-1; u -= weights[i] {
					i++
				}
				q := physics.Query{Voltage: voltages[rng.IntN(len(voltages))], Now: now, U: rng.Float64()}
				s := physics.Sample{Time: now, Latency: 5, Inflight: 1, Voltage: q.Voltage, Epoch: 99}
				if rng.Float64() < fails {
					s.Outcome, s.ErrorRate = physics.Error, 1
				}
				of[i] = append(of[i], s)
				one.state.Note(q, true, true)
				all[i].state.Note(q, true, true)
			}
			var every []physics.Sample
			for i := range all {
				every = append(every, of[i]...)
			}
			play := func(m *member, rank uint64, samples []physics.Sample) {
				for len(samples) > physics.MaxBatch {
					m.advance(now, rank, samples[:physics.MaxBatch]...)
					samples = samples[physics.MaxBatch:]
				}
				m.advance(now, rank, samples...)
			}
			play(one, 9, every)
			for i := range all {
				play(all[i], uint64(i+1), of[i])
			}
			// Gossip: some of it is lost, some comes twice, clocks differ.
			for i := range all {
				for j := range all {
					if i != j && rng.IntN(3) > 0 {
						for range 1 + rng.IntN(2) {
							all[j].hear(i, all[i].tell(t, now+int64(i)*1e13, now), now)
						}
					}
				}
			}
		}
		// Everything has been told.
		now += refreshEvery
		one.advance(now, 9)
		for i := range all {
			all[i].advance(now, uint64(i+1))
		}
		for i := range all {
			for j := range all {
				if i != j {
					told := now + rng.Int64N(refreshEvery)
					all[j].hear(i, all[i].tell(t, told, told), told)
				}
			}
		}
		for i := range all {
			all[i].advance(now, uint64(i+1))
		}
		now += refreshEvery // one more, so that the demand curves are made
		one.advance(now, 9)
		for i := range all {
			all[i].advance(now, uint64(i+1))
		}
		for i, m := range all {
			if err := sameEvidence(m.state, one.state); err != "" {
				t.Fatalf("seed %d, node %d: %s", seed, i, err)
			}
			if !m.state.fleet.pooled && m.state.fleet.remote.all > 0 {
				apart++
				continue // its own calls fail more than chance explains: they decide
			}
			for _, v := range voltages {
				for range 20 {
					q := physics.Query{Voltage: v, Now: now + rng.Int64N(1e9), U: rng.Float64()}
					got, want := physics.Judge(m.state, q), physics.Judge(one.state, q)
					// The draw stands within 1e-9 of an edge in none of these.
					if got.Resistance != want.Resistance || got.Allow != want.Allow {
						t.Fatalf("seed %d, node %d, %+v: R %v, one node: %v", seed, i, q, got.Resistance, want.Resistance)
					}
				}
			}
		}
	}
	if apart > 5 {
		t.Errorf("%d of 180 nodes decide alone, though all had the same calls", apart)
	}
}

// sameEvidence says in what the sums of a fleet's node differ from those of one
// node that saw all.
func sameEvidence(s, one *State) string {
	all, good := s.failures.all+s.fleet.remote.all, s.failures.good+s.fleet.remote.good
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(b), 1) }
	if !near(all, one.failures.all) || !near(good, one.failures.good) {
		return fmt.Sprintf("A %v, G %v; one node: %v, %v", all, good, one.failures.all, one.failures.good)
	}
	if len(s.price.entry) != len(one.price.entry) {
		return fmt.Sprintf("%d bands, one node: %d", len(s.price.entry), len(one.price.entry))
	}
	for i, e := range s.price.entry {
		o := one.price.entry[i]
		if e.band != o.band || !near(e.heat, o.heat) || !near(e.above, o.above) {
			return fmt.Sprintf("band %+v, one node: %+v", e, o)
		}
	}
	return ""
}

// What another node saw fail counts for so many calls and no more: a node that
// has none of its own sheds four fifths on its word, and fourteen own successes
// outweigh it. With gamma 0 it says nothing.
func TestPeerEvidenceIsCapped(t *testing.T) {
	now := int64(time.Hour)
	for _, gamma := range []float64{1, 0.5, 0} {
		c := DefaultConfig()
		c.Gamma = gamma
		l, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		said := l.NewState().(*State)
		said.refreshed, said.failures = now, failures{all: 200}
		m := newMember(l)
		m.hear(1, said, now)
		m.advance(now, 2)
		counts := gamma * c.PeerCalls
		if got, want := m.state.scar(now), counts/(counts+c.Evidence); math.Abs(got-want) > 1e-9 {
			t.Errorf("gamma %v: r %v on the word of a peer, want %v", gamma, got, want)
		}
		for i := range 14 {
			if r := m.state.scar(now); r == 0 && i < int(counts/1.5)-1 {
				t.Errorf("gamma %v: %d successes outweigh it", gamma, i)
			}
			m.advance(now, 2, physics.Sample{Time: now, Latency: 10, Inflight: 1, Voltage: 100})
		}
		if r := m.state.scar(now); r != 0 {
			t.Errorf("gamma %v: r %v after fourteen successes", gamma, r)
		}
	}
}

// A dip is announced before it begins, and all nodes hold it over the same time,
// whatever their clocks say: not before, and not after.
func TestDipIsHeldTogether(t *testing.T) {
	l := united(t)
	lead, other := newMember(l), newMember(l)
	now, skew := int64(time.Hour), int64(1e12)
	for _, m := range []*member{lead, other} {
		m.state.probe.stage, m.state.probe.step = steady, idle
		m.state.supply.limit, m.state.supply.hold, m.state.supply.known, m.state.supply.lnT = 40, 40, true, 2
	}
	step := func() {
		now += int64(time.Millisecond)
		lead.advance(now, 9)
		other.advance(now+skew, 1)
	}
	tell := func() {
		lead.hear(1, other.tell(t, now+skew, now), now)
		said := lead.tell(t, now, now+skew)
		other.hear(9, said, now+skew)
		other.heard[0].Rank = 9
	}
	step()
	tell()
	step()
	if !lead.state.leads() || other.state.leads() || other.state.fleet.live != 1 {
		t.Fatalf("%+v\n%+v", lead.state.fleet, other.state.fleet)
	}
	lead.state.dip(now, 3.5, 2, false)
	begin := now
	held := [2]int{}
	for range 1500 {
		step()
		if (now-begin)%int64(100*time.Millisecond) == 0 {
			tell()
		}
		low := [2]bool{lead.state.supply.hold < lead.state.supply.limit, other.state.supply.hold < other.state.supply.limit}
		if low[0] != low[1] {
			t.Fatalf("%v after the announcement one node holds the dip and one does not: %v", time.Duration(now-begin), low)
		}
		if low[0] && now-begin < int64(100*time.Millisecond) {
			t.Fatalf("the dip begins %v after it was decided: not all can have heard of it", time.Duration(now-begin))
		}
		for i := range low {
			if low[i] {
				held[i]++
			}
		}
	}
	if held[0] < 20 || held[0] > 1000 {
		t.Errorf("the dip was held for %d ms", held[0])
	}
}

// Whatever a node says, it is refused, or it leaves whoever hears it able to
// decide: no number goes out of bounds, and own calls that succeed are admitted
// in the end.
func FuzzParseShare(f *testing.F) {
	for seed := range uint64(4) {
		s, now := lived(seed, DefaultConfig())
		f.Add(s.AppendState(nil, now), s.AppendShare(nil, now), int64(now))
	}
	f.Fuzz(func(t *testing.T, state, share []byte, at int64) {
		if at < 0 || at > 1<<60 {
			return
		}
		l := united(t)
		said := l.NewState().(*State)
		if said.ParseState(state, at) != nil || said.ParseShare(share, at) != nil {
			return
		}
		if again := said.AppendShare(nil, at); l.NewState().(*State).ParseShare(again, at) != nil {
			t.Fatalf("what was read, %x, is not read when it is written again, %x", share, again)
		}
		m := newMember(l)
		now := at
		for i := range 5 {
			if i < 3 {
				m.hear(1, said, now)
			}
			m.advance(now, uint64(2*i), physics.Sample{Time: now, Latency: 10, Inflight: 1, Voltage: 100})
			now += refreshEvery + 1
			for _, u := range []float64{0, 0.3, 0.999} {
				q := physics.Query{Voltage: 100, Now: now, Inflight: 1, U: u}
				v := physics.Judge(m.state, q)
				if !(v.Resistance >= 0 && v.Resistance < 1e12) || v.Allow != m.state.Allow(q) {
					t.Fatalf("%+v for %+v", v, q)
				}
			}
		}
	})
}

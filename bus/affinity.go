package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion/internal/member"
	"github.com/atrion-io/atrion/internal/wire"
)

// Affinity gives each route one node of the fleet: the owner of the partition
// that the NATS servers map it to. Every node tells the others once a second that
// it lives, and whoever knows the same nodes knows the same owners.
//
// A node takes a partition as soon as it owns it, and leaves it a moment after it
// does not any more: when a node comes, some requests are decided by two, and the
// first answer counts. A node that leaves says so first. One that is killed is
// missed by the node after it, which asks it every quarter of a second; until then
// its routes have nobody, and whoever asks about them is told so at once (no
// responders): package client then asks any node, on atrion.any.route. One that
// hangs is missed after three seconds, whether NATS has noticed or not.
const (
	beat     = 250 * time.Millisecond
	speakFor = 4               // beats between two words of a node
	missing  = 3 * time.Second // silence after which a node is gone
	handOver = beat            // for which a partition is kept for the next owner
	pingWait = beat / 2        // within which nodes that live have answered
)

// Subjects among nodes.
const (
	nodesSubject = "atrion.gossip.node"
	pingPrefix   = "atrion.gossip.ping."
)

// nodeMessage is what nodes tell each other of nodes.
type nodeMessage struct {
	Node string `json:"node"`
	Gone bool   `json:"gone,omitempty"` // it leaves, or was missed
}

const maxNodeMessage = 512 // bytes

func decodeNode(data []byte) (m nodeMessage, err error) {
	if len(data) > maxNodeMessage {
		return m, fmt.Errorf("bus: %d bytes (allowed: %d)", len(data), maxNodeMessage)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nodeMessage{}, err
	}
	if len(m.Node) == 0 || len(m.Node) > 64 {
		return nodeMessage{}, fmt.Errorf("bus: node is %q (allowed: 1 to 64 bytes)", m.Node)
	}
	return m, nil
}

// affinity is a service's part in it.
type affinity struct {
	s    *Service
	nc   *nats.Conn // among nodes
	news chan struct{}
	subs []*nats.Subscription // among nodes

	mu    sync.Mutex
	table *member.Table

	owned [member.Partitions]partition // the loop's alone
	count sync.Mutex                   // of what Stats reads of them
}

// partition is one that this node has, or had until not long ago.
type partition struct {
	subs []*nats.Subscription // nil: it does not have it
	lost time.Time            // since when it owns it no more; zero: it does
}

// join takes part, and returns when the partitions that are this node's now are
// its.
func (s *Service) join(nc *nats.Conn) (err error) {
	a := &affinity{s: s, nc: nc, news: make(chan struct{}, 1), table: member.New(s.opts.Node)}
	for subject, handle := range map[string]nats.MsgHandler{
		nodesSubject:                  a.hear,
		pingPrefix + tag(s.opts.Node): func(m *nats.Msg) { _ = m.Respond(nil) },
	} {
		sub, err := nc.Subscribe(subject, handle)
		if err != nil {
			return fmt.Errorf("bus: subscribe to %s: %w", subject, err)
		}
		a.subs = append(a.subs, sub)
	}
	a.say(nodeMessage{Node: s.opts.Node})
	if err := nc.Flush(); err != nil {
		return fmt.Errorf("bus: join the nodes: %w", err)
	}
	time.Sleep(pingWait)
	a.settle(time.Now())
	s.affinity = a
	s.loops.Add(1)
	go a.run()
	return nil
}

// tag is a node's name as a token of a subject.
func tag(node string) string {
	h := fnv.New64a()
	h.Write([]byte(node))
	return strconv.FormatUint(h.Sum64(), 16)
}

// say tells the others. It is gossip: what is lost is said again.
func (a *affinity) say(m nodeMessage) {
	if body, err := json.Marshal(m); err == nil {
		_ = a.nc.Publish(nodesSubject, body)
	}
}

// hear takes in what a node says of a node.
func (a *affinity) hear(msg *nats.Msg) {
	m, err := decodeNode(msg.Data)
	if err != nil {
		a.s.refuse(msg.Subject, err)
		return
	}
	self := a.s.opts.Node
	a.mu.Lock()
	news := false
	switch {
	case m.Gone && m.Node == self:
		news = true // not so: say it
	case m.Gone:
		news = a.table.Gone(m.Node)
	default:
		news = a.table.Heard(m.Node, time.Now())
	}
	a.mu.Unlock()
	if news {
		select {
		case a.news <- struct{}{}:
		default:
		}
	}
}

// run keeps the partitions that are this node's until the service stops.
func (a *affinity) run() {
	defer a.s.loops.Done()
	t := time.NewTicker(beat)
	defer t.Stop()
	for n := 1; ; n++ {
		speak := n%speakFor == 0
		select {
		case <-a.s.stop:
			a.leave()
			return
		case <-a.news:
			speak = true // whoever is new must know us
		case <-t.C:
			a.watchNext()
		}
		if speak {
			a.say(nodeMessage{Node: a.s.opts.Node})
		}
		a.settle(time.Now())
	}
}

// watchNext asks the next node whether it lives. That NATS knows nobody there who
// could answer is certain, and told to all; that no answer comes is not.
func (a *affinity) watchNext() {
	a.mu.Lock()
	next := a.table.Next()
	a.mu.Unlock()
	if next == "" {
		return
	}
	if _, err := a.nc.Request(pingPrefix+tag(next), nil, pingWait); errors.Is(err, nats.ErrNoResponders) {
		a.mu.Lock()
		a.table.Gone(next)
		a.mu.Unlock()
		a.say(nodeMessage{Node: next, Gone: true})
	}
}

// settle takes the partitions that are this node's, and leaves those that were.
func (a *affinity) settle(now time.Time) {
	a.mu.Lock()
	a.table.Expire(now.Add(-missing))
	mine := a.table.Mine()
	a.mu.Unlock()
	a.count.Lock()
	defer a.count.Unlock()
	taken := false
	for i := range a.owned {
		p := &a.owned[i]
		switch {
		case mine[i] && p.subs == nil:
			p.subs, p.lost = a.take(i), time.Time{}
			taken = true
		case mine[i]:
			p.lost = time.Time{}
		case p.subs != nil && p.lost.IsZero():
			p.lost = now
		case p.subs != nil && now.Sub(p.lost) >= handOver:
			for _, sub := range p.subs {
				_ = sub.Drain() // what has arrived is worked off
			}
			p.subs = nil
		}
	}
	if taken {
		_ = a.s.telemetry.Flush()
		_ = a.s.decisions.Flush()
	}
}

// take subscribes to a partition; nil: it could not, and tries again.
func (a *affinity) take(i int) (subs []*nats.Subscription) {
	s := a.s
	observe, decide := s.observe(wire.TelemetryPrefix), s.answering(s.decide(wire.RoutePrefix))
	for _, x := range []struct {
		nc     *nats.Conn
		prefix string
		handle nats.MsgHandler
	}{
		{s.telemetry, wire.TelemetryPrefix, func(m *nats.Msg) {
			m.Subject = unmapped(m.Subject)
			observe(m)
		}},
		{s.decisions, wire.RoutePrefix, func(m *nats.Msg) { decide(message{m}) }},
	} {
		subject := fmt.Sprintf("%s.%d%s.>", PartitionPrefix, i, x.prefix[len("atrion"):])
		sub, err := x.nc.Subscribe(subject, x.handle)
		if err == nil {
			// All partitions together have a few times the bounds of one subscription.
			err = sub.SetPendingLimits(max(s.opts.PendingMessages/16, 1), max(s.opts.PendingBytes/16, 1<<16))
		}
		if err != nil {
			s.opts.Logger.Warn("partition not taken", "partition", i, "error", err)
			for _, sub := range subs {
				_ = sub.Unsubscribe()
			}
			return nil
		}
		subs = append(subs, sub)
	}
	return subs
}

// leave says that this node goes, and gives the others time to take its place.
func (a *affinity) leave() {
	for _, sub := range a.subs {
		_ = sub.Unsubscribe()
	}
	a.say(nodeMessage{Node: a.s.opts.Node, Gone: true})
	if a.nc.Flush() == nil && a.members() > 1 {
		time.Sleep(pingWait)
	}
}

func (a *affinity) members() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.table.Nodes())
}

// stats counts partitions, nodes, and messages that partitions lost because they
// were full.
func (a *affinity) stats() (partitions, nodes int, dropped uint64) {
	a.count.Lock()
	defer a.count.Unlock()
	for i := range a.owned {
		for n, sub := range a.owned[i].subs {
			if d, err := sub.Dropped(); err == nil && n == 0 {
				dropped += uint64(d)
			}
		}
		if a.owned[i].subs != nil {
			partitions++
		}
	}
	return partitions, a.members(), dropped
}

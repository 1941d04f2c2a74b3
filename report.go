package atrion

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/atrion-io/atrion/actors"
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/providers"
)

// Stats are an engine's counters since its start.
type Stats = actors.Stats

// Event is something an operator may want to know about a route: a mode
// change, lost samples, a failing actor, an eviction.
type Event = actors.Event

// EventKind says what an Event tells.
type EventKind = actors.EventKind

// The kinds of events.
const (
	EventTransition = actors.Transition // a route changed its mode
	EventDeadLetter = actors.DeadLetter // samples were lost
	EventRestart    = actors.Restart    // a route's actor panicked and was restarted
	EventFaulty     = actors.Faulty     // a route failed too often and answers by policy
	EventEvicted    = actors.Evicted    // an idle route was passivated
	EventRefused    = actors.Refused    // a new route found no room
	EventReclaimed  = actors.Reclaimed  // seats were taken back from permits never ended
	EventBanned     = actors.Banned     // a rule has banned a caller, or could not
)

// Subscription delivers events; see Engine.Events.
type Subscription = actors.Subscription

// Stats returns the engine's counters.
func (e *Engine) Stats() Stats { return e.sys.Stats() }

// Events subscribes to the engine's events. A subscriber that is slower than
// its buffer (at least 1) misses events and can read how many.
func (e *Engine) Events(buffer int) *Subscription { return e.sys.Subscribe(buffer) }

// Health is an engine's condition at one moment.
type Health struct {
	Closed   bool
	Provider *providers.Status // nil: none configured
	Degraded []string          // what does not work, in words; empty: all well
}

// Health reports the engine's condition without I/O. An engine whose provider
// is away keeps deciding from memory: it is degraded, not broken.
func (e *Engine) Health() Health {
	h := Health{Closed: e.sys.Closed()}
	if h.Closed {
		h.Degraded = append(h.Degraded, "engine closed")
	}
	if p := e.cfg.Provider; p != nil {
		st := p.Status()
		h.Provider = &st
		if !st.Ready {
			h.Degraded = append(h.Degraded, "state provider: "+st.Degraded+"; deciding from memory")
		}
	}
	return h
}

// Explanation is a decision with what an operator asks next.
type Explanation struct {
	Decision Decision
	Law      string
	Inflight int64         // calls that hold a permit
	Limit    float64       // calls at a time that the law holds the route to; 0: it knows no limit
	Peers    int           // other nodes of the fleet that are heard about the route
	Share    float64       // of the fleet's limit that is this node's; 1: it is alone, 0: unknown
	Learns   bool          // this node learns the limit for all of them
	Shed     uint64        // rejections since the route was created
	Unusual  string        // what the latency is, if it is not what it was; "": nothing to tell
	LastSeen time.Duration // since the route's last observation; < 0: never
}

// String says it in plain words and numbers.
func (x Explanation) String() string {
	seen := "No observation yet."
	if x.LastSeen >= 0 {
		seen = fmt.Sprintf("Last observation %v ago.", x.LastSeen.Round(time.Millisecond))
	}
	limit := ""
	if x.Limit > 0 {
		limit = fmt.Sprintf(" of %.0f", x.Limit)
	}
	fleet := ""
	if x.Peers > 0 {
		learner := "another node learns"
		if x.Learns {
			learner = "this node learns"
		}
		fleet = fmt.Sprintf("Fleet: %d other nodes are heard, %.2f of the route is this node's, %s for all.\n", x.Peers, x.Share, learner)
	}
	return fmt.Sprintf("%s\n%s %d%s in flight, %d shed so far, law %s.\n%s%s", x.Decision.Explain(), seen, x.Inflight, limit, x.Shed, x.Law, fleet, x.Unusual)
}

// ErrUnknownRoute: there is no route of that name.
var ErrUnknownRoute = errors.New("atrion: unknown route")

// Explain says why a request of that voltage (0: the default) would pass or
// not at this moment. A Subject among the options says who would ask. It leaves
// no trace: it neither creates the route
// (ErrUnknownRoute) nor counts as demand.
func (e *Engine) Explain(name string, voltage float64, options ...AcquireOption) (Explanation, error) {
	ask, err := e.wants(cmp.Or(voltage, e.live.Load().voltage), options)
	if err != nil {
		return Explanation{}, err
	}
	voltage = ask.voltage
	var v physics.Verdict
	var p *actors.Published
	a := e.sys.Lookup(name)
	if a != nil {
		v, p = a.Peek(voltage)
	}
	if p == nil {
		// Nobody has asked here, but others may have.
		if p = e.sys.Preview(name); p == nil {
			return Explanation{}, fmt.Errorf("%w: %q", ErrUnknownRoute, name)
		}
		a, v = nil, physics.Judge(p.State, physics.Query{Voltage: voltage, Now: e.sys.Now(), U: physics.Peek})
	}
	x := Explanation{
		Decision: decision(name, voltage, v.Ruling, v.Terms, p),
		Law:      e.sys.Law().Name(),
		LastSeen: -1,
	}
	if a != nil {
		x.Inflight, x.Shed = a.Inflight(), a.Shed()
		if e.ordered(a, &ask) {
			o := e.order(a, &ask)
			o.mark(&x.Decision)
		}
	}
	if s, ok := p.State.(physics.Limited); ok {
		_, x.Limit = s.Limit()
	}
	if s, ok := p.State.(physics.Fellow); ok {
		x.Peers, x.Share, x.Learns = s.Fleet()
		x.Limit *= x.Share
	}
	if s, ok := p.State.(physics.Watched); ok {
		if level, mean, sigma, alarm := s.Watched(); alarm {
			x.Unusual = fmt.Sprintf("Latency is %.4g ms, usually %.4g: %.1f sigma away.\n", level, mean, math.Abs(level-mean)/sigma)
		}
	}
	if p.Revision > 0 {
		x.LastSeen = time.Duration(max(e.sys.Now()-p.Seen, 0))
	}
	return x, nil
}

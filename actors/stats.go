package actors

import (
	"sync/atomic"

	"github.com/atrion-io/atrion/physics"
)

// counters are what a system counts. Actors add to them per batch, producers
// only when something is lost, so that the hot path shares no counter.
type counters struct {
	routes      atomic.Int64
	samples     atomic.Uint64
	batches     atomic.Uint64
	transitions atomic.Uint64
	mailboxFull atomic.Uint64
	afterClose  atomic.Uint64
	panics      atomic.Uint64
	lostInPanic atomic.Uint64
	evicted     atomic.Uint64
	refused     atomic.Uint64
	reclaimed   atomic.Uint64
	late        atomic.Uint64
	shadowed    atomic.Uint64
	beside      [physics.Bypassed - physics.Banned + 1]atomic.Uint64 // by reason
	saves       atomic.Uint64
	saveErrors  atomic.Uint64
	loadErrors  atomic.Uint64
	heard       atomic.Uint64
	unheard     atomic.Uint64
}

func (c *counters) count(r physics.Reason) uint64 { return c.beside[r-physics.Banned].Load() }

// Stats is a system's counters at one moment, since its start.
type Stats struct {
	Routes      int64  // routes held now
	Active      int64  // actor goroutines now
	Samples     uint64 // samples the laws have seen
	Batches     uint64 // batches they came in
	Transitions uint64 // mode changes
	MailboxFull uint64 // samples dropped because a mailbox was full
	AfterClose  uint64 // samples refused because the system was closed
	Panics      uint64 // batches a law panicked on
	LostInPanic uint64 // samples in those batches
	Evicted     uint64 // routes passivated
	Refused     uint64 // new routes refused for want of room
	Reclaimed   uint64 // seats taken back from permits that were never ended
	Late        uint64 // permits ended after that; what they report does not count
	Banned      uint64 // requests rejected by a ban
	Overridden  uint64 // requests decided by an override, open or closed
	Disabled    uint64 // requests that passed on disabled routes
	Bypassed    uint64 // requests that asked to be let through
	Shadowed    uint64 // requests that passed only because their route is in shadow
	Saves       uint64 // states written to the provider
	SaveErrors  uint64 // writes that failed
	LoadErrors  uint64 // stored states that could not be read
	Heard       uint64 // states of other nodes' routes taken in
	Unheard     uint64 // those that were not: old, double, damaged, or of one node too many
	SaveQueue   int    // states waiting to be written
}

// Stats returns the counters. Each is exact; together they are not one moment.
func (s *System) Stats() Stats {
	c := &s.counters
	return Stats{
		Routes: c.routes.Load(), Active: s.active.Load(),
		Samples: c.samples.Load(), Batches: c.batches.Load(), Transitions: c.transitions.Load(),
		MailboxFull: c.mailboxFull.Load(), AfterClose: c.afterClose.Load(),
		Panics: c.panics.Load(), LostInPanic: c.lostInPanic.Load(),
		Evicted: c.evicted.Load(), Refused: c.refused.Load(),
		Reclaimed: c.reclaimed.Load(), Late: c.late.Load(), Shadowed: c.shadowed.Load(),
		Banned: c.count(physics.Banned), Overridden: c.count(physics.Overridden),
		Disabled: c.count(physics.Disabled), Bypassed: c.count(physics.Bypassed),
		Saves: c.saves.Load(), SaveErrors: c.saveErrors.Load(), LoadErrors: c.loadErrors.Load(),
		Heard: c.heard.Load(), Unheard: c.unheard.Load(),
		SaveQueue: s.saver.pending(),
	}
}

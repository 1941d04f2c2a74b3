package actors

import "time"

// Scheduler is a Clock that also runs what goes on in its time: actors are then
// its coroutines instead of goroutines, and sleep on it. With it a simulation
// drives the engine through hours of virtual time, one thing after the other,
// and gets the same history every time. It belongs to one goroutine, and so
// does an engine that runs on it.
type Scheduler interface {
	Clock
	// Go runs f as a coroutine, soon.
	Go(f func())
	// Sleep parks the calling coroutine for d, or until Wake of the same
	// channel, which is only its name.
	Sleep(d time.Duration, wake chan struct{})
	Wake(wake chan struct{})
	// Settle runs what can run without time going by.
	Settle()
}

// spawn starts the actor of r.
func (s *System) spawn(r *Route, backOff bool) {
	if s.sched != nil {
		s.sched.Go(func() { r.run(backOff) })
		return
	}
	go r.run(backOff)
}

// rouse ends the sleep of the actor that sleeps on wake, nobody if it is nil.
func (s *System) rouse(wake chan struct{}) {
	if s.sched != nil && wake != nil {
		s.sched.Wake(wake)
		return
	}
	signal(wake)
}

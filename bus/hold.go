package bus

import "time"

// began is the origin of the times that holds live by.
var began = time.Now()

func sinceStart() int64 { return int64(time.Since(began)) }

// expireHolds returns the seats of holders that were never heard of again.
func (s *Service) expireHolds() {
	defer s.loops.Done()
	t := time.NewTicker(max(s.opts.HoldTTL/8, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.counters.holdsExpired.Add(uint64(s.holds.Expire(sinceStart())))
		case <-s.stop:
			return
		}
	}
}

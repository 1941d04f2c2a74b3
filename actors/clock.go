package actors

import (
	"sync"
	"sync/atomic"
	"time"
)

// Clock tells instants in nanoseconds. Only differences matter. It must be
// safe for concurrent use.
type Clock interface {
	Now() int64
}

// start is the origin of monotonic. An hour is added so that instants before
// the start of the process (ages of restored states) stay positive.
var start = time.Now().Add(-time.Hour)

type monotonic struct{}

func (monotonic) Now() int64 { return int64(time.Since(start)) }

// Monotonic is the machine's monotonic clock. It does not step when the wall
// clock is set.
var Monotonic Clock = monotonic{}

// coarse is a clock for readers that can live with an instant one tick old:
// reading it is an atomic load instead of the 25 ns of the real clock. A scar
// decayed with it is overstated by at most decay*tick, the safe side.
//
// The goroutine that advances it stops when nobody has read for a while, so
// that an idle engine sleeps; the next reader starts it again.
type coarse struct {
	clock Clock
	now   atomic.Int64 // 0: not ticking, ask clock
	read  atomic.Bool  // somebody read since the last tick

	mu   sync.Mutex    // guards what follows; never held on the ticking path
	stop chan struct{} // closed by close
	done chan struct{} // closed when the running ticker has left; nil: none yet
}

const (
	coarseTick  = time.Millisecond
	coarseQuiet = 256 // ticks without a reader before the ticker stops
)

func newCoarse(c Clock) *coarse {
	return &coarse{clock: c, stop: make(chan struct{})}
}

// Now returns the time of the last tick.
func (c *coarse) Now() int64 {
	if now := c.now.Load(); now != 0 {
		if !c.read.Load() {
			c.read.Store(true)
		}
		return now
	}
	return c.wake()
}

// wake starts the ticker unless someone else is about to, and answers from the
// real clock meanwhile.
func (c *coarse) wake() int64 {
	now := c.clock.Now()
	if !c.mu.TryLock() {
		return now
	}
	defer c.mu.Unlock()
	if closed(c.stop) || c.done != nil && !closed(c.done) {
		return now
	}
	c.read.Store(true)
	c.now.Store(now)
	c.done = make(chan struct{})
	go c.run(c.done)
	return now
}

func (c *coarse) run(done chan struct{}) {
	defer close(done)
	defer c.now.Store(0)
	t := time.NewTicker(coarseTick)
	defer t.Stop()
	for quiet := 0; quiet < coarseQuiet; quiet++ {
		select {
		case <-t.C:
		case <-c.stop:
			return
		}
		c.now.Store(c.clock.Now())
		if c.read.Swap(false) {
			quiet = 0
		}
	}
}

// close stops the ticker for good and waits for it.
func (c *coarse) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !closed(c.stop) {
		close(c.stop)
	}
	if c.done != nil {
		<-c.done
	}
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

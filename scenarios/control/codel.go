package control

import "github.com/atrion-io/atrion/internal/sim"

// codel is CoDel with adaptive LIFO as Facebook ran it in its servers: Maurer,
// Fail at Scale, ACM Queue 13(8), 2015. Everything is admitted; the queue
// decides. While it has been empty within the last 100 ms, an attempt may wait
// for 100 ms, and the oldest is served first. If it has not, there is a
// standing queue: new attempts may wait for 5 ms, and the newest is served
// first.
//
// It is privileged: it is the queue.
type codel struct{ none }

func newCodel(*sim.Env) sim.Controller { return codel{} }

func (codel) Queue(int) sim.Discipline { return new(codelQueue) }

type codelQueue struct {
	empty int64 // the last instant at which nothing waited
}

const (
	codelTarget   = int64(5e6)
	codelInterval = int64(100e6)
)

func (q *codelQueue) Enqueue(now int64, waiting int) int64 {
	if waiting == 0 {
		q.empty = now
	}
	if q.standing(now) {
		return codelTarget
	}
	return codelInterval
}

func (q *codelQueue) Dequeue(now int64, waiting int) bool {
	standing := q.standing(now)
	if waiting == 1 {
		q.empty = now // that was the last
	}
	return standing
}

func (q *codelQueue) standing(now int64) bool { return now-q.empty > codelInterval }

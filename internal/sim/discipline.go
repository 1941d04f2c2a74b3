package sim

// Queuer is a controller that also rules the backend's queues, as only one that
// is part of the backend can.
type Queuer interface {
	// Queue returns the discipline of a replica's queue.
	Queue(replica int) Discipline
}

// Discipline decides in which order attempts leave a queue, and how long they
// stay. Without one they leave in the order of their arrival and stay until
// they are served.
type Discipline interface {
	// Enqueue is called when an attempt must wait behind the given number of
	// others. After patience (ns) in the queue it is dropped; 0: never.
	Enqueue(now int64, waiting int) (patience int64)
	// Dequeue is called when a server is free and so many attempts wait. It
	// chooses the newest of them, or the oldest.
	Dequeue(now int64, waiting int) (newest bool)
}

// place is an attempt in a queue. The generation tells whether the attempt is
// still the one that was put there.
type place struct {
	i   int32
	gen uint32
}

// queue is a double-ended queue in a ring whose size is a power of two.
type queue struct {
	ring       []place
	head, size int
}

func (q *queue) push(p place) {
	if q.size == len(q.ring) {
		grown := make([]place, max(16, 2*len(q.ring)))
		n := copy(grown, q.ring[q.head:])
		copy(grown[n:], q.ring[:q.head])
		q.ring, q.head = grown, 0
	}
	q.ring[(q.head+q.size)&(len(q.ring)-1)] = p
	q.size++
}

func (q *queue) oldest() place { return q.ring[q.head] }

func (q *queue) popOldest() place {
	p := q.ring[q.head]
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.size--
	return p
}

func (q *queue) popNewest() place {
	q.size--
	return q.ring[(q.head+q.size)&(len(q.ring)-1)]
}

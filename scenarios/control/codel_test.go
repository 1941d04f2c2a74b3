package control

import "testing"

func TestCodelQueue(t *testing.T) {
	const ms = int64(1e6)
	q := new(codelQueue)
	now := int64(3600e9)
	if got := q.Enqueue(now, 0); got != 100*ms {
		t.Errorf("patience %d on an empty queue, want 100 ms", got)
	}
	if q.Dequeue(now+50*ms, 5) {
		t.Error("newest first after 50 ms, want the oldest")
	}
	if got := q.Enqueue(now+101*ms, 5); got != 5*ms {
		t.Errorf("patience %d in a standing queue, want 5 ms", got)
	}
	if !q.Dequeue(now+101*ms, 6) {
		t.Error("oldest first in a standing queue, want the newest")
	}
	q.Dequeue(now+102*ms, 1) // empty now
	if got := q.Enqueue(now+110*ms, 3); got != 100*ms {
		t.Errorf("patience %d shortly after the queue was empty, want 100 ms", got)
	}
}

// Package member knows which nodes of a fleet live, and which of them owns a
// partition of its routes. Whoever knows the same nodes knows the same owners.
package member

import (
	"maps"
	"slices"
	"time"
)

// Partitions is how many parts the routes of a fleet are divided into.
const Partitions = 64

// Most is the most nodes of a fleet, this one included. Of more, those whose
// names come first count.
const Most = 256

// Table is who lives, as one node knows. It is not safe for concurrent use, and
// gets the time as an argument.
type Table struct {
	self  string
	heard map[string]time.Time
}

// New returns the table of the node of that name, alone.
func New(self string) *Table { return &Table{self: self, heard: map[string]time.Time{}} }

// Heard notes that a node lives, and reports whether that is news.
func (t *Table) Heard(node string, now time.Time) bool {
	if node == t.self {
		return false
	}
	_, known := t.heard[node]
	if !known && len(t.heard) >= Most-1 {
		last := slices.Max(slices.Collect(maps.Keys(t.heard)))
		if node > last {
			return false
		}
		delete(t.heard, last)
	}
	t.heard[node] = now
	return !known
}

// Gone notes that a node is no more, and reports whether that is news.
func (t *Table) Gone(node string) bool {
	_, known := t.heard[node]
	delete(t.heard, node)
	return known
}

// Expire forgets those that were not heard since, and returns them.
func (t *Table) Expire(since time.Time) (gone []string) {
	for node, at := range t.heard {
		if at.Before(since) {
			gone = append(gone, node)
			delete(t.heard, node)
		}
	}
	return gone
}

// Nodes are those that live, in order.
func (t *Table) Nodes() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for node := range t.heard {
			if !yield(node) {
				return
			}
		}
		yield(t.self)
	})
}

// Next is the node after this one in their order, whose health is this one's to
// watch; "" if there is no other.
func (t *Table) Next() string {
	nodes := t.Nodes()
	next := nodes[(slices.Index(nodes, t.self)+1)%len(nodes)]
	if next == t.self {
		return ""
	}
	return next
}

// Mine are the partitions that this node owns: by rendezvous, the node of the
// highest weight for a partition owns it. When a node comes or goes, only the
// partitions it takes or leaves change hands.
func (t *Table) Mine() (mine [Partitions]bool) {
	for p := range mine {
		own := weight(t.self, p)
		mine[p] = true
		for node := range t.heard {
			if w := weight(node, p); w > own || w == own && node > t.self {
				mine[p] = false
				break
			}
		}
	}
	return mine
}

// weight is a hash of node and partition: FNV-1a, and the finalizer of
// SplitMix64, without which the last byte would hardly move the high bits.
func weight(node string, partition int) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(node) {
		h = (h ^ uint64(node[i])) * 1099511628211
	}
	h += uint64(partition+1) * 0x9E3779B97F4A7C15
	h = (h ^ h>>30) * 0xBF58476D1CE4E5B9
	h = (h ^ h>>27) * 0x94D049BB133111EB
	return h ^ h>>31
}

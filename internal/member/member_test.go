package member

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

var t0 = time.Unix(1000, 0)

// fleet are the tables of n nodes that know each other.
func fleet(names ...string) map[string]*Table {
	tables := map[string]*Table{}
	for _, self := range names {
		t := New(self)
		for _, other := range names {
			t.Heard(other, t0)
		}
		tables[self] = t
	}
	return tables
}

// owners is who owns each partition; it fails if that is not exactly one node.
func owners(t *testing.T, tables map[string]*Table) (who [Partitions]string) {
	t.Helper()
	for name, table := range tables {
		for p, mine := range table.Mine() {
			if mine && who[p] != "" {
				t.Fatalf("partition %d is %s's and %s's", p, who[p], name)
			}
			if mine {
				who[p] = name
			}
		}
	}
	if slices.Contains(who[:], "") {
		t.Fatalf("a partition is nobody's: %v", who)
	}
	return who
}

func names(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("node-", i))
	}
	return names
}

// Every partition has one owner, of whatever fleet; shares are alike; and only
// those partitions move that a node takes or leaves.
func TestOwners(t *testing.T) {
	for n := 1; n <= 20; n++ {
		before := owners(t, fleet(names(n)...))
		after := owners(t, fleet(names(n+1)...))
		count := map[string]int{}
		for p, who := range after {
			count[who]++
			if who != before[p] && who != names(n + 1)[n] {
				t.Errorf("partition %d went from %s to %s when another node came", p, before[p], who)
			}
		}
		if most := slices.Max(slices.Collect(func(yield func(int) bool) {
			for _, c := range count {
				if !yield(c) {
					return
				}
			}
		})); n < 8 && most > 3*Partitions/(n+1) {
			t.Errorf("%d nodes: one has %d of %d partitions", n+1, most, Partitions)
		}
	}
}

// Nodes are gone when they were not heard for a time, or when somebody says so.
func TestTable(t *testing.T) {
	m := New("b")
	if m.Next() != "" || m.Heard("b", t0) || len(m.Nodes()) != 1 {
		t.Errorf("alone: %v, next %q", m.Nodes(), m.Next())
	}
	if !m.Heard("a", t0) || m.Heard("a", t0.Add(time.Second)) || !m.Heard("c", t0) {
		t.Error("what is news is not")
	}
	if m.Next() != "c" || !slices.Equal(m.Nodes(), []string{"a", "b", "c"}) {
		t.Errorf("next %q of %v", m.Next(), m.Nodes())
	}
	if gone := m.Expire(t0.Add(time.Second)); !slices.Equal(gone, []string{"c"}) || m.Next() != "a" {
		t.Errorf("gone %v, next %q", gone, m.Next())
	}
	if !m.Gone("a") || m.Gone("a") || m.Next() != "" {
		t.Error("a is not gone")
	}
}

// Of more nodes than a fleet can have all count the same ones.
func TestMost(t *testing.T) {
	m, back := New("m"), New("m")
	for i := range 2 * Most {
		m.Heard(fmt.Sprintf("n%04d", i), t0)
		back.Heard(fmt.Sprintf("n%04d", 2*Most-1-i), t0)
	}
	if len(m.Nodes()) != Most || !slices.Equal(m.Nodes(), back.Nodes()) {
		t.Errorf("%d and %d nodes", len(m.Nodes()), len(back.Nodes()))
	}
	if m.Nodes()[Most-1] != fmt.Sprintf("n%04d", Most-2) {
		t.Errorf("the last of them is %s", m.Nodes()[Most-1])
	}
}

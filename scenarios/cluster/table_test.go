//go:build linux

package cluster

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// row is what a fault cost.
type row struct {
	fault         string
	asked, lost   int64
	retried       int64
	slowest       time.Duration
	reopened      int
	during, after time.Duration // until the rest, and then all, had converged
}

// results collects the rows of this run.
type results struct {
	mu   sync.Mutex
	rows []string
}

var table results

const rowMark = "ROW " // before a row that another process made

func (r *results) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, line)
	if os.Getenv(inNamespace) != "" {
		fmt.Println(rowMark + line)
	}
}

func (r row) String() string {
	took := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d ms | %d | %s | %s |", r.fault, r.asked, r.lost, r.retried, r.slowest.Milliseconds(), r.reopened, took(r.during), took(r.after))
}

func (r *results) print() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rows) == 0 || os.Getenv(inNamespace) != "" {
		return
	}
	fmt.Println()
	fmt.Println("| fault | decisions | lost | asked again | slowest | wrong re-openings | the rest converged | all converged |")
	fmt.Println("|" + strings.Repeat("---|", 8))
	for _, line := range r.rows {
		fmt.Println(line)
	}
}

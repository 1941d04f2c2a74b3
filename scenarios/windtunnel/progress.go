package windtunnel

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Bar shows progress on a terminal, in one line that it removes at the end.
type Bar struct {
	W   io.Writer
	Now func() time.Time

	mu          sync.Mutex
	begun, last time.Time
	over        bool
}

const (
	barWidth = 40
	redraw   = 100 * time.Millisecond
)

// Show draws the bar for the share of the work that is done.
func (b *Bar) Show(done float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.Now()
	if b.begun.IsZero() {
		b.begun = now
	}
	if b.over || now.Sub(b.last) < redraw {
		return
	}
	b.last = now
	done = min(max(done, 0), 1)
	full := int(done * barWidth)
	fmt.Fprintf(b.W, "\r\x1b[K[%s%s] %3.0f %%%s", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), done*100, left(now.Sub(b.begun), done))
}

// left returns about how long the rest takes, once that can be told.
func left(spent time.Duration, done float64) string {
	if spent < 2*time.Second || done < .01 {
		return ""
	}
	rest := time.Duration(float64(spent) * (1 - done) / done).Round(time.Second)
	return fmt.Sprintf(", %v left", rest)
}

// Close removes the bar.
func (b *Bar) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over && !b.last.IsZero() {
		fmt.Fprint(b.W, "\r\x1b[K")
	}
	b.over = true
}

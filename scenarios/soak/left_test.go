package soak

import (
	"os"
	"runtime"
	"time"
)

// settled is how many goroutines there are once those that end have ended.
func settled() int {
	for n, same := runtime.NumGoroutine(), 0; ; {
		time.Sleep(50 * time.Millisecond)
		if now := runtime.NumGoroutine(); now == n {
			if same++; same == 6 {
				return n
			}
		} else {
			n, same = now, 0
		}
	}
}

// until waits, ten seconds at most, for no more goroutines than that.
func until(most int) int {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if n := runtime.NumGoroutine(); n <= most || time.Now().After(deadline) {
			return n
		}
	}
}

// openFiles is how many this process has; 0 where that cannot be told.
func openFiles() int {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(open)
}

//go:build race

package classic

// raceEnabled: the race detector makes pools forget on purpose, and so the
// kernels allocate.
const raceEnabled = true

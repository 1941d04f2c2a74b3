package vec

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
)

// Level names a way to run the kernels. A higher level needs more of the CPU;
// all levels give the same bits.
type Level uint8

const (
	// Portable is pure Go. It runs everywhere.
	Portable Level = iota
	// AVX2 needs amd64 with AVX2 and FMA3.
	AVX2
	// AVX512 needs amd64 with AVX-512 F, DQ, VL and VBMI2. The kernels use no
	// VBMI2 instruction: it stands for the generations of Intel CPUs that no
	// longer slow down when 512-bit registers are in use.
	AVX512

	levels
)

// EnvVar is the environment variable read when the program starts. It lowers
// the level: "portable", "avx2" or "avx512".
const EnvVar = "ATRION_VEC"

var levelNames = [levels]string{"portable", "avx2", "avx512"}

// String returns "portable", "avx2" or "avx512".
func (l Level) String() string {
	if l < levels {
		return levelNames[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

var (
	best   = detect()
	active atomic.Uint32 // a Level; a load costs no more than of a plain word
	envErr error         // written by init only
)

func init() {
	l, err := choose(os.Getenv(EnvVar), best)
	envErr = err
	active.Store(uint32(l))
}

// choose returns the level the text asks for. Text it cannot follow gives the
// best level: a typing error must not slow a node down, only be reported.
func choose(text string, best Level) (Level, error) {
	if text == "" {
		return best, nil
	}
	for i, name := range levelNames {
		if text == name {
			if l := Level(i); l <= best {
				return l, nil
			}
			return best, fmt.Errorf("vec: %s=%s: not supported here (supported: %s); using %s",
				EnvVar, text, upTo(best), best)
		}
	}
	return best, fmt.Errorf("vec: %s=%q: unknown level (supported: %s); using %s",
		EnvVar, text, upTo(best), best)
}

func upTo(best Level) string { return strings.Join(levelNames[:best+1], ", ") }

// EnvError says why ATRION_VEC was not followed, or returns nil if it was
// followed or not set. Safe for concurrent use.
func EnvError() error { return envErr }

// Active returns the level in use. Safe for concurrent use.
func Active() Level { return Level(active.Load()) }

// Supported returns the levels this machine and build can run, lowest first.
// The slice is the caller's. Safe for concurrent use.
func Supported() []Level {
	s := make([]Level, 0, levels)
	for l := Portable; l <= best; l++ {
		s = append(s, l)
	}
	return s
}

// SetLevel selects the level of all later calls in this process; calls under
// way finish at theirs. It is meant for start-up and tests. Safe for
// concurrent use, and harmless to results, which are the same at every level.
func SetLevel(l Level) error {
	if err := permit(l, best); err != nil {
		return err
	}
	active.Store(uint32(l))
	return nil
}

func permit(l, best Level) error {
	if l > best {
		return fmt.Errorf("vec: level %s is not supported here (supported: %s)", l, upTo(best))
	}
	return nil
}

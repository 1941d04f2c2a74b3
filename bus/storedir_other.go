//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package bus

import (
	"errors"
	"os"
)

var errLocked = errors.New("locked")

// lockExclusive does nothing here: this system has no lock that goes away with
// its process by itself. Keeping two servers off one directory is up to the
// operator.
func lockExclusive(*os.File) error { return nil }

package bus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Files of ours in a store directory.
const (
	lockFile = "atrion.lock" // locked while in use; holds the user's process id
	modeFile = "atrion.mode" // the mode, as one word
)

// storeDir is a store directory that this process has for itself. JetStream
// has no lock of its own: two servers on one directory both run, and the one
// that stops last silently undoes what the other has acknowledged.
type storeDir struct {
	path string
	lock *os.File // nil where temp
	temp bool     // remove it in the end

	once     sync.Once
	closeErr error
}

// openStore makes and locks the directory at path for a server of mode want.
func openStore(path string, want Mode) (_ *storeDir, err error) {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, fmt.Errorf("bus: store directory %s cannot be made: choose another with --store-dir: %w", path, err)
	}
	f, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("bus: store directory %s is not writable: change its permissions, or choose another with --store-dir: %w", path, err)
	}
	d := &storeDir{path: path, lock: f}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	switch err := lockExclusive(f); {
	case errors.Is(err, errLocked):
		return nil, fmt.Errorf("bus: store directory %s is in use by another process (pid %s): stop it, or choose another directory with --store-dir", path, holder(f))
	case err != nil:
		return nil, fmt.Errorf("bus: store directory %s cannot be locked: choose one on a local disk with --store-dir: %w", path, err)
	}
	if err := f.Truncate(0); err != nil {
		return nil, fmt.Errorf("bus: store directory %s is not writable: %w", path, err)
	}
	if _, err := f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0); err != nil {
		return nil, fmt.Errorf("bus: store directory %s is not writable: free some space, or choose another with --store-dir: %w", path, err)
	}
	if err := d.claim(want); err != nil {
		return nil, err
	}
	return d, nil
}

// claim checks the directory's mode, or sets it where it has none.
func (d *storeDir) claim(want Mode) error {
	name := filepath.Join(d.path, modeFile)
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(d.path, "jetstream")); err == nil {
			return fmt.Errorf("bus: store directory %s holds data of a server that is not ours: choose another with --store-dir, or, if it was a %s server, write %q into %s", d.path, want, want, name)
		}
		if err := os.WriteFile(name, []byte(string(want)+"\n"), 0o640); err != nil {
			return fmt.Errorf("bus: store directory %s is not writable: %w", d.path, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("bus: store directory %s: %w", d.path, err)
	}
	switch was := Mode(strings.TrimSpace(string(b))); was {
	case want:
		return nil
	case Standalone, Leaf, Clustered:
		return fmt.Errorf("bus: store directory %s was written in mode %s, which a server in mode %s would destroy: choose another with --store-dir, or run in mode %s", d.path, was, want, was)
	default:
		return fmt.Errorf("bus: store directory %s has mode %.40q in %s: allowed: %s, %s, %s", d.path, was, name, Standalone, Leaf, Clustered)
	}
}

// holder is the process id in the lock file, if it has one.
func holder(f *os.File) string {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	if pid := strings.TrimSpace(string(b[:n])); pid != "" {
		return pid
	}
	return "unknown"
}

// close unlocks the directory. The lock file stays: removing it would let two
// processes lock two files of the same name.
func (d *storeDir) close() error {
	d.once.Do(func() {
		if d.temp {
			d.closeErr = os.RemoveAll(d.path)
			return
		}
		d.lock.Truncate(0)
		d.closeErr = d.lock.Close()
	})
	return d.closeErr
}

package node

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/atrion-io/atrion/vec"
)

// version returns the module version and the revision it was built from.
func version() (semver, revision string) {
	semver, revision = "0.0.0-dev", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return semver, revision
	}
	if v := info.Main.Version; len(v) > 1 && v[0] == 'v' {
		semver = v[1:]
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			revision = s.Value[:12]
		}
	}
	return semver, revision
}

func versionCommand(_ context.Context, io stdio, args []string) error {
	if _, err := parseFlags(flagSet(io, "version", ""), args, 0); err != nil {
		return err
	}
	semver, revision := version()
	_, err := fmt.Fprintf(io.out, "atrion-node %s (revision %s, %s %s/%s, vec %v of %v)\n",
		semver, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH, vec.Active(), vec.Supported())
	return err
}

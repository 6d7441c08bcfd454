package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"tocsin/processor/app"
)

// version is set by the linker in releases.
var version = "dev"

type versionCommand struct{}

// Run prints what this program was built from, and which formats of the state it reads and, if not told otherwise,
// writes.
func (versionCommand) Run(env *environment) error {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	oldest, newest, written := app.StateFormats()
	return env.fields("version", version, "revision", revision, "go", runtime.Version(),
		"platform", runtime.GOOS+"/"+runtime.GOARCH,
		"reads_formats", fmt.Sprintf("%d to %d", oldest, newest), "writes_format", written)
}

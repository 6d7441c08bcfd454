package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"tocsin/processor/app"
)

// version and revision are set by the linker in releases and images. Without, the revision is the one that Go notes
// when it builds in a checkout.
var version, revision = "dev", ""

type versionCommand struct{}

// Run prints what this program was built from, and which formats of the state it reads and, if not told otherwise,
// writes.
func (versionCommand) Run(env *environment) error {
	from := revision
	if info, ok := debug.ReadBuildInfo(); ok && from == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				from = s.Value
			}
		}
	}
	oldest, newest, written := app.StateFormats()
	return env.fields("version", version, "revision", from, "go", runtime.Version(),
		"platform", runtime.GOOS+"/"+runtime.GOARCH,
		"reads_formats", fmt.Sprintf("%d to %d", oldest, newest), "writes_format", written)
}

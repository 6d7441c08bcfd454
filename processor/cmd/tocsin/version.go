package main

import (
	"runtime"
	"runtime/debug"
)

// version is set by the linker in releases.
var version = "dev"

type versionCommand struct{}

// Run prints what this program was built from.
func (versionCommand) Run(env *environment) error {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return env.fields("version", version, "revision", revision, "go", runtime.Version(),
		"platform", runtime.GOOS+"/"+runtime.GOARCH)
}

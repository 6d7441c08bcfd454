package app

import (
	"io"
	"log/slog"

	"tocsin/processor/telemetry"
)

// NewLogger makes the process's logger.
func (c *Config) NewLogger(w io.Writer, terminal bool) (*slog.Logger, error) {
	return telemetry.NewLogger(w, telemetry.LogConfig{Level: c.Log.Level, Format: c.Log.Format, Terminal: terminal})
}

// DemoLogger says only what goes wrong: the demo tells its own story.
func DemoLogger(w io.Writer, terminal bool) (*slog.Logger, error) {
	return telemetry.NewLogger(w, telemetry.LogConfig{Level: "error", Format: "auto", Terminal: terminal})
}

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

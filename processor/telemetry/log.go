package telemetry

import (
	"fmt"
	"io"
	"log/slog"
)

// LogConfig says what is logged and how.
type LogConfig struct {
	Level    string // debug, info, warn, error
	Format   string // text, json, or auto: text on a terminal, else json
	Terminal bool   // the writer is a terminal
}

// NewLogger makes a logger that writes to w. Times are in UTC; control characters in values are escaped by both forms,
// so nothing an event holds can forge a line.
func NewLogger(w io.Writer, c LogConfig) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, fmt.Errorf("log level %q is none of debug, info, warn, error", c.Level)
	}
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: replace}
	switch {
	case c.Format == "json" || c.Format == "auto" && !c.Terminal:
		return slog.New(slog.NewJSONHandler(w, o)), nil
	case c.Format == "text" || c.Format == "auto":
		return slog.New(slog.NewTextHandler(w, o)), nil
	}
	return nil, fmt.Errorf("log format %q is none of auto, text, json", c.Format)
}

// replace writes times in UTC and durations as text.
func replace(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindTime:
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	case slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

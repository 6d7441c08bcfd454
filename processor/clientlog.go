package processor

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clientLog passes on what the Kafka client says from warnings up; the rest is its own business, and shown only when
// the logger takes debug.
type clientLog struct{ log *slog.Logger }

// Level implements kgo.Logger.
func (l clientLog) Level() kgo.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelWarn
}

// Log implements kgo.Logger.
func (l clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	at := slog.LevelDebug
	switch level {
	case kgo.LogLevelError, kgo.LogLevelWarn:
		// The client retries what it can; what it cannot comes back as an error and is judged there.
		at = slog.LevelWarn
	}
	l.log.Log(context.Background(), at, "kafka client", append([]any{"message", msg}, keyvals...)...)
}

package telemetry

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNewLogger(t *testing.T) {
	var buf bytes.Buffer
	log, err := NewLogger(&buf, LogConfig{Level: "info", Format: "auto"})
	require.NoError(t, err)
	log.Debug("not shown")
	log.Info("shown", "user", "a\nlevel=ERROR\x1b[2J", "took", 1500*time.Millisecond)
	require.Equal(t, 1, strings.Count(buf.String(), "\n"))
	var line map[string]any
	require.NoError(t, json.Unmarshal(buf.Bytes(), &line))
	require.Equal(t, "1.5s", line["took"])
	require.True(t, strings.HasSuffix(line["time"].(string), "Z"))

	buf.Reset()
	log, err = NewLogger(&buf, LogConfig{Level: "debug", Format: "auto", Terminal: true})
	require.NoError(t, err)
	log.Debug("shown", "user", "a\nb\x1b[2J")
	require.Equal(t, 1, strings.Count(buf.String(), "\n"))
	require.NotContains(t, buf.String(), "\x1b")

	_, err = NewLogger(&buf, LogConfig{Level: "loud", Format: "text"})
	require.ErrorContains(t, err, `"loud"`)
	_, err = NewLogger(&buf, LogConfig{Level: "info", Format: "xml"})
	require.ErrorContains(t, err, `"xml"`)
}

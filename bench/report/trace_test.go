package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A trace is drawn as a line without marks, kept in the file, and checked.
func TestTrace(t *testing.T) {
	r := madeUp("memory")
	r.Metrics = []Metric{{Name: "slope", Unit: "MB/min", Better: Lower, Headline: true}}
	r.Trace = &Trace{Title: "in the hour", X: Axis{"time", "min"}, Y: Axis{"RSS", "MB"}}
	r.Samples = []Sample{{Kind: "job", Values: map[string]float64{"slope": 0.5},
		Trace: []Point{{0, 100}, {10, 150}, {20, 120}}}}
	var page, text bytes.Buffer
	require.NoError(t, HTML(&page, r))
	_, plot, ok := strings.Cut(page.String(), "In the course of each run")
	require.True(t, ok)
	plot, _, _ = strings.Cut(plot, "</svg>")
	require.Contains(t, plot, "in the hour: RSS, MB")
	require.Contains(t, plot, "job, round 1")
	require.NotContains(t, plot, "<circle")
	_, points, _ := strings.Cut(plot, `points="`)
	points, _, _ = strings.Cut(points, `"`)
	require.Len(t, strings.Fields(points), 3)

	require.NoError(t, Write(&text, r))
	again, err := Read(&text)
	require.NoError(t, err)
	require.Equal(t, r, again)

	r.Samples[0].Trace[2].X = 5
	require.ErrorContains(t, r.Validate(), "trace: point 2")
	r.Trace = nil
	require.ErrorContains(t, r.Validate(), "does not say what of")
}

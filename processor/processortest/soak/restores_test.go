package soak

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A tail restore begins at the position on disk; only one that follows another that was cut off begins behind it.
func TestCheckRestore(t *testing.T) {
	for name, c := range map[string]struct {
		stored map[int32]int64
		before past
		mode   string
		from   int64
		fails  string
		sum    Restores
	}{
		"from the position on disk":   {map[int32]int64{4: 10}, past{}, "tail", 10, "", Restores{Tail: 1, Compared: 1}},
		"from behind it":              {map[int32]int64{4: 10}, past{}, "tail", 12, "on disk was 10", Restores{Tail: 1, Compared: 1}},
		"from before it":              {map[int32]int64{4: 10}, past{}, "tail", 8, "on disk was 10", Restores{Tail: 1, Compared: 1}},
		"cut off, goes on":            {map[int32]int64{4: 10}, past{cut: true}, "tail", 12, "", Restores{Tail: 1, Resumed: 1}},
		"cut off, yet from before it": {map[int32]int64{4: 10}, past{cut: true}, "tail", 8, "further on", Restores{Tail: 1, Resumed: 1}},
		"again in the same life":      {map[int32]int64{4: 10}, past{had: true, again: true}, "tail", 12, "", Restores{Tail: 1}},
		"in full, never had":          {nil, past{}, "full", 0, "", Restores{First: 1}},
		"in full, had before":         {nil, past{had: true}, "full", 0, "restored in full", Restores{Wipes: 1}},
		"in full, on disk":            {map[int32]int64{4: 10}, past{}, "full", 0, "restored in full", Restores{Wipes: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{report: &Report{}, changelog: &changelog{}}
			w.report.Restores.Own = make([]int, maxTail+2)
			w.checkRestore(&member{}, &life{stored: c.stored}, &restored{partition: 4, mode: c.mode, from: c.from, until: c.from},
				c.before)
			got := w.report.Restores
			got.Own = nil
			require.Equal(t, c.sum, got)
			if c.fails == "" {
				require.Empty(t, w.report.Failures)
				return
			}
			require.Len(t, w.report.Failures, 1)
			require.Contains(t, w.report.Failures[0], c.fails)
		})
	}
}

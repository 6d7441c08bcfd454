package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/topics"
)

// TestExpiredKeyIsAbsent: what a key remembers ends at one moment of record time, whether clean-up has come by or not.
// Until then an old event is late and a second delivery is recognised, after it both are counted as news.
func TestExpiredKeyIsAbsent(t *testing.T) {
	e := newEngine(t, "")
	rules, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	const first = int64(1772452800e9)
	for _, c := range []struct {
		name             string
		at               int64
		late, duplicates int64
	}{
		{"at the last moment", first + rules.Retention(), 1, 1}, {"a moment later", first + rules.Retention() + 1, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, again := range []bool{true, false} {
				p := e.NewPartition(engine.PartitionConfig{Loader: nothing{}})
				var fx engine.Effects
				var scratch engine.Scratch
				var prepared engine.Prepared
				for offset, r := range []engine.Record{{Timestamp: first}, {Timestamp: c.at}} {
					id, stamped := "1", first
					if offset == 1 && !again {
						id, stamped = "2", first-int64(time.Hour)
					}
					r.Offset = int64(offset)
					r.Value = fmt.Appendf(nil, `{"id":%q,"timestamp":%q,"action":"auth.login.failure","status":"failure"}`, id,
						topics.Timestamp(stamped))
					e.Prepare(&r, &scratch, &prepared)
					_, err := p.Advance(r.Timestamp, 1<<30, &fx)
					require.NoError(t, err)
					require.NoError(t, p.Step(&prepared, &fx))
				}
				if again {
					require.Equal(t, c.duplicates, fx.Counts.Duplicates)
				} else {
					require.Equal(t, c.late, fx.Counts.DeadLetters[topics.ReasonLate])
				}
			}
		})
	}
}

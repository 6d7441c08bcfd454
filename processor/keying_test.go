package processor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/verify"
	"tocsin/topics"
)

func TestKeyingWarning(t *testing.T) {
	second := int64(time.Second)
	for name, c := range map[string]struct {
		times []int64 // record times of mis-keyed records, in the order in which they are found, in seconds
		at    int     // index of the one that begins a warning; -1: none does
	}{
		"two":                            {[]int64{0, 1}, -1},
		"the third in a minute":          {[]int64{0, 30, 59}, 2},
		"the third a minute later":       {[]int64{0, 30, 60}, -1},
		"the last three of many":         {[]int64{0, 100, 200, 300, 340, 350}, 5},
		"found out of order":             {[]int64{100, 0, 130, 200, 90}, 4},
		"in the middle":                  {[]int64{0, 50, 200, 25}, 3},
		"a backlog of slips":             {[]int64{0, 3600, 7200, 10800, 14400}, -1},
		"all at once":                    {[]int64{5, 5, 5}, 2},
		"older than all that is kept":    {append(spread(200), -1000, -999), -1},
		"newer ones after many are kept": {append(spread(200), 11_960, 11_980), 201},
	} {
		t.Run(name, func(t *testing.T) {
			k := keying{now: func() time.Time { return epoch }}
			for i, at := range c.times {
				warning := k.note(10, []engine.MisKeyed{{Partition: 1, Belongs: 2, Offset: int64(i) * 64, RecordTime: at * second}})
				require.Equal(t, i == c.at, warning != "", "%d", i)
				require.Equal(t, c.at >= 0 && i >= c.at, k.warning() != "", "%d", i)
			}
		})
	}
}

// spread is n times a minute apart.
func spread(n int) (times []int64) {
	for i := range n {
		times = append(times, int64(i)*60)
	}
	return times
}

// A warning ends an hour after the last time there were too many, and can begin again.
func TestKeyingWarningEnds(t *testing.T) {
	now := epoch
	k := keying{now: func() time.Time { return now }}
	burst := func(at int64) string {
		found := []engine.MisKeyed{{RecordTime: at}, {RecordTime: at}, {Partition: 3, Belongs: 5, Offset: 128, RecordTime: at}}
		return k.note(100, found)
	}
	require.Contains(t, burst(1), "3 of 100 checked input records")
	require.Contains(t, k.warning(), "partition 3 offset 128 belongs to partition 5")
	require.Contains(t, k.warning(), "tocsin ingest")
	now = now.Add(59 * time.Minute)
	require.Empty(t, burst(int64(time.Hour)), "it is the same warning")
	require.Contains(t, k.warning(), "6 of 200")
	now = now.Add(59 * time.Minute)
	require.NotEmpty(t, k.warning())
	require.Empty(t, k.note(100, nil))
	now = now.Add(time.Minute)
	require.Empty(t, k.warning())
	require.Contains(t, burst(int64(3*time.Hour)), "9 of 400")
}

// Records that lie where their keys belong are counted as right. Others raise metric, log and health; the verdicts are
// the same, and the processor stays ready.
func TestMisKeyedInput(t *testing.T) {
	e := newEnv(t, 4)
	rules, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	v, err := verify.New(verify.Config{})
	require.NoError(t, err)
	key, err := topics.ParseKeyTemplate(topics.DefaultKeyTemplate)
	require.NoError(t, err)
	e.always = func(c *Config) {
		c.Engine, err = engine.New(engine.Config{Topic: e.names.Input, Rules: rules, Verifier: v, Ticks: true, Key: key})
		require.NoError(t, err)
	}
	belongs := func(principal string) int32 { return topics.PartitionOf(topics.KeyHash([]byte("acme/"+principal)), 4) }
	events := func(principal string, from, n int) (values []string) {
		for i := range n {
			values = append(values, login(principal, from+i, fmt.Sprintf("%s-%d", principal, from+i)))
		}
		return values
	}
	x := e.start(t.TempDir(), nil)
	counted := func(result string) float64 {
		var d dto.Metric
		require.NoError(t, x.p.metrics.keys.WithLabelValues(result).Write(&d))
		return d.GetCounter().GetValue()
	}
	for i := range 8 {
		principal := fmt.Sprintf("u%d", i)
		e.send(belongs(principal), 100, events(principal, 0, 64)...)
	}
	e.drain()
	require.Eventually(t, func() bool { return counted("right") == 8 }, testTimeout, 10*time.Millisecond)
	require.Zero(t, counted("wrong"))
	require.Len(t, x.p.Health().Warnings, 1, "that producers set record times")

	wrong := (belongs("mallory") + 1) % 4
	e.send(wrong, 200, events("mallory", 100, 3*64)...)
	e.drain()
	require.Eventually(t, func() bool { return counted("wrong") == 3 }, testTimeout, 10*time.Millisecond)
	require.EqualValues(t, 8, counted("right"))
	require.Eventually(t, func() bool {
		h := x.p.Health()
		return h.Ready && len(h.Warnings) == 2 && strings.Contains(h.Warnings[1], "3 of 11 checked input records") &&
			strings.Contains(h.Warnings[1], fmt.Sprintf("belongs to partition %d", belongs("mallory")))
	}, testTimeout, 10*time.Millisecond, "%+v", x.p.Health())
	require.Len(t, x.log.find("keys of the input"), 1)
	e.requireExact() // by an engine that does not check
	require.NoError(t, x.stop())
}

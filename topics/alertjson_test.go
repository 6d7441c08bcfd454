package topics_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/topics"
)

// TestAlertAppend: the encoder writes what encoding/json would.
func TestAlertAppend(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,20}`), rapid.SampledFrom([]string{"", "<&>", "\u2028", "\xff"}))
	stamp := rapid.Custom(func(t *rapid.T) topics.Timestamp {
		return topics.Timestamp(rapid.Int64Range(-8e18, 9e18).Draw(t, "time"))
	})
	rapid.Check(t, func(t *rapid.T) {
		s := func(name string) string { return text.Draw(t, name) }
		a := topics.Alert{
			Schema: 1, ID: s("id"), Revision: rapid.Int().Draw(t, "revision"), State: s("state"), MergedInto: s("merged"),
			Rule:         topics.AlertRule{ID: s("rule"), Version: s("version"), Kind: s("kind")},
			Organization: s("org"), OrganizationTrusted: rapid.Bool().Draw(t, "trusted"),
			Group:    rapid.MapOf(text, text).Draw(t, "group"),
			Severity: s("severity"), Type: s("type"), Title: s("title"), Sentence: s("sentence"),
			FirstSeen: stamp.Draw(t, "first"), LastSeen: stamp.Draw(t, "last"), Crossing: stamp.Draw(t, "crossing"),
			Span:  topics.Span{First: stamp.Draw(t, "span"), Last: stamp.Draw(t, "span")},
			Count: rapid.Int64().Draw(t, "count"), Approximate: rapid.Bool().Draw(t, "approximate"),
			Threshold: rapid.Int64().Draw(t, "threshold"), Window: s("window"),
			Verification: rapid.MapOf(text, rapid.Int64()).Draw(t, "verification"),
			Tags:         rapid.SliceOfN(text, 0, 3).Draw(t, "tags"), Runbook: s("runbook"), Mode: s("mode"), TraceID: s("trace"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "events") {
			a.Evidence = append(a.Evidence, topics.Evidence{Role: s("role"), ID: s("id"), IDSHA256: s("sha"), Topic: s("topic"),
				Partition: rapid.Int32().Draw(t, "partition"), Offset: rapid.Int64().Draw(t, "offset"),
				Timestamp: stamp.Draw(t, "at"), Hash: s("hash"), Outcome: s("outcome")})
		}
		if rapid.Bool().Draw(t, "nil") {
			a.Group, a.Verification, a.Tags = nil, nil, nil
		}
		want, err := json.Marshal(a)
		require.NoError(t, err)
		require.Equal(t, string(want), string(a.Append(nil)))
	})
}

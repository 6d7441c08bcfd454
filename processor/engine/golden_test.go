package engine_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/topics"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s differs; if that is meant, run the test with -rewrite and say so in the changelog", name)
}

// TestGoldenAlert holds the alert record byte for byte: it is read by others, and the same log must always give it.
func TestGoldenAlert(t *testing.T) {
	e := newEngine(t, "")
	p := e.NewPartition(engine.PartitionConfig{Partition: 3, Partitions: 8, Loader: nothing{}})
	var fx engine.Effects
	var scratch engine.Scratch
	var pr engine.Prepared
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	var got []byte
	step := func(offset int64, at time.Duration, value string, headers ...topics.Header) {
		rec := engine.Record{Offset: offset, Timestamp: start.Add(at + 3*time.Minute).UnixNano(), Value: []byte(value), Headers: headers}
		e.Prepare(&rec, &scratch, &pr)
		done, err := p.Advance(rec.Timestamp, 100, &fx)
		require.NoError(t, err)
		require.True(t, done)
		require.NoError(t, p.Step(&pr, &fx))
		for _, a := range fx.Alerts {
			var indented json.RawMessage = a.Value
			b, err := json.MarshalIndent(indented, "", " ")
			require.NoError(t, err)
			got = append(append(got, b...), '\n')
		}
		require.Empty(t, fx.DeadLetters)
		fx.Reset()
	}
	trace := topics.Header{Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}
	for i := range 6 {
		at := time.Duration(i) * 30 * time.Second
		step(int64(100+i), at, fmt.Sprintf(
			`{"id":"login-%d","timestamp":%q,"action":"auth.login.failure","status":"failure","organizationId":"st-mary","principalId":"dr.house<script>","sessionContext":{"sessionId":"s","ipAddress":"10.1.2.3","userAgent":"curl"}}`,
			i, start.Add(at).Format(time.RFC3339Nano)), trace)
	}
	step(106, time.Hour, "", topics.Header{Key: topics.HeaderTick})
	golden(t, "alert.json", got)
}

// TestVectors holds rule versions and alert ids: whoever computes them elsewhere can check against this file.
func TestVectors(t *testing.T) {
	type vector struct {
		Rule         string   `json:"rule"`
		Canonical    string   `json:"canonical"`
		Version      string   `json:"version"`
		Organization string   `json:"organization"`
		GroupBy      string   `json:"group_by"`
		Values       []string `json:"values"`
		Crossing     int64    `json:"crossing_unix_ns"`
		ID           string   `json:"id"`
	}
	conf := detect.Default()
	threshold, window := int64(7), time.Minute
	conf.Organizations = map[string]detect.Organization{"acme": {
		Hours: detect.Hours{Zone: "Europe/Berlin", Days: []string{"mon", "tue", "wed", "thu", "fri"}, Holidays: []string{"2026-12-25"}},
		Rules: map[string]detect.Settings{"failed-auth-burst": {Threshold: &threshold, Window: &window, Except: []string{"svc-*", "\u00e4\"\\"}}},
	}}
	set, err := detect.Compile(conf)
	require.NoError(t, err)
	var vectors []vector
	for _, org := range []string{"", "acme"} {
		rules := set.For([]byte(org))
		for _, r := range append(rules.Rules()[:len(rules.Rules()):len(rules.Rules())], rules.Integrity()) {
			v := vector{Rule: r.ID, Canonical: r.Canonical(), Version: hex.EncodeToString(r.Version[:]), Organization: org,
				GroupBy: "principal", Values: []string{"dr.h\u00f6use"}, Crossing: 1772452800123456789}
			if r.Kind == detect.KindIntegrity {
				v.GroupBy, v.Values = "kind,source,partition", []string{"tampered", "ehr-1", "3"}
			}
			v.ID = topics.FormatAlertID(topics.AlertID(v.Rule, r.Version, v.Organization, v.GroupBy, v.Values, v.Crossing))
			vectors = append(vectors, v)
		}
	}
	got, err := json.MarshalIndent(vectors, "", " ")
	require.NoError(t, err)
	golden(t, "vectors.json", append(got, '\n'))
}

package topics_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/topics"
)

func TestParseTimestamp(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-14T09:26:53Z":                    "2026-03-14T09:26:53Z",
		"2026-03-14t09:26:53z":                    "2026-03-14T09:26:53Z",
		"2026-03-14 09:26:53Z":                    "2026-03-14T09:26:53Z",
		"2026-03-14T09:26:53.5Z":                  "2026-03-14T09:26:53.5Z",
		"2026-03-14T09:26:53.123456789Z":          "2026-03-14T09:26:53.123456789Z",
		"2026-03-14T09:26:53.1234567899999Z":      "2026-03-14T09:26:53.123456789Z",
		"2026-03-14T09:26:53+02:00":               "2026-03-14T07:26:53Z",
		"2026-03-14T09:26:53-0530":                "2026-03-14T14:56:53Z",
		"2026-03-14T09:26:53.25+09":               "2026-03-14T00:26:53.25Z",
		"2026-03-14T09:26:53-00:00":               "2026-03-14T09:26:53Z",
		"2024-02-29T23:59:59.999+23:59":           "2024-02-29T00:00:59.999Z",
		"2000-02-29T00:00:00Z":                    "2000-02-29T00:00:00Z",
		"1700-01-01T00:00:00Z":                    "1700-01-01T00:00:00Z",
		"1699-12-31T23:00:00-01:00":               "1700-01-01T00:00:00Z",
		"2261-12-31T23:59:59.999999999Z":          "2261-12-31T23:59:59.999999999Z",
		"2262-01-01T00:59:59+01:00":               "2261-12-31T23:59:59Z",
		"1969-12-31T23:59:59.9Z":                  "1969-12-31T23:59:59.9Z",
		"1970-01-01T00:00:00.000000000000000000Z": "1970-01-01T00:00:00Z",
	} {
		got, err := topics.ParseTimestamp([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, topics.Timestamp(got).String(), text)
	}
	for text, want := range map[string]string{
		"":                              "not RFC 3339",
		"yesterday":                     "not RFC 3339",
		"1773480413":                    "not RFC 3339",
		"2026-03-14":                    "not RFC 3339",
		"2026-03-14T09:26Z":             "not RFC 3339",
		"20260314T092653Z":              "not RFC 3339",
		"2026-3-14T09:26:53Z":           "not RFC 3339",
		"2026-03-14T9:26:53Z":           "not RFC 3339",
		"2026-03-14_09:26:53Z":          "not RFC 3339",
		"+002026-03-14T09:26:53Z":       "not RFC 3339",
		"2026-03-14T09:26:53,5Z":        "not RFC 3339",
		"2026-03-14T09:26:53 Z":         "not RFC 3339",
		"2026-03-14T09:26:53Z ":         "not RFC 3339",
		"2026-03-14T09:26:53":           "zone is missing",
		"2026-03-14T09:26:53.123":       "zone is missing",
		"2026-03-14T09:26:53.Z":         "no digits",
		"2026-03-14T09:26:53+2":         "offset is wrong",
		"2026-03-14T09:26:53+24:00":     "offset is wrong",
		"2026-03-14T09:26:53+02:60":     "offset is wrong",
		"2026-03-14T09:26:53+02:0":      "offset is wrong",
		"2026-03-14T09:26:53+02:00:00":  "offset is wrong",
		"2026-00-14T09:26:53Z":          "month",
		"2026-13-14T09:26:53Z":          "month",
		"2026-03-00T09:26:53Z":          "day",
		"2026-02-29T09:26:53Z":          "day",
		"1900-02-29T09:26:53Z":          "day",
		"2026-02-30T09:26:53Z":          "day",
		"2026-04-31T09:26:53Z":          "day",
		"2026-03-32T09:26:53Z":          "day",
		"2026-03-14T24:00:00Z":          "hour",
		"2026-03-14T09:60:00Z":          "minute",
		"2026-03-14T09:26:60Z":          "leap second",
		"2026-03-14T09:26:61Z":          "second",
		"0000-01-01T00:00:00Z":          "1700",
		"1699-12-31T23:59:59.99Z":       "1700",
		"1700-01-01T00:00:00+00:01":     "1700",
		"2262-01-01T00:00:00Z":          "2261",
		"9999-12-31T23:59:59Z":          "2261",
		"2261-12-31T23:59:59-00:01":     "2261",
		"2026-03-14T09:26:5३Z":          "not RFC 3339",
		"２０26-03-14T09:26:53Z":          "not RFC 3339",
		"2026-03-14T09:26:53\u22120100": "not RFC 3339",
	} {
		_, err := topics.ParseTimestamp([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
}

// TestParseTimestampAgrees compares with package time on what that can read.
func TestParseTimestampAgrees(t *testing.T) {
	first := time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	last := time.Date(2261, 12, 31, 23, 59, 59, 999_999_999, time.UTC).UnixNano()
	layouts := []string{time.RFC3339Nano, time.RFC3339, "2006-01-02 15:04:05.000Z07:00", "2006-01-02T15:04:05.999999-0700"}
	rapid.Check(t, func(t *rapid.T) {
		offset := rapid.IntRange(-1439, 1439).Draw(t, "offset") * 60
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		text := time.Unix(0, rapid.Int64Range(first, last).Draw(t, "time")).In(time.FixedZone("", offset)).Format(layout)
		want, err := time.Parse(layout, text)
		require.NoError(t, err)
		got, err := topics.ParseTimestamp([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want.UnixNano(), got, text)
	})
}

func FuzzParseTimestamp(f *testing.F) {
	f.Add("2026-03-14T09:26:53.123+02:00")
	f.Add("2026-02-30T24:00:60Z")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := topics.ParseTimestamp([]byte(text))
		want, wantErr := time.Parse(time.RFC3339Nano, text)
		if err != nil || wantErr != nil {
			return
		}
		require.Equal(t, want.UnixNano(), got)
	})
}

package ingest

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/captures"
)

func testOptions() Options {
	return Options{SortBytes: DefaultSortBytes, MaxLineBytes: DefaultMaxLineBytes, Now: time.Now}
}

// TestMapCloudTrailRecorded compares every record of the recorded sets, byte for byte, with what an independent
// implementation of the mapping made of it, but for the field source, which is only there.
func TestMapCloudTrailRecorded(t *testing.T) {
	source := regexp.MustCompile(`,"source":"[^"]*"}$`)
	for _, set := range captures.Sets() {
		t.Run(set, func(t *testing.T) {
			files, err := List([]string{captures.Folder(t, set)})
			require.NoError(t, err)
			var got []string
			require.NoError(t, Read(context.Background(), files, nil, testOptions(), func(l Line) error {
				got = append(got, string(l.Value))
				return nil
			}))
			want := captures.Events(t, set)
			require.Len(t, got, len(want))
			for i, event := range want {
				require.Equal(t, source.ReplaceAllString(string(event), "}"), got[i], "record %d", i)
			}
		})
	}
}

func TestMapCloudTrail(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"console login that failed", `{"eventID":"a","eventTime":"2024-01-01T00:00:00Z","eventName":"ConsoleLogin",
			"eventSource":"signin.amazonaws.com","responseElements":{"ConsoleLogin":"Failure"},
			"errorMessage":"Failed authentication","userIdentity":{"userName":"eve","accountId":"1"},
			"sourceIPAddress":"10.0.0.1","userAgent":"x"}`,
			`{"eventId":"a","timestamp":"2024-01-01T00:00:00Z","principalId":"eve","organizationId":"1",` +
				`"action":"auth.login.failure","status":"failure","targetResourceType":"signin",` +
				`"targetResourceId":"signin.amazonaws.com","outcomeDescription":"Failed authentication",` +
				`"sessionContext":{"sessionId":"a","ipAddress":"10.0.0.1","userAgent":"x"},` +
				`"errorCode":null,"identityType":null}`},
		{"escapes stay as they are", `{"eventSource":"s\u0033.x","eventName":"G\u00e9t","errorCode":"A\"b",
			"errorMessage":"\ud800<&>","userIdentity":{"userName":"\u2028","type":"T"}}`,
			`{"principalId":"\u2028","action":"s\u0033.G\u00e9t","status":"failure","targetResourceType":"s\u0033",` +
				`"targetResourceId":"s\u0033.x","outcomeDescription":"A\"b: \ud800<&>",` +
				`"sessionContext":{},"errorCode":"A\"b","identityType":"T"}`},
		{"other types are passed over", `{"eventName":7,"eventSource":"a\u002eb","errorCode":"","readOnly":false,
			"userIdentity":{"userName":null,"sessionContext":{"sessionIssuer":{"userName":""}},"arn":[],
			"invokedBy":"svc"},"resources":[{"type":3,"ARN":"arn:x"}]}`,
			`{"principalId":"svc","action":"a.","status":"success","targetResourceType":"a",` +
				`"targetResourceId":"arn:x","outcomeDescription":"OK","sessionContext":{},` +
				`"errorCode":null,"identityType":null,"readOnly":false}`},
		{"no object", `["x"]`, `["x"]`},
		{"null", `null`, `null`},
		{"empty", `{}`, `{"principalId":"unknown","status":"success","outcomeDescription":"OK",` +
			`"sessionContext":{},"errorCode":null,"identityType":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, string(MapCloudTrail([]byte(c.in))))
		})
	}
}

func TestReadFormats(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
		err      string
	}{
		{name: "lines", in: "{\"a\":1}\n\n  \nnot json\r\n{\"b\":2}", want: []string{`{"a":1}`, "not json\r", `{"b":2}`}},
		{name: "nothing", in: ""},
		{name: "records", in: `{"x":[1],"Records":[5,"a"]}`, want: []string{"{\"x\":[1],\"Records\":[5,\"a\"]}"}},
		{name: "array", in: "\xEF\xBB\xBF [5, \"a\"]", want: []string{"5", `"a"`}},
		{name: "cut file", in: `{"Records":[5,{"a`, err: "ends too early"},
		{name: "cut between records", in: `[5,`, err: "ends too early"},
		{name: "no records", in: `{"Records": 3}`, err: "no array"},
		{name: "large", in: `["` + strings.Repeat("x", 5000) + `"]`, err: "more than 4096 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := testOptions()
			o.MaxLineBytes = 4096
			var got []string
			err := Read(context.Background(), []string{Stdin}, strings.NewReader(c.in), o, func(l Line) error {
				got = append(got, string(l.Value))
				return nil
			})
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestLineOverLimitIsPassedOnCut(t *testing.T) {
	o := testOptions()
	o.MaxLineBytes = 10
	var got []Line
	in := strings.NewReader(strings.Repeat("a", 600<<10) + "\nb\n")
	require.NoError(t, Read(context.Background(), []string{Stdin}, in, o, func(l Line) error {
		got = append(got, l)
		return nil
	}))
	require.Len(t, got, 2)
	require.Equal(t, int64(600<<10), got[0].Length)
	require.Len(t, got[0].Value, 10)
	require.Equal(t, "stdin:2", got[1].Place.String())
}

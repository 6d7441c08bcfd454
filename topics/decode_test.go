package topics_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

// minimal is the smallest good event, without its closing brace: more members may follow.
const minimal = `{"timestamp":"2026-03-14T09:26:53Z","action":"a","status":"success"`

// decode decodes with the default limits.
func decode(value string, headers ...topics.Header) (*topics.Event, topics.Reason, error) {
	e := new(topics.Event)
	r, err := e.Decode([]byte(value), headers, topics.DefaultLimits())
	return e, r, err
}

// good decodes an event that must be good.
func good(t *testing.T, value string, headers ...topics.Header) *topics.Event {
	t.Helper()
	e, r, err := decode(value, headers...)
	require.NoError(t, err)
	require.Equal(t, topics.ReasonNone, r)
	return e
}

func TestDecodeTypical(t *testing.T) {
	e := good(t, typical)
	require.Equal(t, typical, string(e.Raw))
	require.EqualValues(t, 1773480413589000000, e.Time)
	require.Equal(t, topics.StatusSuccess, e.Status)
	for want, got := range map[string][]byte{
		"fhir.patient.read":                    e.Action,
		"dr-katherine.osei@stmarys.example":    e.PrincipalID,
		"org-st-marys":                         e.OrganizationID,
		"Patient":                              e.TargetResourceType,
		"patient-00429317":                     e.TargetResourceID,
		"Patient record read":                  e.OutcomeDescription,
		"0195a1c2-7b34-7c1e-9f40-6f2d8f1f7a11": e.ID,
		"PHI":                                  e.DataClassification,
		"sess-8f14e45fceea167a":                e.SessionID,
		"10.20.31.42":                          e.IPAddress,
		"Mozilla/5.0 (X11; Linux x86_64)":      e.UserAgent,
		"SHA-256":                              e.HashAlgorithm,
		"HMAC-SHA256":                          e.Algorithm,
		"d888e0a76a3e1a89e15bb5f51b5a308fc54b86f95354b97f6bb9fa2b373cc798": e.Hash,
		"0aff3b34e32951a4d6d3639f4f4a508cf1807b3fa13c3e29f2c62b63c95f7b70": e.Signature,
	} {
		require.Equal(t, want, string(got))
	}
	require.True(t, e.HasRecordCount)
	require.Equal(t, 1.0, e.RecordCount)
	for name, got := range map[string][]byte{
		"keyId": e.KeyID, "errorCode": e.ErrorCode, "reasonCode": e.ReasonCode, "correlationId": e.CorrelationID,
		"CESource": e.CESource, "source": e.Source, "trace": e.TraceID,
	} {
		require.Nil(t, got, name)
	}
}

func TestDecodeRest(t *testing.T) {
	e := good(t, minimal+`,"keyId":"k","errorCode":"AccessDenied","reasonCode":"r","correlationId":"c","source":"s"}`)
	require.Equal(t, []string{"k", "AccessDenied", "r", "c", "s"},
		[]string{string(e.KeyID), string(e.ErrorCode), string(e.ReasonCode), string(e.CorrelationID), string(e.Source)})
}

// TestDecodeReuse decodes with one Event: nothing of the one before may be left.
func TestDecodeReuse(t *testing.T) {
	var e topics.Event
	for _, value := range []string{typical, minimal + `,"principalId":"\u0041"}`, minimal + `}`, `{"x":`, ``, typical} {
		got, gotErr := e.Decode([]byte(value), nil, topics.DefaultLimits())
		fresh, want, wantErr := decode(value)
		require.Equal(t, want, got)
		require.Equal(t, fmt.Sprint(wantErr), fmt.Sprint(gotErr))
		require.Equal(t, texts(fresh), texts(&e))
	}
}

// texts lists all text fields.
func texts(e *topics.Event) [][]byte {
	return [][]byte{
		e.Action, e.PrincipalID, e.OrganizationID, e.TargetResourceType, e.TargetResourceID, e.OutcomeDescription, e.Hash,
		e.HashAlgorithm, e.Signature, e.Algorithm, e.KeyID, e.SessionID, e.IPAddress, e.UserAgent, e.ErrorCode,
		e.ReasonCode, e.DataClassification, e.CorrelationID, e.ID, e.CESource, e.Source, e.TraceID,
	}
}

// TestReasons has a row for every fault of a plain record: the one reason, and a part of the text beside it.
func TestReasons(t *testing.T) {
	const ok = `"timestamp":"2026-03-14T09:26:53Z","action":"a","status":"success"`
	for _, test := range []struct {
		value  string
		reason topics.Reason
		text   string
	}{
		{``, topics.ReasonNotJSON, "tombstone"},
		{" \n", topics.ReasonNotJSON, "at byte 2: the text ends too early"},
		{"\xEF\xBB\xBF{" + ok + "}", topics.ReasonNotJSON, "byte order mark"},
		{`[{` + ok + `}]`, topics.ReasonNotJSON, "JSON but no object"},
		{`"text"`, topics.ReasonNotJSON, "JSON but no object"},
		{`null`, topics.ReasonNotJSON, "JSON but no object"},
		{`hello`, topics.ReasonNotJSON, "at byte 0: a JSON value is expected"},
		{`{`, topics.ReasonNotJSON, "ends too early"},
		{`{` + ok, topics.ReasonNotJSON, "ends too early"},
		{`{` + ok + `,}`, topics.ReasonNotJSON, "a key in double quotes"},
		{`{` + ok + `,'a':1}`, topics.ReasonNotJSON, "a key in double quotes"},
		{`{` + ok + `,"a"}`, topics.ReasonNotJSON, "a colon"},
		{`{` + ok + `,"a":}`, topics.ReasonNotJSON, "a JSON value"},
		{`{` + ok + `,"a":1 "b":2}`, topics.ReasonNotJSON, "a comma"},
		{`{` + ok + `,"a":[1,]}`, topics.ReasonNotJSON, "a JSON value"},
		{`{` + ok + `,"a":[1}}`, topics.ReasonNotJSON, "a comma or the closing bracket"},
		{`{` + ok + `,"a":01}`, topics.ReasonNotJSON, "a comma"},
		{`{` + ok + `,"a":-}`, topics.ReasonNotJSON, "a number is malformed"},
		{`{` + ok + `,"a":1.}`, topics.ReasonNotJSON, "a number is malformed"},
		{`{` + ok + `,"a":1e}`, topics.ReasonNotJSON, "a number is malformed"},
		{`{` + ok + `,"a":NaN}`, topics.ReasonNotJSON, "a JSON value"},
		{`{` + ok + `,"a":True}`, topics.ReasonNotJSON, "a JSON value"},
		{`{` + ok + `,"a":"\x"}`, topics.ReasonNotJSON, "an escape sequence"},
		{`{` + ok + `,"a":"\u12g4"}`, topics.ReasonNotJSON, "an escape sequence"},
		{`{` + ok + ",\"a\":\"line\nbreak\"}", topics.ReasonNotJSON, "a control character"},
		{`{` + ok + `} x`, topics.ReasonNotJSON, "more text follows"},
		{`{` + ok + `}{` + ok + `}`, topics.ReasonNotJSON, "more text follows"},
		{`{` + ok + `,"a":` + strings.Repeat("[", 32), topics.ReasonNotJSON, "ends too early"},

		{`{` + ok + ",\"a\":\"\xff\"}", topics.ReasonInvalidUTF8, "at byte 73"},
		{`{` + ok + ",\"a\":\"\xed\xa0\x80\"}", topics.ReasonInvalidUTF8, "not UTF-8"}, // a raw surrogate
		{"\xff", topics.ReasonInvalidUTF8, "at byte 0"},

		{`{` + ok + `,"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, topics.ReasonTooDeep, "32 levels"},
		{`{` + ok + `,"principalId":` + strings.Repeat(`{"a":`, 32) + `1` + strings.Repeat("}", 32) + `}`,
			topics.ReasonTooDeep, "32 levels"},
		{`{` + ok + `,"a":` + strings.Repeat("[", 400_000) + strings.Repeat("]", 400_000) + `}`, topics.ReasonTooDeep, ""},

		{`{` + ok + `,"action":"b"}`, topics.ReasonAmbiguousField, "field action occurs a second time at byte"},
		{`{` + ok + `,"action":"a"}`, topics.ReasonAmbiguousField, "action"},
		{`{` + ok + `,"\u0061ction":"b"}`, topics.ReasonAmbiguousField, "action"},
		{`{` + ok + `,"status":null}`, topics.ReasonAmbiguousField, "status"},
		{`{` + ok + `,"sessionContext":{},"sessionContext":null}`, topics.ReasonAmbiguousField, "sessionContext"},
		{`{` + ok + `,"sessionContext":{"ipAddress":"1","ipAddress":"2"}}`, topics.ReasonAmbiguousField, "ipAddress"},
		{`{` + ok + `,"recordCount":1,"recordCount":2}`, topics.ReasonAmbiguousField, "recordCount"},

		{`{}`, topics.ReasonMissingField, "field action is missing"},
		{`{"timestamp":"2026-03-14T09:26:53Z","status":"success"}`, topics.ReasonMissingField, "action"},
		{`{"timestamp":"2026-03-14T09:26:53Z","status":"success","action":null}`, topics.ReasonMissingField, "action"},
		{`{"timestamp":"2026-03-14T09:26:53Z","status":"success","action":""}`, topics.ReasonMissingField, "action"},
		{`{"timestamp":"2026-03-14T09:26:53Z","status":"success","Action":"a"}`, topics.ReasonMissingField, "action"},
		{`{"timestamp":"2026-03-14T09:26:53Z","action":"a"}`, topics.ReasonMissingField, "status"},
		{`{"timestamp":"2026-03-14T09:26:53Z","action":"a","status":null}`, topics.ReasonMissingField, "status"},
		{`{"action":"a","status":"success"}`, topics.ReasonMissingField, "timestamp"},
		{`{"action":"a","status":"success","timestamp":null}`, topics.ReasonMissingField, "timestamp"},

		{`{"timestamp":"2026-03-14T09:26:53Z","action":"a","status":"Success"}`, topics.ReasonBadType, `status is "Success"`},
		{`{"timestamp":"2026-03-14T09:26:53Z","action":"a","status":""}`, topics.ReasonBadType, "status"},
		{`{"timestamp":"2026-03-14T09:26:53Z","action":"a","status":true}`, topics.ReasonBadType, "status"},
		{`{"timestamp":"2026-03-14T09:26:53Z","action":{},"status":"success"}`, topics.ReasonBadType, "action"},
		{`{"timestamp":"2026-03-14T09:26:53Z","action":0,"status":"success"}`, topics.ReasonBadType, "action"},
		{`{"timestamp":1773480413,"action":"a","status":"success"}`, topics.ReasonBadType, "timestamp"},
		{`{` + ok + `,"principalId":123}`, topics.ReasonBadType, "principalId"},
		{`{` + ok + `,"principalId":1e400}`, topics.ReasonBadType, "principalId"},
		{`{` + ok + `,"organizationId":true}`, topics.ReasonBadType, "organizationId"},
		{`{` + ok + `,"targetResourceId":[]}`, topics.ReasonBadType, "targetResourceId"},
		{`{` + ok + `,"hash":7}`, topics.ReasonBadType, "hash"},
		{`{` + ok + `,"signature":false}`, topics.ReasonBadType, "signature"},
		{`{` + ok + `,"id":7}`, topics.ReasonBadType, "id"},
		{`{` + ok + `,"eventId":{}}`, topics.ReasonBadType, "eventId"},
		{`{` + ok + `,"sessionContext":"x"}`, topics.ReasonBadType, "sessionContext"},
		{`{` + ok + `,"sessionContext":[]}`, topics.ReasonBadType, "sessionContext"},
		{`{` + ok + `,"sessionContext":{"ipAddress":1}}`, topics.ReasonBadType, "sessionContext.ipAddress"},
		{`{` + ok + `,"recordCount":"5"}`, topics.ReasonBadType, "recordCount"},
		{`{` + ok + `,"recordCount":-1}`, topics.ReasonBadType, "recordCount is \"-1\""},
		{`{` + ok + `,"recordCount":1e400}`, topics.ReasonBadType, "recordCount"},
		{`{` + ok + `,"recordCount":true}`, topics.ReasonBadType, "recordCount"},
		{`{` + ok + `,"dataClassification":"phi"}`, topics.ReasonBadType, "dataClassification"},
		{`{` + ok + `,"dataClassification":""}`, topics.ReasonBadType, "dataClassification"},

		{`{"timestamp":"","action":"a","status":"success"}`, topics.ReasonBadTimestamp, "RFC 3339"},
		{`{"timestamp":"2026-03-14T09:26:53","action":"a","status":"success"}`, topics.ReasonBadTimestamp, "zone is missing"},
		{`{"timestamp":"1699-12-31T23:59:59Z","action":"a","status":"success"}`, topics.ReasonBadTimestamp, "1700"},
	} {
		t.Run("", func(t *testing.T) {
			_, reason, err := decode(test.value)
			require.Equal(t, test.reason, reason, "%.200s: %v", test.value, err)
			require.ErrorContains(t, err, test.text)
			require.NotContains(t, err.Error(), "\n")
			require.Less(t, len(err.Error()), 300)
		})
	}
}

// TestReasonOrder stacks faults: taking the first away shows the next, in the order of the constants.
func TestReasonOrder(t *testing.T) {
	const (
		deep      = `"deep":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],`
		ambiguous = `"hash":"x","hash":"y",`
		badType   = `"principalId":5,`
		rest      = `"timestamp":"never","status":"success"`
	)
	require.Equal(t, 32, strings.Count(deep, "["))
	_, r, _ := decode(`{` + deep + ambiguous + badType + rest + "\xff")
	require.Equal(t, topics.ReasonInvalidUTF8, r)
	var e topics.Event
	r, _ = e.Decode([]byte(`{`+deep+ambiguous+badType+rest+"\xff"), nil, topics.Limits{MaxBytes: 10, MaxDepth: 32})
	require.Equal(t, topics.ReasonTooLarge, r)
	for _, step := range []struct {
		value string
		want  topics.Reason
	}{
		{`{` + deep + ambiguous + badType + rest, topics.ReasonNotJSON},
		{`{` + deep + ambiguous + badType + rest + `}`, topics.ReasonTooDeep},
		{`{` + ambiguous + badType + rest + `}`, topics.ReasonAmbiguousField},
		{`{` + badType + rest + `}`, topics.ReasonMissingField},
		{`{` + badType + `"action":"a",` + rest + `}`, topics.ReasonBadType},
		{`{"action":"a",` + rest + `}`, topics.ReasonBadTimestamp},
	} {
		_, r, err := decode(step.value)
		require.Equal(t, step.want, r, "%v", err)
	}
}

// TestAccepted has events that must be good although they look odd.
func TestAccepted(t *testing.T) {
	for _, more := range []string{
		``,
		`,"unknown":{"action":1,"action":2}`,
		`,"unknown":1,"unknown":2`,
		`,"Action":5,"ACTION":6`,
		`,"principalId":"","organizationId":0,"targetResourceId":false,"targetResourceType":-0.0e5,"outcomeDescription":null`,
		`,"principalId":1e-400`,
		`,"hash":"","signature":null,"algorithm":null,"keyId":""`,
		`,"sessionContext":null,"recordCount":null,"dataClassification":null`,
		`,"sessionContext":{"geolocation":{"a":[1]},"id":1,"action":2}`,
		`,"sessionContext":{"ipAddress":"253.252.51.07"}`,
		`,"sessionContext":{"ipAddress":"AWS Internal"}`,
		`,"recordCount":-0`,
		`,"id":"1","eventId":"2"`,
		`,"x":"\ud800"`,
		`,"":1`,
		`,"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31),
		`,"retentionPolicy":2555,"eventVersion":1,"processingLatency":"x","queueDepth":[]`,
	} {
		good(t, minimal+more+"}")
		good(t, " \t\r\n"+minimal+more+" } \n")
	}
}

func TestWhiteSpace(t *testing.T) {
	e := good(t, " {\n \"timestamp\" :\t\"2026-03-14T09:26:53Z\" ,\r\n \"action\": \"a\" , \"status\" : \"failure\" ,"+
		" \"sessionContext\" : { } , \"x\" : [ ] , \"recordCount\" : 12 } \n")
	require.Equal(t, "a", string(e.Action))
	require.Equal(t, 12.0, e.RecordCount)
	require.Equal(t, topics.StatusFailure, e.Status)
}

func TestEscapes(t *testing.T) {
	for raw, want := range map[string]string{
		`plain`:                        "plain",
		`\"\\\/\b\f\n\r\t`:             "\"\\/\b\f\n\r\t",
		`\u0041\u00e9\u20AC`:           "Aé€",
		`\ud83d\ude00`:                 "😀",
		`x\ud800y`:                     "x\xed\xa0\x80y",
		`\udc00`:                       "\xed\xb0\x80",
		`\ud83d\ud83d\ude00`:           "\xed\xa0\xbd😀",
		`\ude00\ud83d`:                 "\xed\xb8\x80\xed\xa0\xbd",
		`\ud800\u0041`:                 "\xed\xa0\x80A",
		`\ud800\n`:                     "\xed\xa0\x80\n",
		`\u0000`:                       "\x00",
		`a long text with an escape\t`: "a long text with an escape\t",
	} {
		e := good(t, minimal+`,"principalId":"`+raw+`","organizationId":"\u006f"}`)
		require.Equal(t, want, string(e.PrincipalID), raw)
		require.Equal(t, "o", string(e.OrganizationID))
	}
}

func TestIDsAndSources(t *testing.T) {
	source := topics.Header{Key: "source", Value: []byte("by header")}
	for _, test := range []struct {
		more, id, source string
		headers          []topics.Header
	}{
		{more: ``},
		{more: `,"id":"1"`, id: "1"},
		{more: `,"eventId":"2"`, id: "2"},
		{more: `,"eventId":"2","id":"1"`, id: "1"},
		{more: `,"eventId":"2","id":""`, id: "2"},
		{more: `,"eventId":"2","id":null`, id: "2"},
		{more: `,"source":"by field"`, source: "by field", headers: []topics.Header{source}},
		{more: `,"source":""`, source: "by header", headers: []topics.Header{source}},
		{headers: []topics.Header{{Key: "source", Value: []byte("\xff")}}},
	} {
		e := good(t, minimal+test.more+"}", test.headers...)
		require.Equal(t, test.id, string(e.ID))
		require.Equal(t, test.source, string(e.Source))
		require.Nil(t, e.CESource)
	}
}

// TestClaims: what a refused event still says.
func TestClaims(t *testing.T) {
	e, r, _ := decode(`{"organizationId":"o","source":"s","action":"a","action":"b","principalId":"\u0041"}`)
	require.Equal(t, topics.ReasonAmbiguousField, r)
	require.Equal(t, []string{"o", "s", "A", ""},
		[]string{string(e.OrganizationID), string(e.Source), string(e.PrincipalID), string(e.Action)})
	tok, plain := e.CanonicalToken(0)
	require.Equal(t, `"b"`, string(tok))
	require.True(t, plain)
	e, r, _ = decode(`{"organizationId":"o","action":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`)
	require.Equal(t, topics.ReasonTooDeep, r)
	require.Equal(t, "o", string(e.OrganizationID))
	tok, _ = e.CanonicalToken(0)
	require.Nil(t, tok)
	e, r, _ = decode(`{`, topics.Header{Key: "source", Value: []byte("h")})
	require.Equal(t, topics.ReasonNotJSON, r)
	require.Equal(t, "h", string(e.Source))
	require.Nil(t, e.OrganizationID)
}

func TestTraceID(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for text, want := range map[string]string{
		"00-" + id + "-00f067aa0ba902b7-01":                       id,
		"cc-" + id + "-00f067aa0ba902b7-01-more":                  id,
		"00-" + id + "-00f067aa0ba902b7-01-more":                  "",
		"ff-" + id + "-00f067aa0ba902b7-01":                       "",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": "",
		"00-" + strings.ToUpper(id) + "-00f067aa0ba902b7-01":      "",
		"00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01":  "",
		"00-" + id + "_00f067aa0ba902b7-01":                       "",
		"":                                                        "",
	} {
		e := good(t, minimal+"}", topics.Header{Key: "traceparent", Value: []byte(text)})
		require.Equal(t, want, string(e.TraceID), text)
	}
}

package topics_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

func addSeeds(f *testing.F) {
	f.Helper()
	for _, seed := range []string{
		typical, minimal + "}", "", " ", "{}", "[]", "nul", `{"a":[1,2.5e-3,{"b":null}],"c":"\ud83d\ude00\ud800\n"}`,
		`{"\u0061ction":"x","action":"y"}`, minimal + `,"sessionContext":{"ipAddress":"1","userAgent":"\\\""}}`,
		minimal + `,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}", "{\"a\":\"\xff\"}", `{"a":01}`,
		minimal + `,"recordCount":1e2,"hash":"","dataClassification":"PHI","id":"","eventId":"e"}`, `{"a":"` + "\x1f\"}",
		`{"timestamp":"2026-03-14 09:26:53.5+0200","action":" ","status":"attempt","principalId":-0.0}  `,
	} {
		f.Add([]byte(seed))
	}
}

// FuzzDecode compares the decoder with encoding/json. They differ, as documented, in that encoding/json takes invalid
// UTF-8, takes the last of several members and ignores case, and loses lone surrogates.
func FuzzDecode(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		var e topics.Event
		reason, err := e.Decode(value, nil, topics.DefaultLimits())
		require.Equal(t, reason == topics.ReasonNone, err == nil)
		for i := range topics.NumCanonical {
			e.CanonicalToken(i) // never a panic
		}
		switch {
		case !utf8.Valid(value):
			require.Equal(t, topics.ReasonInvalidUTF8, reason)
			return
		case !json.Valid(value) || bytes.TrimLeft(value, " \t\r\n")[0] != '{':
			if reason != topics.ReasonTooDeep { // encoding/json gives up at 10,000 levels
				require.Equal(t, topics.ReasonNotJSON, reason)
			}
			return
		case depth(value) > 32:
			require.Equal(t, topics.ReasonTooDeep, reason)
			return
		}
		if reason == topics.ReasonNone {
			compareFields(t, &e, value)
			return
		}
		require.GreaterOrEqual(t, reason, topics.ReasonAmbiguousField, "%v", err)
	})
}

// depth is the nesting of a JSON text.
func depth(value []byte) (deepest int) {
	n, d := 0, json.NewDecoder(bytes.NewReader(value))
	for {
		tok, err := d.Token()
		if err != nil {
			return deepest
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			n++
			deepest = max(deepest, n)
		case json.Delim('}'), json.Delim(']'):
			n--
		}
	}
}

// compareFields reads a good event again with encoding/json.
func compareFields(t *testing.T, e *topics.Event, value []byte) {
	t.Helper()
	var members, session map[string]json.RawMessage // maps keep the case of names
	require.NoError(t, json.Unmarshal(value, &members))
	if raw := members["sessionContext"]; raw != nil {
		require.NoError(t, json.Unmarshal(raw, &session))
	}
	text := func(raw json.RawMessage) string {
		var s *string
		if err := json.Unmarshal(raw, &s); err != nil || s == nil {
			return ""
		}
		return *s
	}
	for name, got := range map[string][]byte{
		"action": e.Action, "principalId": e.PrincipalID, "organizationId": e.OrganizationID,
		"targetResourceType": e.TargetResourceType, "targetResourceId": e.TargetResourceID,
		"outcomeDescription": e.OutcomeDescription, "hash": e.Hash, "hashAlgorithm": e.HashAlgorithm,
		"signature": e.Signature, "algorithm": e.Algorithm, "keyId": e.KeyID, "errorCode": e.ErrorCode,
		"reasonCode": e.ReasonCode, "dataClassification": e.DataClassification, "correlationId": e.CorrelationID,
		"source": e.Source, "status": []byte(e.Status.String()),
	} {
		require.Equal(t, text(members[name]), replaceSurrogates(got), name)
	}
	for name, got := range map[string][]byte{
		"sessionId": e.SessionID, "ipAddress": e.IPAddress, "userAgent": e.UserAgent,
	} {
		require.Equal(t, text(session[name]), replaceSurrogates(got), name)
	}
	id := text(members["id"])
	if id == "" {
		id = text(members["eventId"])
	}
	require.Equal(t, id, replaceSurrogates(e.ID))
	var count *float64
	if raw := members["recordCount"]; raw != nil {
		require.NoError(t, json.Unmarshal(raw, &count))
	}
	require.Equal(t, count != nil, e.HasRecordCount)
	if count != nil {
		require.Equal(t, *count, e.RecordCount)
	}
	for i, name := range topics.CanonicalNames() {
		tok, plain := e.CanonicalToken(i)
		require.Equal(t, string(members[name]), string(tok), name)
		require.Equal(t, plain, len(tok) > 0 && tok[0] == '"' && !bytes.ContainsRune(tok, '\\'))
	}
	require.Equal(t, string(value), string(e.Raw))
}

// replaceSurrogates writes U+FFFD for each lone surrogate in WTF-8, as encoding/json does.
func replaceSurrogates(text []byte) string {
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] == 0xED && i+2 < len(text) && text[i+1] >= 0xA0 {
			out = append(out, "\uFFFD"...)
			i += 2
			continue
		}
		out = append(out, text[i])
	}
	return string(out)
}

// FuzzCloudEvent feeds arbitrary envelopes and headers: never a panic, always one reason and one text.
func FuzzCloudEvent(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"7","source":"/app","data":`+inner+`}`), []byte(structured), "a", "b")
	f.Add([]byte(`{"specversion":"1.0","id":"7","source":"/app","data_base64":"e30="}`), []byte(structured), "a", "b")
	f.Add([]byte(inner), []byte("application/json"), "ce_id", "ce_source")
	f.Add([]byte(`{"data_base64":"eyJhY3Rpb24iOiJhIn0=","data":null,"id":[]}`), []byte(structured), "", "source")
	f.Fuzz(func(t *testing.T, value, content []byte, a, b string) {
		var e topics.Event
		headers := []topics.Header{{Key: a, Value: value}, {Key: b, Value: content}, {Key: "content-type", Value: content},
			{Key: "ce_specversion", Value: []byte("1.0")}}
		reason, err := e.Decode(value, headers, topics.DefaultLimits())
		require.Equal(t, reason == topics.ReasonNone, err == nil)
		if reason == topics.ReasonNone {
			require.NotEmpty(t, e.ID)
			require.NotEmpty(t, e.CESource)
			require.True(t, json.Valid(e.Raw))
			e.Identity()
		}
		for i := range topics.NumCanonical {
			e.CanonicalToken(i)
		}
	})
}

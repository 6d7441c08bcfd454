package topics_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

// header makes headers from pairs of key and value.
func header(pairs ...string) (hs []topics.Header) {
	for i := 0; i < len(pairs); i += 2 {
		hs = append(hs, topics.Header{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return hs
}

const (
	inner      = minimal + `,"source":"field","principalId":"p\u0041"}`
	structured = "application/cloudevents+json; charset=UTF-8"
)

func TestBinary(t *testing.T) {
	e := good(t, inner, header("ce_specversion", "1.0", "ce_id", "7", "ce_source", "/app", "ce_type", "t",
		"ce_time", "1999-01-01T00:00:00Z", "content-type", "application/json")...)
	require.Equal(t, inner, string(e.Raw))
	require.Equal(t, []string{"7", "/app", "/app"}, []string{string(e.ID), string(e.CESource), string(e.Source)})
	require.EqualValues(t, 1773480413000000000, e.Time)

	e = good(t, minimal+`,"eventId":"own"}`, header("ce_specversion", "1.0", "ce_id", "7", "ce_source", "/app")...)
	require.Equal(t, "own", string(e.ID))

	e = good(t, inner, header("ce_id", "7", "ce_source", "/app")...) // no specversion: no CloudEvent
	require.Nil(t, e.ID)
	require.Nil(t, e.CESource)
}

func TestStructured(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(inner))
	for name, value := range map[string]string{
		"data":        `{"specversion":"1.0","id":"7","source":"/app","type":"t","time":"x","data":` + inner + `}`,
		"data first":  ` { "data" : ` + inner + ` , "specversion":"1.1","id":"\u0037","source":"/a\u0070p","x":[{}] } `,
		"data_base64": `{"specversion":"1.0","id":"7","source":"/app","data_base64":"` + encoded + `","data":null}`,
		"escaped":     `{"specversion":"1.0","id":"7","source":"/app","data_base64":"\u0065` + encoded[1:] + `"}`,
		"own names":   `{"specversion":"1.0","id":"7","source":"/app","action":1,"timestamp":2,"data":` + inner + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			e := good(t, value, header("Content-Type", structured)...)
			require.Equal(t, inner, string(e.Raw))
			require.Equal(t, "pA", string(e.PrincipalID))
			require.Equal(t, []string{"7", "/app", "/app"}, []string{string(e.ID), string(e.CESource), string(e.Source)})
			tok, plain := e.CanonicalToken(3)
			require.Equal(t, `"p\u0041"`, string(tok))
			require.False(t, plain)
		})
	}
}

func TestCloudEventReasons(t *testing.T) {
	base64of := base64.StdEncoding.EncodeToString
	const attributes = `"specversion":"1.0","id":"7","source":"/app"`
	binary := func(pairs ...string) []topics.Header { return header(append(pairs, "ce_specversion", "1.0")...) }
	inStructured := header("content-type", structured)
	for name, test := range map[string]struct {
		value   string
		headers []topics.Header
		reason  topics.Reason
		text    string
	}{
		"batch": {`[]`, header("content-type", "application/cloudevents-batch+json"), topics.ReasonNotJSON,
			"one event per record"},
		"binary, no id":        {inner, binary("ce_source", "/app"), topics.ReasonMissingField, "CloudEvents id"},
		"binary, empty id":     {inner, binary("ce_source", "/app", "ce_id", ""), topics.ReasonMissingField, "id"},
		"binary, no source":    {inner, binary("ce_id", "7"), topics.ReasonMissingField, "CloudEvents source"},
		"binary, empty source": {inner, binary("ce_id", "7", "ce_source", ""), topics.ReasonMissingField, "source"},
		"binary, version": {inner, header("ce_id", "7", "ce_source", "/app", "ce_specversion", "0.3"),
			topics.ReasonBadType, `"0.3": only 1.x`},
		"binary, no version": {inner, header("ce_id", "7", "ce_source", "/app", "ce_specversion", ""),
			topics.ReasonMissingField, "specversion"},
		"binary, two ids": {inner, binary("ce_source", "/app", "ce_id", "7", "ce_id", "8"), topics.ReasonAmbiguousField,
			`header "ce_id" occurs twice`},
		"two sources": {inner, header("source", "a", "source", "b"), topics.ReasonAmbiguousField, "source"},
		"two content types": {inner, header("content-type", "a/b", "content-type", structured),
			topics.ReasonAmbiguousField, "content-type"},
		"binary, no UTF-8": {inner, binary("ce_id", "7", "ce_source", "\xff"), topics.ReasonInvalidUTF8, "header"},
		"binary, bad event": {`{"action":"a"}`, binary("ce_id", "7", "ce_source", "/app"), topics.ReasonMissingField,
			"field status"},
		"no data": {`{` + attributes + `}`, inStructured, topics.ReasonMissingField, "no data"},
		"data null": {`{` + attributes + `,"data":null}`, inStructured, topics.ReasonMissingField,
			"no data"},
		"data text":     {`{` + attributes + `,"data":"{}"}`, inStructured, topics.ReasonBadType, "must be an object"},
		"data array":    {`{` + attributes + `,"data":[]}`, inStructured, topics.ReasonBadType, "must be an object"},
		"base64 number": {`{` + attributes + `,"data_base64":5}`, inStructured, topics.ReasonBadType, "must be a string"},
		"base64 text":   {`{` + attributes + `,"data_base64":"*"}`, inStructured, topics.ReasonNotJSON, "not base64"},
		"base64 of no JSON": {`{` + attributes + `,"data_base64":"` + base64of([]byte(`{"a":}`)) + `"}`, inStructured,
			topics.ReasonNotJSON, "at byte 5 of the decoded data_base64"},
		"base64 of no UTF-8": {`{` + attributes + `,"data_base64":"` + base64of([]byte("\xff")) + `"}`, inStructured,
			topics.ReasonInvalidUTF8, "not UTF-8"},
		"base64 of nothing": {`{` + attributes + `,"data_base64":""}`, inStructured, topics.ReasonNotJSON, "early"},
		"both": {`{` + attributes + `,"data":{},"data_base64":""}`, inStructured, topics.ReasonAmbiguousField,
			"both"},
		"two data": {`{` + attributes + `,"data":` + inner + `,"data":` + inner + `}`, inStructured,
			topics.ReasonAmbiguousField, "data"},
		"two ids": {`{` + attributes + `,"id":"8","data":` + inner + `}`, inStructured, topics.ReasonAmbiguousField, "id"},
		"no source": {`{"specversion":"1.0","id":"7","data":` + inner + `}`, inStructured, topics.ReasonMissingField,
			"source"},
		"id number": {`{"specversion":"1.0","source":"s","id":7,"data":` + inner + `}`, inStructured, topics.ReasonBadType,
			"CloudEvents id"},
		"version number": {`{"specversion":1.0,"source":"s","id":"7","data":` + inner + `}`, inStructured,
			topics.ReasonBadType, "specversion"},
		"bad time in base64": {`{` + attributes + `,"id2":5,"data_base64":"` +
			base64of([]byte(`{"timestamp":"x","action":"a","status":"success"}`)) + `"}`, inStructured,
			topics.ReasonBadTimestamp, `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, reason, err := decode(test.value, test.headers...)
			require.Equal(t, test.reason, reason, "%v", err)
			require.ErrorContains(t, err, test.text)
		})
	}
}

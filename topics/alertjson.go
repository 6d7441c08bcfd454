package topics

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Append appends the alert as JSON, byte for byte as encoding/json writes it. It is written out because an alert can
// list 110 events, whose texts are by far the most of what a busy processor encodes.
func (a *Alert) Append(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"schema":`...), int64(a.Schema), 10)
	dst = appendText(append(dst, `,"id":`...), a.ID)
	dst = strconv.AppendInt(append(dst, `,"revision":`...), int64(a.Revision), 10)
	dst = appendText(append(dst, `,"state":`...), a.State)
	if a.MergedInto != "" {
		dst = appendText(append(dst, `,"merged_into":`...), a.MergedInto)
	}
	dst = appendText(append(dst, `,"rule":{"id":`...), a.Rule.ID)
	dst = appendText(append(dst, `,"version":`...), a.Rule.Version)
	dst = appendText(append(dst, `,"kind":`...), a.Rule.Kind)
	dst = appendText(append(dst, `},"organization":`...), a.Organization)
	dst = strconv.AppendBool(append(dst, `,"organization_trusted":`...), a.OrganizationTrusted)
	dst = appendMap(append(dst, `,"group":`...), a.Group, appendText)
	dst = appendText(append(dst, `,"severity":`...), a.Severity)
	dst = appendText(append(dst, `,"type":`...), a.Type)
	dst = appendText(append(dst, `,"title":`...), a.Title)
	dst = appendText(append(dst, `,"sentence":`...), a.Sentence)
	dst = a.FirstSeen.appendJSON(append(dst, `,"first_seen":`...))
	dst = a.LastSeen.appendJSON(append(dst, `,"last_seen":`...))
	dst = a.Crossing.appendJSON(append(dst, `,"crossing":`...))
	dst = a.Span.First.appendJSON(append(dst, `,"span":{"first":`...))
	dst = a.Span.Last.appendJSON(append(dst, `,"last":`...))
	dst = strconv.AppendInt(append(dst, `},"count":`...), a.Count, 10)
	dst = strconv.AppendBool(append(dst, `,"approximate":`...), a.Approximate)
	dst = strconv.AppendInt(append(dst, `,"threshold":`...), a.Threshold, 10)
	dst = appendText(append(dst, `,"window":`...), a.Window)
	dst = appendMap(append(dst, `,"verification":`...), a.Verification, appendInt)
	dst = appendList(append(dst, `,"evidence":`...), a.Evidence, appendEvidence)
	dst = appendList(append(dst, `,"tags":`...), a.Tags, func(dst []byte, s *string) []byte { return appendText(dst, *s) })
	dst = appendText(append(dst, `,"runbook":`...), a.Runbook)
	dst = appendText(append(dst, `,"mode":`...), a.Mode)
	dst = appendText(append(dst, `,"trace_id":`...), a.TraceID)
	return append(dst, '}')
}

func appendEvidence(dst []byte, e *Evidence) []byte {
	dst = appendText(append(dst, `{"role":`...), e.Role)
	dst = appendText(append(dst, `,"id":`...), e.ID)
	if e.IDSHA256 != "" {
		dst = appendText(append(dst, `,"id_sha256":`...), e.IDSHA256)
	}
	dst = appendText(append(dst, `,"topic":`...), e.Topic)
	dst = strconv.AppendInt(append(dst, `,"partition":`...), int64(e.Partition), 10)
	dst = strconv.AppendInt(append(dst, `,"offset":`...), e.Offset, 10)
	dst = e.Timestamp.appendJSON(append(dst, `,"timestamp":`...))
	dst = appendText(append(dst, `,"hash":`...), e.Hash)
	dst = appendText(append(dst, `,"outcome":`...), e.Outcome)
	return append(dst, '}')
}

func appendList[T any](dst []byte, list []T, one func([]byte, *T) []byte) []byte {
	if list == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '[')
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one(dst, &list[i])
	}
	return append(dst, ']')
}

func appendMap[T any](dst []byte, m map[string]T, one func([]byte, T) []byte) []byte {
	if m == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one(append(appendText(dst, key), ':'), m[key])
	}
	return append(dst, '}')
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// appendText appends a JSON string. What needs an escape, or may, is left to encoding/json.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			b, _ := json.Marshal(s) // a string cannot fail
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func (t Timestamp) appendJSON(dst []byte) []byte {
	dst = t.Time().AppendFormat(append(dst, '"'), time.RFC3339Nano)
	return append(dst, '"')
}

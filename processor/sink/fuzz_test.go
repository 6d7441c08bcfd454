package sink

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

const fuzzID = "0123456789abcdef0123456789abcdef"

// FuzzParseCursor: a cursor that is accepted is one that a page gives, and nothing of it reaches the text of a
// statement.
func FuzzParseCursor(f *testing.F) {
	f.Add(cursorKey{time.UnixMicro(1), fuzzID}.String())
	f.Add("MS4n")
	f.Add("")
	f.Add(cursorKey{time.UnixMicro(-1 << 62), fuzzID}.String() + "=")
	plain, _, err := Filter{Cursor: cursorKey{time.UnixMicro(1), fuzzID}.String()}.query(Scope{Organization: "o"}, 1)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		key, err := parseCursor(s)
		if err != nil {
			return
		}
		again, err := parseCursor(key.String())
		require.NoError(t, err)
		require.Equal(t, key, again)
		sql, args, err := Filter{Cursor: s}.query(Scope{Organization: "o"}, 1)
		if s == "" {
			return
		}
		require.NoError(t, err)
		require.Equal(t, plain, sql)
		require.Len(t, args, 3)
	})
}

// FuzzFilter: whatever is asked for is a value of a statement and never a part of it.
func FuzzFilter(f *testing.F) {
	f.Add("acme", "failed-auth-burst", "'; DROP TABLE alerts; --", "$1", "?")
	f.Fuzz(func(t *testing.T, organization, rule, severity, status, state string) {
		sql, args, err := Filter{
			Organization: &organization, Rules: []string{rule}, Severities: []string{severity}, Statuses: []string{status},
			States: []string{state},
		}.query(Scope{Operator: true}, 7)
		require.NoError(t, err)
		want, _, err := Filter{
			Organization: new(string), Rules: []string{""}, Severities: []string{""}, Statuses: []string{""}, States: []string{""},
		}.query(Scope{Operator: true}, 7)
		require.NoError(t, err)
		require.Equal(t, want, sql)
		require.Equal(t, []any{organization, []string{rule}, []string{severity}, []string{status}, []string{state}}, args)
	})
}

// FuzzNewEntry: any record of the alerts topic is either set aside or an alert whose parts are within their bounds.
func FuzzNewEntry(f *testing.F) {
	a := topics.Alert{Schema: topics.AlertSchema, ID: fuzzID, Revision: 1, State: topics.StateOpen,
		Rule: topics.AlertRule{ID: "r"}, Group: map[string]string{"principal": "ann"}, Tags: []string{}}
	f.Add([]byte(fuzzID), a.Append(nil))
	f.Add([]byte(nil), []byte(`{"schema":1,"id":null,"evidence":[{}]}`))
	f.Add([]byte(fuzzID), []byte(strings.Repeat("[", 20_000)))
	f.Add([]byte(fuzzID), []byte(`{"schema":1,"first_seen":"`+strings.Repeat("7", 3_000)+`"}`))
	f.Add([]byte(fuzzID), []byte(`{"schema":`+strings.Repeat("7", 3_000)+`}`))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		e := newEntry(&kgo.Record{Key: key, Value: value, Offset: 3})
		require.EqualValues(t, 3, e.offset)
		if e.rejected != nil {
			require.Error(t, e.rejected.err)
			require.Less(t, len(e.rejected.err.Error()), 1<<10)
			return
		}
		require.Equal(t, string(key), e.alert.ID)
		require.Positive(t, e.alert.Revision)
		require.LessOrEqual(t, len(e.alert.Evidence), maxEvidence)
		require.NotEmpty(t, e.group)
	})
}

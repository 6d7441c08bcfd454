package sink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

// event produces an audit event and returns the evidence an alert would hold of it.
func (e *env) event(id string, more ...string) topics.Evidence {
	e.t.Helper()
	value := fmt.Sprintf(`{"timestamp":%q,"action":"auth.login.failure","status":"failure","id":%q%s}`,
		base.Format(time.RFC3339Nano), id, strings.Join(more, ""))
	r := &kgo.Record{Topic: eventsTopic, Partition: 1, Key: []byte("org-a/user"), Value: []byte(value),
		Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte{0, 255}}, {Key: "none"}}}
	e.produce(r)
	v := topics.Evidence{Role: "crossing", ID: id, Topic: eventsTopic, Partition: 1, Offset: r.Offset,
		Timestamp: topics.Timestamp(base.UnixNano()), Hash: "00ff", Outcome: "verified"}
	if len(id) > 40 {
		sum := sha256.Sum256([]byte(id))
		v.ID, v.IDSHA256 = "", hex.EncodeToString(sum[:])
	}
	return v
}

func withEvidence(all ...topics.Evidence) func(*topics.Alert) {
	return func(a *topics.Alert) { a.Evidence = all }
}

// settled waits until no evidence is pending and lists it: offset, status, detail.
func (e *env) settled() string {
	e.t.Helper()
	e.stored()
	eventually(e.t, func() bool {
		return query[int64](e, "SELECT count(*) FROM alert_evidence WHERE status = 'pending'") == 0
	}, "evidence to be settled")
	return query[string](e, `SELECT string_agg("offset" || ' ' || status || rtrim(' ' || detail), E'\n'
		ORDER BY "offset", status, detail COLLATE "C") FROM alert_evidence`)
}

func TestEvidenceIsCopied(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	longID := strings.Repeat("long-id-", 10)
	first, long := e.event("e-1"), e.event(longID)
	for i := range 300 { // more than a round takes; spread, so that the log is read in many places
		e.event(fmt.Sprint("noise-", i), `,"filler":"`, strings.Repeat("x", 2000), `"`)
	}
	last := e.event("e-2")
	s := e.start(e.config())
	e.send(newAlert(1, 1, withEvidence(first, long)), newAlert(1, 2, withEvidence(first, long, last)),
		newAlert(2, 1, withEvidence(first)))
	e.settled()
	s.end()
	require.EqualValues(t, 4, value(t, s.metrics.evidence.WithLabelValues(statusCopied)))

	d, err := NewQueries(e.pool).Get(t.Context(), Scope{Organization: "org-a"}, alertID(1))
	require.NoError(t, err)
	require.Len(t, d.Evidence, 3)
	require.Len(t, d.Alert.Evidence, 3)
	c := d.Evidence[0]
	require.Equal(t, "copied", c.Status)
	require.Equal(t, "e-1", c.ID)
	require.Equal(t, "org-a/user", string(c.Key))
	require.Contains(t, string(c.Value), `"id":"e-1"`)
	require.Equal(t, []topics.Header{{Key: "trace", Value: []byte{0, 255}}, {Key: "none"}}, c.Headers)
	sum := sha256.Sum256(c.Value)
	require.Equal(t, sum[:], c.ValueSHA256)
	record := RecordDigest(c.Key, c.Headers, c.Value)
	require.Equal(t, record[:], c.RecordSHA256)
	require.EqualValues(t, len(c.Key)+len(c.Value)+len("trace")+2+len("none"), c.RecordBytes)
	require.NotNil(t, c.RecordTime)
	require.Equal(t, longID, d.Evidence[1].ID)
	require.Equal(t, longID, d.Alert.Evidence[1].ID, "filled in from the record")
}

func TestEvidenceGoneOrOther(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	passed, kept := e.event("passed"), e.event("kept")
	other := e.event("other")
	other.ID = "another"
	otherTime := e.event("other-time")
	otherTime.Timestamp++
	recordTime := e.event("by-record-time") // as integrity alerts have it
	var logged time.Time
	require.NoError(t, func() error {
		cl, err := kgo.NewClient(append(e.kafka(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			eventsTopic: {1: kgo.NewOffset().At(recordTime.Offset)}}))...)
		if err != nil {
			return err
		}
		defer cl.Close()
		logged = cl.PollFetches(t.Context()).Records()[0].Timestamp
		return nil
	}())
	recordTime.Timestamp = topics.Timestamp(logged.UnixNano())
	_, err := e.adm.DeleteRecords(t.Context(), kadmOffset(eventsTopic, 1, kept.Offset))
	require.NoError(t, err)
	s := e.start(e.config())
	e.send(newAlert(1, 1, withEvidence(passed, kept, other, otherTime, recordTime)))
	require.Equal(t, strings.Join([]string{
		"0 gone the log had passed it: the first offset left is 1",
		"1 copied",
		"2 gone another record lies at this offset now: the topic was made again",
		"3 gone another record lies at this offset now: the topic was made again",
		"4 copied"}, "\n"), e.settled())
	s.end()
}

func TestEvidenceBeyondEndAndMissingTopic(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	far := e.event("far")
	far.Offset = 1000
	lost := far
	lost.Topic = "no.such.topic"
	s := e.start(e.config())
	e.send(newAlert(1, 1, withEvidence(far, lost)))
	e.stored()
	// It is asked for again, at growing distances, before it counts as gone.
	eventually(t, func() bool {
		return query[int64](e, `SELECT count(*) FROM alert_evidence
			WHERE status = 'pending' AND attempts = 1 AND next_try > now()`) == 2
	}, "first try")
	require.Empty(t, s.Health().Evidence)
	_, err := e.pool.Exec(t.Context(), "UPDATE alert_evidence SET next_try = now(), attempts = $1", copyTries-1)
	require.NoError(t, err)
	require.Equal(t, "1000 gone the offset lies beyond the end of the log\n1000 gone the topic does not exist",
		e.settled())
	s.end()
}

func TestEvidenceTooLarge(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	pad := func(n int) string { return `,"pad":"` + strings.Repeat("p", n) + `"` }
	var all []topics.Evidence
	all = append(all, e.event("huge", pad(900_000)), e.event("just over", pad(maxRecordBytes)))
	for i := range 6 { // 50 kB each: five fit
		all = append(all, e.event(fmt.Sprint("big-", i), pad(50_000)))
	}
	small := e.event("small")
	s := e.start(e.config())
	e.send(newAlert(1, 1, withEvidence(append(all, small)...)), newAlert(2, 1, withEvidence(all[7])))
	require.Equal(t, strings.Join([]string{
		"0 digest the record is larger than 64 kB",
		"1 digest the record is larger than 64 kB",
		"2 copied", "3 copied", "4 copied", "5 copied", "6 copied",
		"7 copied", // for alert 2
		"7 digest the records of the alert are larger than 256 kB together", // for alert 1
		"8 copied"}, "\n"), e.settled())
	s.end()
	require.EqualValues(t, 3, query[int64](e, `SELECT count(*) FROM alert_evidence WHERE status = 'digest'
		AND value IS NULL AND key IS NULL AND header_keys IS NULL AND stored_bytes = 0
		AND length(record_sha256) = 32 AND length(value_sha256) = 32`))
	require.Greater(t, query[int64](e, `SELECT record_bytes FROM alert_evidence WHERE "offset" = 0`), int64(900_000))
	require.LessOrEqual(t, query[int64](e, `SELECT max(sum)::bigint FROM (
		SELECT sum(stored_bytes) FROM alert_evidence GROUP BY alert_id) s`),
		int64(maxAlertBytes))
}

func TestEvidenceOff(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ev := e.event("e-1")
	cfg := e.config()
	cfg.EvidenceOff = []string{"org-b"}
	s := e.start(cfg)
	e.send(newAlert(1, 1, withEvidence(ev)),
		newAlert(2, 1, withEvidence(ev), func(a *topics.Alert) { a.Organization = "org-b" }))
	require.ElementsMatch(t, []string{"0 copied", "0 off"}, strings.Split(e.settled(), "\n"))
	s.end()
	require.Equal(t, "00ff", query[string](e, "SELECT hash FROM alert_evidence WHERE status = 'off' AND value IS NULL"))
}

func TestEvidenceSurvivesCrashAndTwoCopiers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var all []topics.Evidence
	for i := range 700 {
		all = append(all, e.event(fmt.Sprint("e-", i)))
	}
	for i := range 7 {
		e.send(newAlert(i, 1, withEvidence(all[i*100:(i+1)*100]...)))
	}
	var crashes atomic.Int32
	cfg := e.config()
	cfg.Probe = func(step Point) error {
		if strings.HasPrefix(string(step), "evidence") && crashes.Add(1) <= 4 {
			return errors.New("crash")
		}
		return nil
	}
	a := e.start(cfg)
	two := e.config()
	b := e.start(two)
	settled := e.settled()
	require.Equal(t, 700, strings.Count(settled, "copied"))
	eventually(t, func() bool { return a.Health().Evidence == "" }, "copier to be well again")
	a.end()
	b.end()
	require.EqualValues(t, 700, value(t, a.metrics.evidence.WithLabelValues(statusCopied))+
		value(t, b.metrics.evidence.WithLabelValues(statusCopied)), "each once")
}

func TestEvidenceAfterRestart(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ev := e.event("e-1")
	cfg := e.config()
	cfg.Probe = func(step Point) error {
		if step == PointTaken {
			return errors.New("no copies from this one")
		}
		return nil
	}
	s := e.start(cfg)
	e.send(newAlert(1, 1, withEvidence(ev)))
	e.stored()
	eventually(t, func() bool { return s.Health().Evidence != "" }, "trouble to show")
	require.True(t, s.Health().OK, "alerts are stored all the same")
	s.end()
	s = e.start(e.config())
	require.Equal(t, "0 copied", e.settled())
	s.end()
}

func TestEvidenceCompacted(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	compact := "compact"
	_, err := e.adm.CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, "compacted")
	require.NoError(t, err)
	for i := range 6 {
		e.produce(&kgo.Record{Topic: "compacted", Key: []byte{"abcbcb"[i]}, Value: []byte("not an event")})
	}
	e.cluster.Compact()
	s := e.start(e.config())
	var all []topics.Evidence
	for i := range 6 {
		all = append(all, topics.Evidence{Role: "crossing", Topic: "compacted", Offset: int64(i)})
	}
	e.send(newAlert(1, 1, withEvidence(all...)))
	settled := e.settled()
	s.end()
	require.Contains(t, settled, "0 copied")
	require.Contains(t, settled, "1 gone the log no longer holds it: compacted")
	require.Contains(t, settled, "5 copied")
}

func TestRecordDigest(t *testing.T) {
	t.Parallel()
	h := func(pairs ...string) (headers []topics.Header) {
		for i := 0; i < len(pairs); i += 2 {
			headers = append(headers, topics.Header{Key: pairs[i], Value: []byte(pairs[i+1])})
		}
		return headers
	}
	// By hand: no key, one header "a" = "b", value "v".
	want := sha256.Sum256([]byte("\x00" + "\x01" + "\x02a" + "\x02b" + "\x02v"))
	require.Equal(t, want, RecordDigest(nil, h("a", "b"), []byte("v")))
	seen := map[[32]byte]bool{}
	for _, d := range [][32]byte{
		RecordDigest(nil, nil, nil), RecordDigest([]byte{}, nil, nil), RecordDigest(nil, nil, []byte{}),
		RecordDigest(nil, h("", ""), nil), RecordDigest(nil, []topics.Header{{}}, nil),
		RecordDigest([]byte("a"), nil, []byte("b")), RecordDigest([]byte("ab"), nil, []byte{}),
		RecordDigest(bytes.Repeat([]byte("a"), 300), nil, nil),
	} {
		require.False(t, seen[d])
		seen[d] = true
	}
}

func TestFetcherAsksAloneForLargeBatches(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var places []place
	for i := range 4 { // each a batch beyond fetchBytes, in both partitions
		r := &kgo.Record{Topic: eventsTopic, Partition: int32(i % 2), Value: bytes.Repeat([]byte("x"), 5*fetchBytes)}
		e.produce(r)
		places = append(places, place{eventsTopic, r.Partition, r.Offset})
	}
	s, err := New(e.config())
	require.NoError(t, err)
	f, err := s.newFetcher()
	require.NoError(t, err)
	defer f.client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	all := f.records(ctx, []place{places[0], places[2], places[1], places[3]})
	for _, p := range places {
		require.True(t, all[p].there, "%v: %+v", p, all[p])
		require.Equal(t, 5*fetchBytes, all[p].size)
		require.Nil(t, all[p].value)
	}
}

package sink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/processortest/pgtest"
	"tocsin/topics"
)

var errStopped = errors.New("stopped by the test")

// layer is a database under test with what it shows of itself.
type layer struct {
	t     *testing.T
	store *store
	show  func() []string
}

// eachDatabase runs a test of the statement layer on both databases.
func eachDatabase(t *testing.T, test func(l *layer)) {
	t.Helper()
	at := func(t *testing.T, db Database, show func() []string) *layer {
		t.Helper()
		return &layer{t: t, show: show, store: &store{
			db: db, topic: alertsTopic, timeout: wait, probe: func(Point) error { return nil },
		}}
	}
	t.Run("memory", func(t *testing.T) {
		m := NewMemory(time.Now)
		test(at(t, m.View(func(do func()) error { do(); return nil }), m.Snapshot))
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := pgtest.NewDatabase(t)
		_, err := Migrate(t.Context(), dsn)
		require.NoError(t, err)
		e := &env{t: t, dsn: dsn, pool: newPool(t, dsn)}
		test(at(t, postgres{e.pool}, func() []string {
			text := query[string](e, `
				SELECT coalesce(string_agg(line, E'\n'), '') FROM (
					SELECT 'alert ' || id || ' ' || revision || ' ' || state FROM alerts
					UNION ALL SELECT 'history ' || alert_id || ' ' || revision || ' ' || state FROM alert_history
					UNION ALL SELECT 'outbox ' || alert_id || ' ' || revision || ' ' || kind FROM outbox
					UNION ALL SELECT 'evidence ' || alert_id || ' ' || topic || ' ' || partition || ' ' || "offset" || ' ' || status
						|| ' ' || event_id FROM alert_evidence
					UNION ALL SELECT 'reject ' || partition || ' ' || "offset" FROM alert_rejects
				) l (line)`)
			lines := strings.Split(text, "\n")
			slices.Sort(lines)
			return lines
		}))
	})
}

var thisTopic, otherTopic = topicID{1}, topicID{2}

// claim reads positions where the log begins at zero.
func (l *layer) claim(t *testing.T, id topicID, partitions ...int32) (map[int32]int64, error) {
	t.Helper()
	spans := map[int32]span{}
	for _, p := range partitions {
		spans[p] = span{start: int64(p)}
	}
	return l.store.claim(t.Context(), id, partitions, spans)
}

func (l *layer) position(t *testing.T, partition int32) int64 {
	t.Helper()
	at, err := l.store.reread(t.Context(), thisTopic, []int32{partition})
	require.NoError(t, err)
	return at[partition]
}

// batchOf is a batch of one partition.
func batchOf(t *testing.T, partition int32, expected int64, alerts ...*topics.Alert) batch {
	t.Helper()
	var records []*kgo.Record
	for i, a := range alerts {
		r := record(t, a)
		r.Offset = expected + int64(i)
		records = append(records, r)
	}
	return batch{newPart(partition, expected, records)}
}

// A position is stored once, at the log's beginning, and is nobody else's.
func TestDatabasePositions(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(l *layer) {
		t := l.t
		at, err := l.claim(t, thisTopic, 2, 1)
		require.NoError(t, err)
		require.Equal(t, map[int32]int64{1: 1, 2: 2}, at)
		_, err = l.store.apply(t.Context(), thisTopic, batchOf(t, 1, 1, newAlert(1, 1)))
		require.NoError(t, err)
		at, err = l.claim(t, thisTopic, 1, 3)
		require.NoError(t, err)
		require.Equal(t, map[int32]int64{1: 2, 3: 3}, at)
		_, err = l.claim(t, otherTopic, 1)
		require.ErrorIs(t, err, ErrTopicRecreated)
	})
}

// The fence: who expects another position than the one that is stored changes nothing, also not in other partitions.
func TestDatabaseFence(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(l *layer) {
		t := l.t
		_, err := l.claim(t, thisTopic, 0, 1)
		require.NoError(t, err)
		first := batchOf(t, 0, 0, newAlert(1, 1), newAlert(2, 1))
		_, err = l.store.apply(t.Context(), thisTopic, first)
		require.NoError(t, err)
		before := l.show()
		for _, stale := range []batch{
			first, // again
			batchOf(t, 0, 1, newAlert(2, 1)),
			append(batchOf(t, 0, 5, newAlert(3, 1)), batchOf(t, 1, 1, newAlert(4, 1))...),
			append(batchOf(t, 0, 2, newAlert(3, 1)), batchOf(t, 1, 0, newAlert(4, 1))...),
			batchOf(t, 7, 0, newAlert(5, 1)), // never claimed
		} {
			_, err = l.store.apply(t.Context(), thisTopic, stale)
			require.ErrorIs(t, err, errFenced)
			require.Equal(t, before, l.show())
			require.EqualValues(t, 2, l.position(t, 0))
			require.EqualValues(t, 1, l.position(t, 1))
		}
	})
}

// What was stopped before it was committed is not there; what was stopped after it is, and the fence says so.
func TestDatabaseAtomic(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(l *layer) {
		t := l.t
		_, err := l.claim(t, thisTopic, 0)
		require.NoError(t, err)
		empty := l.show()
		b := batchOf(t, 0, 0, newAlert(1, 1))
		for _, at := range []Point{PointBegun, PointLocked, PointWritten} {
			l.store.probe = func(p Point) error {
				if p == at {
					return errStopped
				}
				return nil
			}
			_, err := l.store.apply(t.Context(), thisTopic, b)
			require.ErrorIs(t, err, errStopped)
			require.Equal(t, empty, l.show())
			require.Zero(t, l.position(t, 0))
		}
		l.store.probe = func(p Point) error {
			if p == PointCommitted {
				return errStopped
			}
			return nil
		}
		_, err = l.store.apply(t.Context(), thisTopic, b)
		require.ErrorIs(t, err, errStopped)
		require.EqualValues(t, 1, l.position(t, 0))
		_, err = l.store.apply(t.Context(), thisTopic, b)
		require.ErrorIs(t, err, errFenced)
	})
}

// Evidence waits until it is settled, once.
func TestDatabaseEvidence(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(l *layer) {
		t := l.t
		_, err := l.claim(t, thisTopic, 0)
		require.NoError(t, err)
		a := newAlert(1, 1, withEvidence(topics.Evidence{Topic: eventsTopic, Offset: 1, ID: "a", Role: "crossing"},
			topics.Evidence{Topic: eventsTopic, Offset: 2, ID: "b", Role: "crossing"}))
		_, err = l.store.apply(t.Context(), thisTopic, batchOf(t, 0, 0, a))
		require.NoError(t, err)
		round := func(limit int, status string) (taken, pending int64) {
			require.NoError(t, l.store.db.transact(t.Context(), func(q statements) error {
				rows, err := q.takePending(t.Context(), limit)
				require.NoError(t, err)
				var all []settlement
				for i := range rows {
					all = append(all, settlement{&rows[i], &found{why: "test"}, status})
				}
				require.NoError(t, q.settle(t.Context(), all))
				pending, err = q.countPending(t.Context(), 10)
				taken = int64(len(rows))
				return err
			}))
			return taken, pending
		}
		taken, pending := round(1, statusGone)
		require.Equal(t, [2]int64{1, 1}, [2]int64{taken, pending})
		taken, pending = round(5, statusPending)
		require.Equal(t, [2]int64{1, 1}, [2]int64{taken, pending}, "put off")
		taken, pending = round(5, statusGone)
		require.Equal(t, [2]int64{0, 1}, [2]int64{taken, pending}, "not due yet")
	})
}

// The same batches, drawn at random, with second deliveries, old revisions and stops, leave the same in both.
func TestDatabasesAgree(t *testing.T) {
	t.Parallel()
	shown := map[string][]string{}
	eachDatabase(t, func(l *layer) {
		t := l.t
		rng := rand.New(rand.NewPCG(4, 4))
		_, err := l.claim(t, thisTopic, 0, 1)
		require.NoError(t, err)
		l.store.probe = func(p Point) error {
			if rng.IntN(40) == 0 {
				return fmt.Errorf("%w at %s", errStopped, p)
			}
			return nil
		}
		for range 120 {
			partition := int32(rng.IntN(2))
			var alerts []*topics.Alert
			for range 1 + rng.IntN(5) {
				alerts = append(alerts, newAlert(2*rng.IntN(6)+int(partition), 1+rng.IntN(9), func(a *topics.Alert) {
					a.State = []string{topics.StateOpen, topics.StateClosed, topics.StateMerged}[rng.IntN(3)]
				}))
			}
			b := batchOf(t, partition, l.position(t, partition), alerts...)
			if rng.IntN(5) == 0 {
				b[0].entries[0].rejected = &rejection{err: errors.New("no alert")}
			}
			_, err := l.store.apply(context.Background(), thisTopic, b)
			if err != nil {
				require.ErrorIs(t, err, errStopped)
			}
		}
		lines := l.show()
		for i, line := range lines { // the records themselves are compared elsewhere
			if strings.HasPrefix(line, "alert ") {
				lines[i] = strings.Join(strings.Fields(line)[:4], " ")
			}
		}
		shown[t.Name()] = lines
	})
	require.Len(t, shown, 2)
	require.Greater(t, len(shown["TestDatabasesAgree/memory"]), 50)
	require.Equal(t, shown["TestDatabasesAgree/postgres"], shown["TestDatabasesAgree/memory"])
}

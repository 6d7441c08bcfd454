package sink

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// watched is what a watch has passed on, as text.
func watched(t *testing.T, w *Watch, now time.Time) (lines []string) {
	t.Helper()
	for {
		fresh, more, err := w.Next(t.Context(), now)
		require.NoError(t, err)
		for _, h := range fresh {
			lines = append(lines, fmt.Sprintf("%s %d %s of %s", h.Kind, h.Revision, h.ToStatus, h.Alert.Group["principal"]))
			require.Empty(t, h.Alert.Evidence)
		}
		if !more {
			return lines
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	q := NewQueries(e.pool)
	s := e.start(e.config())
	operator, orgB := Scope{Operator: true}, Scope{Organization: "org-b"}
	e.send(newAlert(1, 1))
	e.stored()

	now := time.Unix(0, 0)
	fromNow, fromBefore := q.Watch(operator, Filter{}, 0), q.Watch(operator, Filter{}, time.Hour)
	ofB, low := q.Watch(orgB, Filter{}, time.Hour), q.Watch(operator, Filter{Severities: []string{"LOW"}}, time.Hour)
	require.Empty(t, watched(t, fromNow, now))
	require.Equal(t, []string{"revision 1  of user-1"}, watched(t, fromBefore, now))
	require.Empty(t, watched(t, ofB, now))

	e.send(newAlert(1, 2))
	e.stored()
	e.send(newAlert(2, 1, organization("org-b")))
	e.stored()
	for _, w := range []*Watch{fromNow, fromBefore} {
		require.Equal(t, []string{"revision 2  of user-1", "revision 1  of user-2"}, watched(t, w, now))
		require.Empty(t, watched(t, w, now), "once each")
	}
	require.Equal(t, []string{"revision 1  of user-2"}, watched(t, ofB, now))
	require.Empty(t, watched(t, low, now))

	// A row with a lower number that is committed later.
	begun, done := make(chan struct{}), make(chan error, 1)
	commit := make(chan struct{})
	finish := sync.OnceFunc(func() { close(commit) })
	defer finish()
	go func() {
		done <- pgx.BeginFunc(context.Background(), e.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(context.Background(), "SET LOCAL ROLE "+RoleSink); err != nil {
				return err
			}
			_, err := tx.Exec(context.Background(), `INSERT INTO alert_history (alert_id, organization, actor, kind,
				from_status, to_status) VALUES ($1, 'org-b', 'alice', 'status', 'open', 'acknowledged')`, alertID(2))
			close(begun)
			<-commit
			return err
		})
	}()
	<-begun
	e.send(newAlert(1, 3))
	e.stored()
	require.Equal(t, []string{"revision 3  of user-1"}, watched(t, fromNow, now))
	now = now.Add(watchSettle - 1)
	require.Empty(t, watched(t, fromNow, now))
	finish()
	require.NoError(t, <-done)
	require.Equal(t, []string{"status 0 acknowledged of user-2"}, watched(t, fromNow, now))
	require.Empty(t, watched(t, fromNow, now))
	require.Empty(t, fromNow.seen, "settled: no number is missing")
	s.end()
}

// TestWatchForgets: what is remembered is bounded by time and number.
func TestWatchForgets(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	w := &Watch{seen: map[int64]time.Time{}}
	for seq := int64(1); seq <= 10; seq++ {
		w.seen[3*seq] = now // numbers between belong to others
	}
	w.settle(now)
	require.Len(t, w.seen, 10)
	w.settle(now.Add(watchSettle))
	require.Empty(t, w.seen)
	require.Equal(t, int64(30), w.floor)
	for seq := range int64(watchMost + 5) {
		w.seen[100+3*seq] = now
	}
	w.settle(now)
	require.Len(t, w.seen, watchMost)
	require.Equal(t, int64(100+3*4), w.floor)
}

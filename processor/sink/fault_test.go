package sink

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"tocsin/processor/embedded"
	"tocsin/processor/processortest/pgtest"
	"tocsin/topics"
)

// A crash at each step of the first transactions, by a context that ends there for good, and then another process.
func TestCrashBetweenSteps(t *testing.T) {
	t.Parallel()
	alerts := script(2, 60)
	for _, step := range []Point{PointBegun, PointLocked, PointWritten, PointCommitted} {
		for _, nth := range []int32{1, 2, 4} {
			t.Run(string(step), func(t *testing.T) {
				t.Parallel()
				e := newEnv(t)
				e.send(alerts...)
				var calls atomic.Int32
				var first *running
				cfg := e.config()
				cfg.MaxBatch = 10
				ready := make(chan struct{})
				cfg.Probe = func(at Point) error {
					if at == step && calls.Add(1) == nth {
						<-ready
						first.stop()
						return errors.New("crash")
					}
					return nil
				}
				first = e.start(cfg)
				close(ready)
				<-first.done
				require.NoError(t, first.err)
				require.Equal(t, nth, calls.Load())
				second := e.start(e.config())
				e.stored()
				second.end()
				e.requireModel(alerts)
			})
		}
	}
}

// faultyConn breaks at the n-th operation counted over all connections of a pool, reads and writes alike: so also when
// COMMIT has been sent and its answer is lost.
type faultyConn struct {
	net.Conn
	left *atomic.Int64
}

var errCut = errors.New("connection cut by the test")

func (c *faultyConn) cut() bool {
	if c.left.Add(-1) != 0 {
		return false
	}
	_ = c.Conn.Close()
	return true
}

func (c *faultyConn) Write(b []byte) (int, error) {
	if c.cut() {
		return 0, errCut
	}
	return c.Conn.Write(b)
}

func (c *faultyConn) Read(b []byte) (int, error) {
	if c.cut() {
		return 0, errCut
	}
	return c.Conn.Read(b)
}

func faultyPool(t testing.TB, dsn string, left *atomic.Int64) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &faultyConn{conn, left}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestConnectionCutAnywhere(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	alerts := script(3, 40)
	e.send(alerts...)
	truncate := "ALTER TABLE alert_history DISABLE TRIGGER USER; " +
		"TRUNCATE alerts, alert_history, outbox, alert_evidence, alert_rejects, sink_offsets; " +
		"ALTER TABLE alert_history ENABLE TRIGGER USER"
	retried := 0
	for n := int64(1); ; n++ {
		var left atomic.Int64
		left.Store(n)
		cfg := e.config()
		cfg.Pool, cfg.MaxBatch, cfg.EvidenceEvery = faultyPool(t, e.dsn, &left), 25, time.Hour
		s := e.start(cfg)
		e.stored()
		s.end()
		cfg.Pool.Close()
		e.requireModel(alerts)
		if value(t, s.metrics.retries)+value(t, s.metrics.fenced) > 0 {
			retried++
		}
		if left.Load() > 0 { // it went through without the cut
			break
		}
		_, err := e.pool.Exec(t.Context(), truncate)
		require.NoError(t, err)
	}
	require.Greater(t, retried, 20)
	t.Log("cuts that led to another try:", retried)
}

func TestPostgresAway(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	server := pgtest.Start(t, embedded.PostgresConfig{Dir: dir})
	require.NoError(t, server.CreateDatabase(t.Context(), "alerts"))
	e := newEnvOn(t, server.DSN("alerts"))
	first, second := script(4, 50), script(5, 50)
	s := e.start(e.config())
	e.send(first...)
	e.stored()
	before := s.Health()
	require.True(t, before.OK)

	port := server.Port()
	require.NoError(t, server.Stop(t.Context()))
	e.send(second...)
	eventually(t, func() bool { return !s.Health().OK }, "trouble to show")
	down := s.Health()
	require.True(t, down.Since.After(before.Since))
	require.Contains(t, down.Reason, "store alerts")
	eventually(t, func() bool { return value(t, s.metrics.retries) > 5 }, "retries")
	require.Equal(t, down.Since, s.Health().Since, "since when, not since the last try")
	eventually(t, func() bool { return s.Health().Lag > 0 }, "lag to show")

	pgtest.Start(t, embedded.PostgresConfig{Dir: dir, Port: port})
	e.stored()
	eventually(t, func() bool { return s.Health().OK && s.Health().Evidence == "" }, "recovery")
	require.Empty(t, s.Health().Reason)
	s.end()
	e.requireModel(append(first, second...))
}

func TestStartsWithoutPostgres(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	server := pgtest.Start(t, embedded.PostgresConfig{Dir: dir})
	require.NoError(t, server.CreateDatabase(t.Context(), "alerts"))
	e := newEnvOn(t, server.DSN("alerts"))
	alerts := script(6, 30)
	e.send(alerts...)
	port := server.Port()
	require.NoError(t, server.Stop(t.Context()))
	s := e.start(e.config())
	eventually(t, func() bool { return value(t, s.metrics.retries) > 3 }, "tries")
	require.Contains(t, s.Health().Reason, "read positions")
	pgtest.Start(t, embedded.PostgresConfig{Dir: dir, Port: port})
	e.stored()
	s.end()
	e.requireModel(alerts)
}

func TestUnpreparedDatabase(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.send(newAlert(1, 1))
	empty := e.config()
	empty.Pool = newPool(t, pgtest.NewDatabase(t))
	s := e.start(empty)
	eventually(t, func() bool { return value(t, s.metrics.retries) > 0 }, "tries")
	require.Contains(t, s.Health().Reason, "tocsin migrate up")
	s.end()
	require.Zero(t, value(t, s.metrics.rejects.WithLabelValues("sqlstate_22")))
}

func TestTwoSinksFence(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	// Two groups that know nothing of each other: both are assigned everything, which must never happen, and must not
	// matter.
	one, two := e.config(), e.config()
	two.Group, one.MaxBatch, two.MaxBatch = "another", 3, 7
	a, b := e.start(one), e.start(two)
	alerts := script(7, 400)
	e.send(alerts...)
	e.stored()
	met := func() bool { return value(t, a.metrics.fenced)+value(t, b.metrics.fenced) > 0 }
	for round := uint64(8); round < 58 && !met(); round++ { // on a busy machine one may do all the work while the other waits
		more := script(round, 400)
		alerts = append(alerts, more...)
		e.send(more...)
		e.stored()
	}
	// The database has committed; whether the sinks have heard of it before they are told to end is another matter.
	applied := func() float64 { return value(t, a.metrics.applied) + value(t, b.metrics.applied) }
	eventually(t, func() bool {
		return applied()+value(t, a.metrics.duplicates)+value(t, b.metrics.duplicates) >= float64(len(alerts))
	}, "every record to be counted as stored")
	a.end()
	b.end()
	e.requireModel(alerts)
	require.True(t, met(), "they should have met")
	require.EqualValues(t, query[int64](e, "SELECT count(*) FROM alert_history"), applied())
	require.EqualValues(t, len(alerts), applied()+value(t, a.metrics.duplicates)+value(t, b.metrics.duplicates),
		"every record is stored by one of them")
}

func TestPartitionsMove(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	alerts := script(8, 500)
	first := e.start(e.config())
	e.send(alerts[:100]...)
	second := e.start(e.config())
	e.send(alerts[100:250]...)
	eventually(t, func() bool { return second.Health().OK }, "second to get a share")
	first.end()
	e.send(alerts[250:]...)
	e.stored()
	second.end()
	e.requireModel(alerts)
}

func TestAlertChangedByAnother(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.send(newAlert(1, 2))
	cfg := e.config()
	done := false
	cfg.Probe = func(step Point) error {
		if step != PointLocked || done {
			return nil
		}
		done = true // another partition's sink stores the same alert between our look and our write
		_, err := e.pool.Exec(context.Background(), `INSERT INTO alerts (id, revision, rule_id, rule_version, rule_kind,
			organization, organization_trusted, group_values, severity, type, state, title, count, approximate,
			first_seen, last_seen, crossing, mode, record) VALUES ($1, 2, 'r', '', '', 'org-a', true, '{}', '', '', 'open',
			'', 1, false, now(), now(), now(), 'live', '{}')`, alertID(1))
		return err
	}
	s := e.start(cfg)
	e.stored()
	// The database has committed; whether the sink has heard of it before it is told to end is another matter.
	eventually(t, func() bool { return value(t, s.metrics.duplicates) == 1 }, "the revision to be counted as a duplicate")
	s.end()
	require.Zero(t, query[int64](e, "SELECT count(*) FROM alert_rejects"))
}

func TestTopicMadeAgain(t *testing.T) {
	t.Parallel()
	for _, whileRunning := range []bool{false, true} {
		t.Run(map[bool]string{false: "before start", true: "while running"}[whileRunning], func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			alerts := script(9, 20)
			e.send(alerts...)
			s := e.start(e.config())
			e.stored()
			if !whileRunning {
				s.end()
			}
			_, err := e.adm.DeleteTopics(t.Context(), alertsTopic)
			require.NoError(t, err)
			_, err = e.adm.CreateTopic(t.Context(), 3, 1, nil, alertsTopic)
			require.NoError(t, err)
			if !whileRunning {
				s = e.start(e.config())
			}
			err = s.failure()
			require.ErrorIs(t, err, ErrTopicRecreated)
			require.ErrorContains(t, err, "DELETE FROM sink_offsets WHERE topic = 'audit.alerts' AND topic_id = '")
			require.False(t, s.Health().OK)
			require.Contains(t, s.Health().Reason, "deleted and made again")
			before := e.snapshot()

			// The remedy, as the message has it.
			_, err = e.pool.Exec(t.Context(), remedy(err))
			require.NoError(t, err)
			e.client.PurgeTopicsFromClient(alertsTopic)
			e.send(alerts...)
			s = e.start(e.config())
			e.stored()
			s.end()
			require.Equal(t, before, e.snapshot())
		})
	}
}

func TestTopicTruncated(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.start(e.config())
	e.send(newAlert(1, 1))
	e.stored()
	s.end()
	p := int32(alertID(1)[0]) % 3
	for r := 2; r <= 10; r++ {
		e.send(newAlert(1, r))
	}
	_, err := e.adm.DeleteRecords(t.Context(), kadmOffset(alertsTopic, p, 5))
	require.NoError(t, err)
	s = e.start(e.config())
	err = s.failure()
	require.ErrorIs(t, err, ErrTruncated)
	require.ErrorContains(t, err, "4 offsets are gone")
	require.EqualValues(t, 1, query[int64](e, "SELECT revision FROM alerts"))
	_, err = e.pool.Exec(t.Context(), remedy(err))
	require.NoError(t, err)
	s = e.start(e.config())
	e.stored()
	s.end()
	require.EqualValues(t, 10, query[int64](e, "SELECT revision FROM alerts"))
}

func TestPositionBeyondEnd(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.start(e.config())
	e.send(newAlert(1, 1))
	e.stored()
	s.end()
	_, err := e.pool.Exec(t.Context(), "UPDATE sink_offsets SET next = 100")
	require.NoError(t, err)
	cfg := e.config()
	cfg.beyondGrace = 30 * time.Millisecond
	s = e.start(cfg)
	err = s.failure()
	require.ErrorIs(t, err, ErrBeyondEnd)
	require.Contains(t, remedy(err), "UPDATE sink_offsets SET next = ")
}

func TestBrokerAway(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.send(newAlert(1, 1, func(a *topics.Alert) { a.Evidence = []topics.Evidence{{Topic: "nowhere"}} }))
	s := e.start(e.config())
	e.stored()
	e.cluster.Close()
	eventually(t, func() bool { return !s.Health().OK }, "trouble to show")
	require.Contains(t, s.Health().Reason, "look at the alerts topic")
	s.end()
}

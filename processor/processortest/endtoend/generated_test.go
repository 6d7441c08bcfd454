package endtoend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"tocsin/bench/collect"
	"tocsin/bench/compare"
	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/processor/detect"
	"tocsin/processor/embedded"
	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/pgtest"
	"tocsin/processor/processortest/program"
)

const partitions = 8

// maxRSS is the most memory the whole process may take at its peak.
const maxRSS = 512 << 20

// sizes of the generated runs.
func generatedRecords() int {
	if long() {
		return 2_000_000
	}
	return 200_000
}

func killCount() int {
	if long() {
		return 10
	}
	return 3
}

// newGenerated makes an application whose input holds a whole generated stream.
func newGenerated(t *testing.T, app string, brokers []string, dsn string, n int) (*env, *generate.Generator) {
	t.Helper()
	mix := generate.Default(n)
	g, err := generate.New(mix)
	require.NoError(t, err)
	e := newEnv(t, app, brokers, dsn, partitions, fmt.Sprintf("verify: {hmac_secret: %q}\n", mix.Secret))
	require.NoError(t, produce.CreateTopic(t.Context(), e.Kafka(), e.Input(), partitions))
	e.cli("topics", "init")
	e.cli("migrate", "up")
	return e, g
}

func (e *env) produce(g *generate.Generator, from, to int, ticks bool) {
	r, err := produce.Stream(e.t.Context(), g, produce.Config{Kafka: e.Kafka(), Topic: e.Input(), Partitions: partitions,
		From: from, To: to, Ticks: ticks})
	require.NoError(e.t, err)
	e.t.Logf("produced %d records, %d MB in %s", r.Records, r.Bytes>>20, r.Elapsed.Round(time.Millisecond))
}

// checkGenerated holds everything that was written against the oracle: ids, crossings, revisions and counts (above the
// cap ids and crossings), the dead letters with their reasons, and Postgres against the topic.
func (e *env) checkGenerated(g *generate.Generator, p *process) {
	began := time.Now()
	lap := func(what string) { e.t.Logf("%s after %s", what, time.Since(began).Round(time.Millisecond)) }
	want, err := g.Expect(g.Records(), partitions, true)
	require.NoError(e.t, err)
	rules, err := detect.Compile(detect.Default())
	require.NoError(e.t, err)
	lap("expectation")
	alerts := e.alerts()
	lap("alerts read")
	found := compare.Alerts(want, alerts, rules, compare.Options{})
	require.NoError(e.t, found.Err())
	letters, err := collect.DeadLetters(e.t.Context(), e.Kafka(), e.DeadLetters())
	require.NoError(e.t, err)
	require.NoError(e.t, compare.DeadLetters(want, letters).Err())
	lap("compared")
	e.waitStored(2*time.Minute, p, alerts)
	lap("stored")
	e.t.Logf("%d records: %d alerts in %d revisions (%d above the cap), %d dead letters, all as the oracle says",
		g.Records(), found.Alerts, found.Revisions, found.AboveCap, len(letters))
}

// TestGeneratedKills: a generated load through real Kafka with kill -9 in its midst gives what the oracle gives, each
// restart reads the tail of the changelog only, memory stays bounded; afterwards the state can be rebuilt from the
// changelog, and from the raw input, with the same digest.
func TestGeneratedKills(t *testing.T) {
	t.Parallel()
	broker := kafkatest.Shared(t)
	n := generatedRecords()
	e, g := newGenerated(t, "kills", broker.Addrs(), pgtest.NewDatabase(t), n)
	e.produce(g, 0, n, true)
	adm, done := e.admin()
	defer done()

	within := 0
	for i := range killCount() {
		p := e.start()
		goal := int64(n) * int64(killCount()-i) / int64(killCount()+1)
		e.until(5*time.Minute, p, func() error {
			left, err := e.Unread(t.Context(), adm)
			if err == nil && left > goal {
				err = fmt.Errorf("%d records are unread", left)
			}
			return err
		})
		rss := peakRSS(t, p)
		e.until(time.Minute, p, func() error { // aim between first produce and commit
			if e.openTransactions(adm) == 0 {
				return errors.New("no transaction is open")
			}
			return nil
		})
		p.kill()
		left, err := e.Unread(t.Context(), adm)
		require.NoError(t, err)
		require.GreaterOrEqual(t, left, int64(10_000), "kills are made while there is work to do")
		open := e.openTransactions(adm)
		if open > 0 {
			within++
		}
		require.LessOrEqual(t, rss, int64(maxRSS))
		restores := p.restores()
		t.Logf("kill %d at %d unread, %d changelog partitions in an open transaction, peak %d MB, restored before: %s", i+1, left, open,
			rss>>20, strings.Join(restores, ", "))
		p.checkRestores(i == 0, 1) // the others may not have come to it
	}
	t.Logf("%d of %d kills fell between first produce and commit", within, killCount())
	if long() { // three kills are too few to promise one
		require.GreaterOrEqual(t, within, 3, "kills between first produce and commit")
	}

	p := e.start()
	e.waitJudged(5*time.Minute, p)
	e.checkGenerated(g, p)
	require.LessOrEqual(t, peakRSS(t, p), int64(maxRSS))
	t.Logf("last run: peak %d MB, restored: %s", peakRSS(t, p)>>20, strings.Join(p.restores(), ", "))
	p.checkRestores(false, partitions)
	p.stop()

	before := e.cli("state", "inspect", "--digest", "--output", "json")
	require.NoError(t, os.RemoveAll(filepath.Join(e.Dir, "data")))
	p = e.start()
	e.waitReady(p)
	p.stop()
	after := e.cli("state", "inspect", "--digest", "--output", "json")
	require.Equal(t, digests(before), digests(after), "after a full restore")

	replayed := e.cli("replay", "--out", filepath.Join(e.Dir, "replayed.ndjson"), "--output", "json")
	require.Equal(t, hashes(before), hashes(replayed), "from the raw input")
	require.Equal(t, e.liveAlerts(), readAlerts(t, filepath.Join(e.Dir, "replayed.ndjson")), "replay gives the same records but for mode")
}

// TestGeneratedOutages: broker and database go away in the midst of the load and come back; nothing is lost or doubled,
// and nobody has to help.
func TestGeneratedOutages(t *testing.T) {
	t.Parallel()
	away, n := 5*time.Second, 60_000
	if long() {
		away, n = 30*time.Second, 400_000
	}
	broker := kafkatest.Start(t, kafkatest.Config{Properties: map[string]string{
		"broker.session.timeout.ms": "120000", // the controller must not take a silent broker for dead, for the same reason
	}})
	dir := pgtest.TempDir(t)
	database := pgtest.Start(t, embedded.PostgresConfig{Dir: dir})
	require.NoError(t, database.CreateDatabase(t.Context(), "outages"))
	e, g := newGenerated(t, "outages", broker.Addrs(), database.DSN("outages"), n)
	p := e.start()
	e.waitReady(p)
	e.produce(g, 0, n/2, false)

	// Away is either stopped in order, or silent. It is not killed: a single broker that comes back can drop the markers
	// of a transaction that was being ended, and then its records stay open for ever.
	if long() {
		require.NoError(t, broker.Stop(t.Context()))
		pause(t, away)
		require.NoError(t, broker.Restart(t.Context()))
	} else {
		require.NoError(t, broker.Pause())
		pause(t, away)
		broker.Resume()
	}
	e.produce(g, n/2, n*3/4, false)

	port := database.Port()
	require.NoError(t, database.Stop(t.Context()))
	e.produce(g, n*3/4, n, true)
	pause(t, away)
	e.until(time.Minute, p, func() error { return e.notReady("not being stored") })
	pgtest.Start(t, embedded.PostgresConfig{Dir: dir, Port: port})

	e.waitJudged(5*time.Minute, p)
	e.checkGenerated(g, p)
	e.waitReady(p)
	p.stop()
}

// pause lets an outage last. It is no synchronisation: how long the outage takes is what is tested.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// openTransactions counts the changelog partitions that a transaction is open on.
func (e *env) openTransactions(adm *kadm.Client) int {
	ctx, cancel := context.WithTimeout(e.t.Context(), 10*time.Second)
	defer cancel()
	open, err := e.OpenTransactions(ctx, adm)
	require.NoError(e.t, err)
	return open
}

// restores tells how the process restored its partitions, from its log.
func (p *process) restores() (out []string) {
	for _, l := range p.lines() {
		if l["msg"] == "restored" {
			out = append(out, fmt.Sprintf("%v:%v %v records %v transactions", l["partition"], l["mode"], l["records"], l["transactions"]))
		}
	}
	return out
}

// checkRestores: at least so many partitions were restored, and after the first start every restore reads the tail, of
// at most two transactions.
func (p *process) checkRestores(first bool, atLeast int) {
	n := map[any]bool{}
	for _, l := range p.lines() {
		if l["msg"] != "restored" {
			continue
		}
		n[l["partition"]] = true
		if first {
			continue
		}
		require.Equal(p.e.t, "tail", l["mode"], "a restart must not wipe: %v", l)
		require.LessOrEqual(p.e.t, l["transactions"], float64(2), "%v", l)
	}
	require.GreaterOrEqual(p.e.t, len(n), atLeast, "partitions restored")
}

// peakRSS reads the largest memory use of the process so far, in bytes.
func peakRSS(t *testing.T, p *process) int64 {
	t.Helper()
	rss, err := program.PeakRSS(p.cmd.Process.Pid)
	require.NoError(t, err)
	return rss
}

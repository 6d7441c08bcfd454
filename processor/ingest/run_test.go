package ingest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tocsin/topics"
	"tocsin/topics/readlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const inputTopic = "audit.events"

// broker starts a broker with an input topic and returns what a run needs.
func broker(t *testing.T, partitions int32, settings map[string]string) Config {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	plain, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	require.NoError(t, err)
	defer plain.Close()
	require.NoError(t, c.CreateTopic(inputTopic, partitions, settings))
	info, err := DescribeTopic(context.Background(), plain, inputTopic)
	require.NoError(t, err)
	cl, err := kgo.NewClient(append(ClientOptions(info), kgo.SeedBrokers(c.ListenAddrs()...))...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	key, err := topics.ParseKeyTemplate(topics.DefaultKeyTemplate)
	require.NoError(t, err)
	return Config{Options: testOptions(), Client: cl, Topic: inputTopic, Info: info, Key: key}
}

// consume reads n records of the topic, by partition.
func consume(t *testing.T, cfg Config, n int) map[int32][]*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	seeds := kgo.SeedBrokers(cfg.Client.OptValue(kgo.SeedBrokers).([]string)...)
	cl, err := kgo.NewClient(seeds, kgo.ConsumeTopics(inputTopic))
	require.NoError(t, err)
	defer cl.Close()
	got := map[int32][]*kgo.Record{}
	for n > 0 {
		fs := cl.PollFetches(ctx)
		require.NoError(t, fs.Err())
		fs.EachRecord(func(r *kgo.Record) { got[r.Partition] = append(got[r.Partition], r); n-- })
	}
	return got
}

func event(at time.Time, principal string) string {
	return fmt.Sprintf(`{"timestamp":%q,"action":"a","status":"success","principalId":%q,"organizationId":"o"}`,
		at.Format(time.RFC3339Nano), principal)
}

var day = time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)

func TestRunHistoricSortsStampsAndTicks(t *testing.T) {
	cfg := broker(t, 3, map[string]string{"retention.ms": "-1"})
	cfg.Historic, cfg.TickAfter = true, time.Hour
	in := strings.Join([]string{
		"garbage first",
		event(day.Add(3*time.Second), "u1"),
		event(day.Add(1*time.Second), "u1"),
		"garbage after 1",
		event(day.Add(2*time.Second), "u1"),
		event(day.Add(1*time.Second), "u1") + " ",
	}, "\n")
	res, err := Run(context.Background(), cfg, []string{Stdin}, strings.NewReader(in))
	require.NoError(t, err)
	require.Equal(t, int64(6), res.Read)
	require.Equal(t, int64(6), res.Sent)
	require.Equal(t, int64(2), res.Undated)
	require.Equal(t, int64(3), res.Ticks)
	require.Equal(t, day.Add(3*time.Second+time.Hour), res.TickTime)
	require.False(t, res.TickEarly)

	var user, garbage []*kgo.Record
	for _, rs := range consume(t, cfg, 9) {
		require.NotEmpty(t, rs)
		tick := rs[len(rs)-1]
		require.True(t, isTick(tick))
		require.Equal(t, day.Add(3*time.Second+time.Hour).UnixMilli(), tick.Timestamp.UnixMilli())
		for _, r := range rs[:len(rs)-1] {
			switch string(r.Key) {
			case "o/u1":
				user = append(user, r)
			case "/unknown":
				garbage = append(garbage, r)
			default:
				t.Fatalf("key %q", r.Key)
			}
		}
	}
	var got []string
	for _, r := range user {
		got = append(got, r.Timestamp.UTC().Format("05 ")+string(r.Value[14:49]))
	}
	require.Equal(t, []string{
		`01 2024-05-01T00:00:01Z","action":"a",`, `01 2024-05-01T00:00:01Z","action":"a",`,
		`02 2024-05-01T00:00:02Z","action":"a",`, `03 2024-05-01T00:00:03Z","action":"a",`,
	}, got)
	require.True(t, strings.HasSuffix(string(user[1].Value), " "), "equal times keep the order of the input")
	require.Len(t, garbage, 2)
	require.Equal(t, int64(0), garbage[0].Timestamp.UnixMilli())
	require.Equal(t, day.Add(time.Second).UnixMilli(), garbage[1].Timestamp.UnixMilli())
}

func TestRunFileOrderStampsRunningMaximum(t *testing.T) {
	cfg := broker(t, 1, map[string]string{"retention.ms": "-1"})
	now := day.Add(time.Hour)
	cfg.Historic, cfg.FileOrder, cfg.Now, cfg.TickAfter = true, true, func() time.Time { return now }, 2*time.Hour
	in := event(day.Add(5*time.Second), "a") + "\n" + event(day, "a") + "\n" + event(day.AddDate(9, 0, 0), "a")
	res, err := Run(context.Background(), cfg, []string{Stdin}, strings.NewReader(in))
	require.NoError(t, err)
	require.True(t, res.TickEarly)
	var at []string
	for _, r := range consume(t, cfg, 4)[0] {
		at = append(at, r.Timestamp.UTC().Format(time.TimeOnly))
	}
	require.Equal(t, []string{"00:00:05", "00:00:05", "01:00:00", "01:00:00"}, at,
		"neither back nor beyond the present")
}

func TestRunRefusals(t *testing.T) {
	cfg := broker(t, 1, map[string]string{"max.message.bytes": "2000"})
	in := event(day, "a") + "\n" + strings.Repeat("x", 3000) + "\n" + event(day, "b") + "\n"
	res, err := Run(context.Background(), cfg, []string{Stdin}, strings.NewReader(in))
	require.NoError(t, err)
	require.Equal(t, int64(2), res.Sent)
	require.Equal(t, int64(1), res.Refused)
	require.Equal(t, "stdin:2", res.Refusals[0].Place.String())
	require.ErrorIs(t, res.Refusals[0].Err, errTooLarge)
}

func TestRunRefusesHistoryTheBrokerWouldDelete(t *testing.T) {
	cfg := broker(t, 1, map[string]string{"retention.ms": "86400000"})
	cfg.Historic = true
	_, err := Run(context.Background(), cfg, []string{Stdin}, strings.NewReader(event(day, "a")))
	require.ErrorContains(t, err, "retention.ms=-1")

	logged := broker(t, 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	require.ErrorContains(t, logged.Info.CheckHistoric(inputTopic, true), "LogAppendTime")
	require.ErrorContains(t, cfg.Info.CheckHistoric(inputTopic, false), "input.ticks")
	require.NoError(t, cfg.Info.CheckHistoric(inputTopic, true))
}

func TestRunReportsAMissingFileAndSendsNothing(t *testing.T) {
	cfg := broker(t, 1, nil)
	res, err := Run(context.Background(), cfg, []string{Stdin, "/no/such/file"}, strings.NewReader(event(day, "a")))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Zero(t, res.Sent)
}

func TestRunStopsWhenCancelled(t *testing.T) {
	cfg := broker(t, 1, nil)
	cfg.FileOrder = true
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	go func() {
		defer w.Close() //nolint:errcheck // a pipe's Close never fails
		for i := range 100 {
			if i == 50 {
				cancel()
			}
			if _, err := io.WriteString(w, event(day, "a")+"\n"); err != nil {
				return
			}
		}
	}()
	_, err := Run(ctx, cfg, []string{Stdin}, r)
	require.ErrorIs(t, err, context.Canceled)
}

func TestSorterSpillsAndStaysStable(t *testing.T) {
	for _, limit := range []int64{1 << 30, 2000} {
		rnd := rand.New(rand.NewPCG(1, 2))
		dir := t.TempDir()
		s := newSorter(limit, dir)
		for i := range 500 {
			v := []byte(fmt.Sprint(i))
			place := Place{File: "f", Number: int64(i)}
			l := dated{sort: rnd.Int64N(20), Line: Line{Value: v, Length: int64(len(v)), Place: place}}
			require.NoError(t, s.add(l))
		}
		if limit == 2000 {
			require.NotEmpty(t, s.runs)
		}
		last, n := dated{sort: minTime}, 0
		require.NoError(t, s.each(func(l dated) error {
			require.True(t, last.sort < l.sort || last.sort == l.sort && last.Place.Number < l.Place.Number)
			require.Equal(t, fmt.Sprint(l.Place.Number), string(l.Value))
			last = l
			n++
			return nil
		}))
		require.Equal(t, 500, n)
		require.NoError(t, s.close())
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

func TestOffsets(t *testing.T) {
	o := NewOffsets()
	for _, at := range []int64{3, 4, 7, 8, 20} {
		o.Add(1, at)
	}
	for at, want := range map[int64]bool{
		2: false, 3: true, 4: true, 5: false, 6: false, 7: true, 8: true, 9: false, 20: true, 21: false,
	} {
		require.Equal(t, want, o.Contains(1, at), at)
	}
	require.False(t, o.Contains(2, 3))
	require.Equal(t, readlog.Range{From: 3, To: 21}, o.Bounds(1))
	require.Equal(t, int64(5), o.Len(1))
	require.Equal(t, []int32{1}, o.Partitions())
	require.Equal(t, int64(3), o.Between(1, 4, 9))
	require.Equal(t, int64(0), o.Between(1, 5, 7))
	require.Equal(t, int64(3), o.Beyond(1, 7))
	require.Equal(t, int64(0), o.Beyond(2, 0))
}

func TestSign(t *testing.T) {
	canonical := func(dst []byte, e *topics.Event) []byte { return append(dst, "canonical "+string(e.PrincipalID)...) }
	s := NewSigner([]byte("01234567890123456789012345678901"), canonical)
	var e topics.Event
	in := `{"timestamp":"2024-05-01T00:00:00Z","action":"a","status":"success","principalId":"p"}  `
	reason, err := e.Decode([]byte(in), nil, readLimits)
	require.NoError(t, err)
	require.Equal(t, topics.ReasonNone, reason)
	out, done := s.Sign(&e, []byte(in))
	require.True(t, done)
	reason, err = e.Decode(out, nil, readLimits)
	require.NoError(t, err)
	require.Equal(t, topics.ReasonNone, reason)
	require.Len(t, e.Hash, 64)
	require.Len(t, e.Signature, 64)
	require.Equal(t, "HMAC-SHA256", string(e.Algorithm))
	again, done := s.Sign(&e, out)
	require.False(t, done, "what a producer states is not replaced")
	require.Equal(t, out, again)
}

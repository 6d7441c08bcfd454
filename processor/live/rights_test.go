package live

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/redistest"
)

// The rights that deploy/docs/live.md lists suffice, and none of them is too much: without it, something is refused.
func TestLeastRights(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "deploy", "docs", "live.md"))
	require.NoError(t, err)
	_, text, ok := strings.Cut(string(page), "    ACL SETUSER tocsin on >PASSWORD ")
	require.True(t, ok)
	text, _, _ = strings.Cut(text, "\n\n")
	rights := strings.Fields(strings.ReplaceAll(text, "\\\n", " "))
	require.Contains(t, rights, "~tocsin:*")

	s := redistest.Start(t, redistest.Config{})
	admin := s.Client()
	work := func(without string) error {
		t.Helper()
		require.NoError(t, admin.FlushAll(t.Context()).Err())
		require.NoError(t, admin.ScriptFlush(t.Context()).Err())
		args := []any{"ACL", "SETUSER", "tocsin", "reset", "on", ">p"}
		for _, r := range rights {
			if r != without {
				args = append(args, r)
			}
		}
		require.NoError(t, admin.Do(t.Context(), args...).Err())
		cl := redis.NewClient(&redis.Options{Addr: s.Addr(), Username: "tocsin", Password: "p", DB: 1, Protocol: 2,
			DisableIdentity: true, MaxRetries: -1})
		defer cl.Close() //nolint:errcheck // a test
		return everything(t.Context(), cl)
	}
	require.NoError(t, work(""))
	for _, r := range rights {
		switch r {
		case "resetkeys", "resetchannels", "nocommands": // they take away
			require.NoError(t, work(r), r)
		default:
			err := work(r)
			require.Error(t, err, "without %s", r)
			require.Regexp(t, "^(.*: )?(NOPERM|ERR The user executing the script can't )", err.Error(), "without %s", r)
		}
	}
}

// everything does all that the program does with Redis.
func everything(ctx context.Context, cl *redis.Client) error {
	now := time.Now()
	c := &Counters{cfg: Config{Redis: cl, Instance: "a", Timeout: time.Minute, Now: time.Now, Every: time.Second,
		KeepMinutes: DefaultKeepMinutes, KeepHours: DefaultKeepHours}, keys: keys{DefaultPrefix}, scripts: newScripts(), run: "1"}
	if err := cl.Ping(ctx).Err(); err != nil {
		return err
	}
	for range 2 { // the second time by the scripts' names alone
		if err := c.scripts.claim.Run(ctx, cl, []string{c.keys.position(topicID{})}, 60, 0, 0, 9, 0).Err(); err != nil {
			return err
		}
	}
	for at := range 2 {
		k := c.newCall(topicID{}, 0, int64(at), int64(at)+1, []raised{{id: fmt.Sprint(at), at: now, kind: burst}})
		k.args[6] = 1 - at // the second time, buckets are full
		if err := c.scripts.count.Run(ctx, cl, k.keys, k.args...).Err(); err != nil {
			return err
		}
	}
	long := now.Add(-24 * time.Hour) // somebody who has gone since
	for _, at := range []time.Time{long, now} {
		c.cfg.Instance += "b"
		if err := c.tell(ctx, &Sample{}, rates{known: true}, at); err != nil {
			return err
		}
		if err := c.tell(ctx, &Sample{Judged: 1}, rates{known: true}, at); err != nil {
			return err
		}
	}
	_, err := Read(ctx, Query{Redis: cl, Prefix: DefaultPrefix, Last: time.Hour, Now: now, KeepMinutes: time.Hour,
		KeepHours: time.Hour})
	return err
}

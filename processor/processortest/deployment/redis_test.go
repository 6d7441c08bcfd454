package deployment

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tocsin/processor/app"
	"tocsin/processor/processortest/redistest"
)

// What the compose file does to its Redis, on one of ours: it starts with the configuration that secrets.sh makes, lets
// nobody in but the user of deploy/compose/tocsin.yaml, in the words that the health check looks for, and lets that one
// do what the program does.
func TestComposeRedis(t *testing.T) {
	_, c := compose(t)
	require.Contains(t, c.Services["redis"].Command, "/run/secrets/redis-conf")
	dir := makeSecrets(t)
	l := composeSettings(t, c.Services["tocsin"], dir)
	password, err := os.ReadFile(filepath.Join(dir, "redis-password"))
	require.NoError(t, err)
	s := redistest.Start(t, redistest.Config{
		File: filepath.Join(dir, "redis-conf"), Username: l.Redis.Username, Password: strings.TrimSpace(string(password)),
	})

	stranger := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1})
	defer stranger.Close() //nolint:errcheck // nothing is lost
	require.ErrorContains(t, stranger.Ping(t.Context()).Err(), "NOAUTH")
	require.Contains(t, strings.Join(c.Services["redis"].HealthCheck.Test, " "), "grep -q NOAUTH")

	require.Equal(t, "redis:6379", l.Redis.Address)
	l.Redis.Address = s.Addr()
	_, err = app.Live(t.Context(), &l.Config, time.Hour, nil, time.Now())
	require.NoError(t, err)
	require.ErrorContains(t, s.Client().FlushAll(t.Context()).Err(), "NOPERM")
}

// right is a word of a Redis ACL rule.
var right = regexp.MustCompile(`(?:^|\s)([+~]\S+)`)

// The user has the rights that deploy/docs/live.md lists, which a test of processor/live holds to be the least.
func TestComposeRedisRights(t *testing.T) {
	rights := func(path, from, to string) (all []string) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		_, rule, ok := strings.Cut(string(text), from)
		require.True(t, ok, path)
		rule, _, _ = strings.Cut(rule, to)
		for _, m := range right.FindAllStringSubmatch(rule, -1) {
			all = append(all, m[1])
		}
		slices.Sort(all)
		return all
	}
	listed := rights(deploy(t, "docs", "live.md"), "ACL SETUSER tocsin on", "\n\n")
	require.Contains(t, listed, "~tocsin:*")
	require.Equal(t, listed, rights(filepath.Join(makeSecrets(t), "redis-conf"), "user tocsin on", "\n"))
}

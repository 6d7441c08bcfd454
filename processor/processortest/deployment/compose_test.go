package deployment

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/app"
)

// composeFile is what is looked at of deploy/compose.yaml beyond its schema.
type composeFile struct {
	Services map[string]service
	Volumes  map[string]any
	Secrets  map[string]struct{ File string }
}

type service struct {
	Image           string
	Environment     map[string]string
	Command         []string
	Secrets         []string
	Volumes         []string
	Ports           []string
	ReadOnly        bool     `json:"read_only"`
	CapDrop         []string `json:"cap_drop"`
	StopGracePeriod string   `json:"stop_grace_period"`
	MemLimit        string   `json:"mem_limit"`
	HealthCheck     *struct{ Test []string }
	DependsOn       map[string]struct{ Condition string } `json:"depends_on"`
}

func compose(t *testing.T) (document, composeFile) {
	t.Helper()
	docs := documents(t, deploy(t, "compose.yaml"))
	require.Len(t, docs, 1)
	return docs[0], read[composeFile](t, docs[0])
}

func TestComposeFitsTheSchema(t *testing.T) {
	d, _ := compose(t)
	schema := compile(t, "compose-spec.json", "")
	require.NoError(t, validate(t, d, schema))
	for _, change := range []struct{ from, to string }{
		{`"condition":"service_healthy"`, `"condition":"healthy"`},
		{`"stop_grace_period":`, `"stop_grace":`},
	} {
		broken := strings.Replace(string(d.json), change.from, change.to, 1)
		require.NotEqual(t, string(d.json), broken, change.from)
		require.Error(t, validate(t, document{d.file, []byte(broken)}, schema), change.to)
	}
}

// tag is a version at the end of an image's name, or a digest.
var tag = regexp.MustCompile(`(:[0-9A-Za-z][0-9A-Za-z._-]*|@sha256:[0-9a-f]{64})$`)

// What services name is there, listens on loopback alone, and is waited for in the right way.
func TestComposeServices(t *testing.T) {
	_, c := compose(t)
	for name, s := range c.Services {
		require.Regexp(t, tag, s.Image, name)
		require.NotContains(t, s.Image, ":latest", name)
		for _, p := range s.Ports {
			require.True(t, strings.HasPrefix(p, "127.0.0.1:"), "%s: %s is published to everybody", name, p)
		}
		for _, secret := range s.Secrets {
			require.Contains(t, c.Secrets, secret, name)
		}
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if strings.HasPrefix(source, ".") {
				require.FileExists(t, deploy(t, source), name)
			} else {
				require.Contains(t, c.Volumes, source, name)
			}
		}
		for other, d := range s.DependsOn {
			require.Contains(t, c.Services, other, name)
			if d.Condition == "service_healthy" {
				require.NotNil(t, c.Services[other].HealthCheck, "%s waits for the health of %s", name, other)
			}
		}
	}
	for _, name := range []string{"tocsin", "topics", "migrate", "kafka", "postgres", "redis"} {
		require.Contains(t, c.Services, name)
	}
}

// makeSecrets runs secrets.sh and gives the folder.
func makeSecrets(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "secrets")
	script := deploy(t, "compose", "secrets.sh")
	out, err := exec.CommandContext(t.Context(), script, dir).CombinedOutput()
	require.NoError(t, err, string(out))
	first, err := os.ReadFile(filepath.Join(dir, "postgres-url"))
	require.NoError(t, err)
	out, err = exec.CommandContext(t.Context(), script, dir).CombinedOutput()
	require.NoError(t, err, string(out))
	again, err := os.ReadFile(filepath.Join(dir, "postgres-url"))
	require.NoError(t, err)
	require.Equal(t, first, again, "a second run changes nothing")
	require.NotContains(t, string(out), strings.TrimSpace(string(first)))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	return dir
}

// The script makes exactly the secrets that the compose file names.
func TestComposeSecrets(t *testing.T) {
	_, c := compose(t)
	made, err := filepath.Glob(filepath.Join(makeSecrets(t), "*"))
	require.NoError(t, err)
	for i := range made {
		made[i] = "./compose/secrets/" + filepath.Base(made[i])
	}
	var named []string
	for _, s := range c.Secrets {
		named = append(named, s.File)
	}
	require.ElementsMatch(t, named, made)
}

// composeSettings are those of a service of ours, with the secrets that it is given of those in dir.
func composeSettings(t *testing.T, s service, dir string) *app.Loaded {
	t.Helper()
	return settingsWith(t, deploy(t, "compose", "tocsin.yaml"), s.Environment, func(to string) {
		for _, secret := range s.Secrets {
			content, err := os.ReadFile(filepath.Join(dir, secret))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(to, secret), content, 0o600))
		}
	})
}

// The configuration passes the program's own check in each service of ours, with the secrets that are mounted there;
// what the program may take fits in what the service gets.
func TestComposeServicesUnderstandTheirConfiguration(t *testing.T) {
	_, c := compose(t)
	dir := makeSecrets(t)
	for _, name := range []string{"tocsin", "topics", "migrate"} {
		s := c.Services[name]
		require.True(t, s.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Equal(t, "/etc/tocsin/tocsin.yaml", s.Environment["TOCSIN_CONFIG"], name)
		require.Contains(t, s.Volumes, "./compose/tocsin.yaml:/etc/tocsin/tocsin.yaml:ro", name)
		l := composeSettings(t, s, dir)
		require.Equal(t, name == "migrate", l.Postgres.AdminURL.Set(), name)
		require.Equal(t, []string{"kafka:9092"}, l.Kafka.Brokers)
		if name != "tocsin" {
			continue
		}
		grace, err := time.ParseDuration(s.StopGracePeriod)
		require.NoError(t, err)
		require.Greater(t, grace, l.DrainLimit(), "stop_grace_period")
		require.GreaterOrEqual(t, size(t, s.MemLimit), memory(l), "mem_limit")
		require.True(t, slices.ContainsFunc(s.Volumes, func(v string) bool { return v == "state:"+l.App.DataDir }))
		require.Equal(t, []string{"127.0.0.1" + l.HTTP.Listen + l.HTTP.Listen}, s.Ports)
		require.Equal(t, []string{"CMD", "/tocsin", "health"}, s.HealthCheck.Test[:3])
	}
}

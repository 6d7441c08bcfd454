package deployment

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/embedded/child"
	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/pgtest"
	"tocsin/processor/processortest/ports"
	"tocsin/processor/processortest/redistest"
)

func TestMain(m *testing.M) { pgtest.Main(kafkatest.Wrap(m)) }

// image is the unpacked root file system of the image. Each call runs its program in a mount namespace of its own where
// the root cannot be written to and what pods mount lies where they mount it.
type image struct {
	t       *testing.T
	root    string // folder of the root file system
	user    string // uid:gid
	mounted string // holds config, secrets and state
	env     []string
}

// enter mounts, becomes the user and the program. The process id stays the same, so that signals reach the program.
const enter = `
mount --bind "$1" "$1"
mount --bind "$3/config" "$1/etc/tocsin"
mount --bind "$3/secrets" "$1/run/secrets"
mount --bind "$3/state" "$1/var/lib/tocsin"
mount -o remount,bind,ro "$1"
mount -o remount,bind,ro "$1/etc/tocsin"
mount -o remount,bind,ro "$1/run/secrets"
root=$1 user=$2
shift 3
exec chroot --userspec="$user" "$root" /tocsin "$@"`

func (i *image) args(args []string) []string {
	return append([]string{"--mount", "sh", "-euc", enter, "sh", i.root, i.user, i.mounted}, args...)
}

// run gives what the program prints, once it has ended well.
func (i *image) run(env []string, stdin string, args ...string) string {
	i.t.Helper()
	cmd := exec.CommandContext(i.t.Context(), "unshare", i.args(args)...)
	cmd.Env, cmd.Stdin = append(slices.Clone(i.env), env...), strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(i.t, err, "%v: %s%s", args, out, &stderr)
	return string(out)
}

// file makes a file that the image's user can read.
func (i *image) file(content []byte, path ...string) {
	i.t.Helper()
	p := filepath.Join(append([]string{i.mounted}, path...)...)
	require.NoError(i.t, os.MkdirAll(filepath.Dir(p), 0o755))
	require.NoError(i.t, os.WriteFile(p, content, 0o644))
	require.NoError(i.t, os.Chmod(filepath.Dir(p), 0o755))
}

// The image does what the manifests have it do: its program is run with their arguments, variables, configuration and
// secrets, as the image's user on a read-only root, against a Kafka that wants TLS and SCRAM, PostgreSQL, and a Redis
// that wants TLS and a password. It creates the topics and the tables, gets ready, says so as the compose file asks,
// finds an attack, counts it, and ends in time when told to.
func TestImage(t *testing.T) {
	root := os.Getenv("TOCSIN_IMAGE_ROOT")
	if root == "" {
		t.Skip("no root file system of an image: `make image` builds one and runs this test on it")
	}
	i := &image{t: t, root: root, user: os.Getenv("TOCSIN_IMAGE_USER"), mounted: pgtest.TempDir(t)}
	require.Regexp(t, `^[1-9]\d*:[1-9]\d*$`, i.user, "the image's user is a number, and not root")

	broker := kafkatest.Start(t, kafkatest.Config{Patient: true, Security: &kafkatest.Security{
		Users: map[string]string{"tocsin": "correct horse"},
	}})
	database := pgtest.NewDatabase(t)
	numbers := redistest.Start(t, redistest.Config{TLS: true, Password: "battery staple"})
	i.prepare(broker, database, numbers)
	admin, err := ports.FreeAddr(t.Context())
	require.NoError(t, err)
	// What is another here than in the cluster: where things are, and that there is one broker.
	i.env = []string{
		"TOCSIN_KAFKA__BROKERS=" + broker.Addrs()[0], "TOCSIN_HTTP__LISTEN=" + admin,
		"TOCSIN_REDIS__ADDRESS=" + numbers.Addr(), "TOCSIN_REDIS__USERNAME=default",
		"TOCSIN_KAFKA__REPLICATION_FACTOR=1", "TOCSIN_KAFKA__MIN_INSYNC_REPLICAS=1", "TOCSIN_TOPICS__PARTITIONS=3",
	}

	var version struct{ Version, Revision, Go string }
	require.NoError(t, json.Unmarshal([]byte(i.run(nil, "", "version")), &version))
	require.Equal(t, os.Getenv("TOCSIN_IMAGE_VERSION"), version.Version)
	require.Len(t, version.Revision, 40)
	t.Logf("version %s, revision %s, %s", version.Version, version.Revision, version.Go)

	config := []string{"TOCSIN_CONFIG=/etc/tocsin/tocsin.yaml"}
	i.run(config, "", "config", "check")
	i.run(config, "", "topics", "init", "--input") // the input topic is the user's; the job leaves it alone
	_, setup := rendered(t, deploy(t, "k8s", "setup"))
	for _, m := range setup {
		for _, c := range m.Spec.Template.Spec.Containers {
			i.run(pairs(environment(t, c)), "", c.Args...)
			t.Logf("%s: done", m.Metadata.Name)
		}
	}
	i.judges(config, admin)
}

// prepare puts configuration and secrets where the pods have them.
func (i *image) prepare(broker *kafkatest.Broker, database string, numbers *redistest.Server) {
	t := i.t
	t.Helper()
	config, err := os.ReadFile(uncommented(t, deploy(t, "k8s", "config", "tocsin.yaml")))
	require.NoError(t, err)
	i.file(config, "config", "tocsin.yaml")
	ca, err := os.ReadFile(broker.Files().CA)
	require.NoError(t, err)
	redisCA, err := os.ReadFile(numbers.Files().CA)
	require.NoError(t, err)
	name, err := url.Parse(database)
	require.NoError(t, err)
	superuser := pgtest.Server(t).SuperuserDSN(strings.TrimPrefix(name.Path, "/"))
	for file, content := range map[string]string{
		"kafka-ca.pem": string(ca), "kafka-password": "correct horse\n", "postgres-url": database + "\n",
		"hmac-secret": strings.Repeat("0123456789abcdef", 4) + "\n", "redis-ca.pem": string(redisCA),
		"redis-password": "battery staple\n",
	} {
		i.file([]byte(content), "secrets", "tocsin", file)
	}
	i.file([]byte(superuser+"\n"), "secrets", "tocsin-admin", "postgres-admin-url")
	state := filepath.Join(i.mounted, "state")
	require.NoError(t, os.Mkdir(state, 0o700))
	var uid, gid int
	_, err = fmt.Sscanf(i.user, "%d:%d", &uid, &gid)
	require.NoError(t, err)
	require.NoError(t, os.Chown(state, uid, gid)) // as fsGroup does
}

// judges runs what the StatefulSet runs, gives it an attack and ends it.
func (i *image) judges(config []string, admin string) {
	t := i.t
	t.Helper()
	_, all := rendered(t, deploy(t, "k8s", "run"))
	c := find(t, all, "StatefulSet").Spec.Template.Spec.Containers[0]
	variables := environment(t, c)
	delete(variables, "GOMAXPROCS") // Kubernetes fills it in
	log := filepath.Join(t.TempDir(), "log")
	began := time.Now()
	process, err := child.Start(child.Config{
		Path: "unshare", Args: i.args(c.Args), Env: append(slices.Clone(i.env), pairs(variables)...), Log: log,
		DeathSignal: syscall.SIGKILL,
	})
	require.NoError(t, err)
	defer process.Kill()
	answers := func(probe string) bool { return answer(t, "http://"+admin+probe) == http.StatusOK }
	for _, probe := range []string{
		c.StartupProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path,
	} {
		require.Eventually(t, func() bool { return answers(probe) }, time.Minute, 50*time.Millisecond, "%s: %s", probe,
			process.LogTail(4000))
	}
	t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
	_, services := compose(t)
	t.Log(i.run(config, "", services.Services["tocsin"].HealthCheck.Test[2:]...))

	var events strings.Builder
	for n := range 6 {
		fmt.Fprintf(&events, `{"id":"%d","timestamp":%q,"action":"auth.login.failure","status":"failure",`+
			`"principalId":"mallory","organizationId":"acme"}`+"\n", n, time.Now().UTC().Format(time.RFC3339Nano))
	}
	i.run(config, events.String(), "ingest", "-")
	require.Eventually(t, func() bool {
		return strings.Contains(i.run(config, "", "alerts", "ls"), "failed-auth-burst")
	}, time.Minute, 100*time.Millisecond, "no alert: %s", process.LogTail(4000))
	require.Eventually(t, func() bool {
		return strings.Contains(i.run(config, "", "metrics", "-o", "json"), `"failed-auth-burst"`)
	}, time.Minute, 100*time.Millisecond, "the alert is not counted: %s", process.LogTail(4000))

	asked := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, process.Stop(ctx, syscall.SIGTERM), process.LogTail(4000))
	t.Logf("ended %s after SIGTERM", time.Since(asked).Round(time.Millisecond))
	require.NoError(t, process.Err(), process.LogTail(4000))
	for _, secret := range []string{"correct horse", "battery staple"} {
		require.NotContains(t, process.LogTail(1<<20), secret)
	}
}

// pairs writes variables as processes take them.
func pairs(env map[string]string) (out []string) {
	for name, value := range env {
		out = append(out, name+"="+value)
	}
	return out
}

// answer is the status of an answer, 0 for none.
func answer(t *testing.T, address string) int {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

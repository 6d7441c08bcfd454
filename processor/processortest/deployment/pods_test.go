package deployment

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every pod runs the image with a tag, without rights, on a root it cannot write to; and what it mounts is there.
func TestPods(t *testing.T) {
	for _, dir := range []string{"setup", "run"} {
		k, all := rendered(t, deploy(t, "k8s", dir))
		require.Equal(t, "tocsin", k.Namespace)
		require.Len(t, k.Images, 1)
		image := k.Images[0]
		require.NotEmpty(t, image.NewTag+image.Digest)
		require.NotEqual(t, "latest", image.NewTag)
		account := find(t, all, "ServiceAccount").Metadata.Name
		for _, m := range all {
			p := m.Spec.Template.Spec
			if len(p.Containers) == 0 {
				continue
			}
			t.Run(m.Kind+" "+m.Metadata.Name, func(t *testing.T) {
				require.Len(t, p.Containers, 1)
				c := p.Containers[0]
				require.Equal(t, image.Name, c.Image, "the kustomization sets the tag of another image")
				require.Equal(t, account, p.ServiceAccountName)
				require.NotNil(t, p.AutomountServiceAccountToken)
				require.False(t, *p.AutomountServiceAccountToken)
				s := p.SecurityContext
				require.True(t, s.RunAsNonRoot)
				require.Equal(t, []int{65532, 65532, 65532}, []int{s.RunAsUser, s.RunAsGroup, s.FSGroup}, "as in the Dockerfile")
				require.Equal(t, "RuntimeDefault", s.SeccompProfile.Type)
				require.NotNil(t, c.SecurityContext.AllowPrivilegeEscalation)
				require.False(t, *c.SecurityContext.AllowPrivilegeEscalation)
				require.True(t, c.SecurityContext.ReadOnlyRootFilesystem)
				require.Equal(t, []string{"ALL"}, c.SecurityContext.Capabilities.Drop)
				require.NotEmpty(t, c.Resources.Requests["cpu"])
				require.NotEmpty(t, c.Resources.Requests["memory"])
				require.NotEmpty(t, c.Resources.Limits["memory"])
				var volumes []string
				for _, v := range p.Volumes {
					volumes = append(volumes, v.Name)
				}
				for _, v := range m.Spec.VolumeClaimTemplates {
					volumes = append(volumes, v.Metadata.Name)
				}
				for _, mount := range c.VolumeMounts {
					require.Contains(t, volumes, mount.Name)
					require.Equal(t, mount.Name != "state", mount.ReadOnly, mount.Name)
				}
			})
		}
	}
}

// The configuration passes the program's own check with the variables of each pod, and names no secret that is not
// mounted there.
func TestPodsUnderstandTheirConfiguration(t *testing.T) {
	for _, dir := range []string{"setup", "run"} {
		_, all := rendered(t, deploy(t, "k8s", dir))
		for _, m := range all {
			for _, c := range m.Spec.Template.Spec.Containers {
				env, secrets := environment(t, c), mounted(c)
				l := settings(t, deploy(t, "k8s", "config", "tocsin.yaml"), env, secrets)
				require.Equal(t, "/etc/tocsin/tocsin.yaml", env["TOCSIN_CONFIG"])
				require.NotEmpty(t, l.Kafka.Brokers)
				require.True(t, l.Postgres.URL.Set())
				require.Equal(t, m.Metadata.Name == "tocsin-migrate", l.Postgres.AdminURL.Set(), m.file)
			}
		}
	}
}

// knownVariables are those of the environment that are Go's and not settings.
var knownVariables = []string{"GOMAXPROCS", "TOCSIN_CONFIG"}

// environment gives the variables of a container, and fails on one that is nobody's.
func environment(t *testing.T, c container) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, e := range c.Env {
		require.True(t, slices.Contains(knownVariables, e.Name) || strings.HasPrefix(e.Name, "TOCSIN_") &&
			strings.Contains(e.Name, "__"), "%s is no variable of the program", e.Name)
		value := e.Value
		if e.ValueFrom.FieldRef.FieldPath == "metadata.name" {
			value = "tocsin-0"
		}
		env[e.Name] = value
	}
	return env
}

// secretFiles are the files of the secrets that deploy/docs/kubernetes.md has one make.
var secretFiles = map[string][]string{
	"secrets": {"kafka-ca.pem", "kafka-password", "postgres-ca.pem", "postgres-url", "hmac-secret"},
	"admin":   {"postgres-admin-url"},
}

// redisFiles are those that the secret holds besides where there is a Redis.
var redisFiles = []string{"redis-ca.pem", "redis-password"}

func mounted(c container) (files []string) {
	for _, m := range c.VolumeMounts {
		for _, f := range secretFiles[m.Name] {
			files = append(files, m.MountPath+"/"+f)
		}
	}
	return files
}

// The documentation makes the secrets with exactly these keys.
func TestSecretsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(deploy(t, "docs", "kubernetes.md"))
	require.NoError(t, err)
	var documented []string
	for _, m := range regexp.MustCompile(`--from-file=([a-z.-]+)`).FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1])
	}
	require.ElementsMatch(t, slices.Concat(secretFiles["secrets"], redisFiles, secretFiles["admin"]), documented)
}

// With what is said in comments for Redis taken in, the configuration is one that the program takes, and the network
// policy lets the pods reach that Redis.
func TestPodsWithRedis(t *testing.T) {
	_, all := rendered(t, deploy(t, "k8s", "run"))
	c := find(t, all, "StatefulSet").Spec.Template.Spec.Containers[0]
	secrets := mounted(c)
	for _, f := range redisFiles {
		secrets = append(secrets, "/run/secrets/tocsin/"+f)
	}
	l := settings(t, uncommented(t, deploy(t, "k8s", "config", "tocsin.yaml")), environment(t, c), secrets)
	require.NotEmpty(t, l.Redis.Address)
	require.True(t, l.Redis.TLS.Enabled)
	require.True(t, l.Redis.Password.Set())
	_, port, err := net.SplitHostPort(l.Redis.Address)
	require.NoError(t, err)

	docs := documents(t, uncommented(t, deploy(t, "k8s", "run", "networkpolicy.yaml")))
	require.Len(t, docs, 1)
	schema := compile(t, "kubernetes-1.30.json", "#/kinds/networking.k8s.io~1v1~1NetworkPolicy")
	require.NoError(t, validate(t, docs[0], schema))
	require.Contains(t, manifest{docs[0], read[object](t, docs[0])}.destinations(), port)
}

// What the manifests say fits what the program does: time to drain, memory, ports, folders, names.
func TestStatefulSetFitsTheProgram(t *testing.T) {
	_, all := rendered(t, deploy(t, "k8s", "run"))
	set := find(t, all, "StatefulSet")
	p := set.Spec.Template.Spec
	c := p.Containers[0]
	l := settings(t, deploy(t, "k8s", "config", "tocsin.yaml"), environment(t, c), mounted(c))

	grace := time.Duration(p.TerminationGracePeriodSeconds) * time.Second
	require.Greater(t, grace, l.DrainLimit(), "terminationGracePeriodSeconds")
	page, err := os.ReadFile(deploy(t, "docs", "kubernetes.md"))
	require.NoError(t, err)
	require.Contains(t, string(page), fmt.Sprintf("at least the watchdog + %.0f s",
		(l.DrainLimit()-time.Duration(l.Kafka.TransactionWatchdog)).Seconds()))
	require.GreaterOrEqual(t, size(t, c.Resources.Limits["memory"]), memory(l), "limits.memory")
	require.Equal(t, "Parallel", set.Spec.PodManagementPolicy)

	require.Equal(t, "tocsin-0", l.App.Instance, "the name of the pod")
	require.Contains(t, c.VolumeMounts, volumeMount{Name: "state", MountPath: l.App.DataDir}, "app.data_dir is the volume")

	require.Equal(t, fmt.Sprintf(":%d", c.Ports[0].ContainerPort), l.HTTP.Listen)
	require.Equal(t, "/healthz", c.LivenessProbe.HTTPGet.Path)
	require.Equal(t, "/healthz", c.StartupProbe.HTTPGet.Path)
	require.Equal(t, "/readyz", c.ReadinessProbe.HTTPGet.Path)
	// The program takes up to a second to find out that a role does not answer.
	require.Greater(t, c.LivenessProbe.TimeoutSeconds, 1)
	require.Greater(t, c.ReadinessProbe.TimeoutSeconds, 1)

	service := find(t, all, "Service")
	require.Equal(t, set.Spec.ServiceName, service.Metadata.Name)
	labels := set.Spec.Template.Metadata.Labels
	for key, value := range service.Spec.Selector {
		require.Equal(t, labels[key], value, "the service selects other pods")
	}
	for _, kind := range []string{"StatefulSet", "PodDisruptionBudget"} {
		for key, value := range find(t, all, kind).Spec.Selector["matchLabels"].(map[string]any) {
			require.Equal(t, labels[key], value, "the %s selects other pods", kind)
		}
	}
	policy := find(t, all, "NetworkPolicy")
	for key, value := range policy.Spec.PodSelector.MatchLabels {
		require.Equal(t, labels[key], value, "the NetworkPolicy is about other pods")
	}
	out := policy.destinations()
	for _, broker := range l.Kafka.Brokers {
		_, port, err := net.SplitHostPort(broker)
		require.NoError(t, err)
		require.Contains(t, out, port, "the NetworkPolicy keeps the pods from %s", broker)
	}
	require.Contains(t, out, "5432")
}

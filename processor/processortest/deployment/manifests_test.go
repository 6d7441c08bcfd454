package deployment

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// kustomization is what the kustomizations of deploy/k8s use of that format.
type kustomization struct {
	Namespace          string
	Resources          []string
	ConfigMapGenerator []struct {
		Name  string
		Files []string
	}
	Images []struct{ Name, NewName, NewTag, Digest string }
}

// object is what is looked at of a manifest beyond its schema.
type object struct {
	APIVersion, Kind string
	Metadata         struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Spec struct {
		ServiceName          string
		PodManagementPolicy  string
		Selector             map[string]any
		PodSelector          struct{ MatchLabels map[string]string }
		Template             struct{ Metadata, Spec pod }
		VolumeClaimTemplates []struct{ Metadata struct{ Name string } }
		Ports                []struct{ Port, TargetPort any }
		Egress               []struct{ Ports []struct{ Port int } }
	}
}

type pod struct {
	Labels                        map[string]string
	TerminationGracePeriodSeconds int
	ServiceAccountName            string
	AutomountServiceAccountToken  *bool
	SecurityContext               struct {
		RunAsNonRoot                   bool
		RunAsUser, RunAsGroup, FSGroup int
		SeccompProfile                 struct{ Type string }
	}
	Containers []container
	Volumes    []struct {
		Name      string
		ConfigMap struct{ Name string }
		Secret    struct{ SecretName string }
	}
}

type container struct {
	Image string
	Args  []string
	Env   []struct {
		Name, Value string
		ValueFrom   struct {
			FieldRef struct{ FieldPath string }
		}
	}
	Ports                                       []struct{ ContainerPort int }
	LivenessProbe, ReadinessProbe, StartupProbe *struct {
		HTTPGet        struct{ Path, Port string }
		TimeoutSeconds int
	}
	SecurityContext struct {
		AllowPrivilegeEscalation *bool
		ReadOnlyRootFilesystem   bool
		Capabilities             struct{ Drop []string }
	}
	Resources    struct{ Requests, Limits map[string]string }
	VolumeMounts []volumeMount
}

type volumeMount struct {
	Name, MountPath string
	ReadOnly        bool
}

// manifest is an object and where it stands.
type manifest struct {
	document
	object
}

// destinations are the ports that a network policy lets pods reach.
func (m manifest) destinations() (ports []string) {
	for _, e := range m.Spec.Egress {
		for _, p := range e.Ports {
			ports = append(ports, strconv.Itoa(p.Port))
		}
	}
	return ports
}

// rendered gives what a kustomization makes: the objects it names, with those of the folders it names.
func rendered(t *testing.T, dir string) (k kustomization, all []manifest) {
	t.Helper()
	docs := documents(t, filepath.Join(dir, "kustomization.yaml"))
	require.Len(t, docs, 1)
	k = read[kustomization](t, docs[0])
	for _, name := range k.Resources {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			_, more := rendered(t, path)
			all = append(all, more...)
			continue
		}
		for _, d := range documents(t, path) {
			all = append(all, manifest{d, read[object](t, d)})
		}
	}
	return k, all
}

// Every manifest has only fields that Kubernetes knows, of the right types: in the oldest version promised and in a new
// one.
func TestManifestsFitTheSchemas(t *testing.T) {
	seen := map[string]bool{}
	for _, dir := range []string{"setup", "run"} {
		_, all := rendered(t, deploy(t, "k8s", dir))
		for _, m := range all {
			seen[m.file] = true
			place := "#/kinds/" + strings.ReplaceAll(m.APIVersion+"/"+m.Kind, "/", "~1")
			for _, schema := range []string{"kubernetes-1.30.json", "kubernetes-1.37.json"} {
				require.NoError(t, validate(t, m.document, compile(t, schema, place)), m.file)
			}
			require.Empty(t, m.Metadata.Namespace, "%s: the kustomization sets it", m.file)
			require.Equal(t, "tocsin", m.Metadata.Labels["app.kubernetes.io/name"], m.file)
		}
	}
	// A file that no kustomization names is a file that nobody applies.
	require.NoError(t, filepath.WalkDir(deploy(t, "k8s"), func(path string, d fs.DirEntry, err error) error {
		name := filepath.Base(path)
		if err == nil && !d.IsDir() && name != "kustomization.yaml" && name != "tocsin.yaml" {
			require.True(t, seen[path], "%s is in no kustomization", path)
		}
		return err
	}))
}

// A wrong type and an unknown field are found: the schemas are in use, and strict.
func TestSchemasFindFaults(t *testing.T) {
	_, all := rendered(t, deploy(t, "k8s", "run"))
	set := find(t, all, "StatefulSet")
	schema := compile(t, "kubernetes-1.37.json", "#/kinds/apps~1v1~1StatefulSet")
	for _, change := range []struct{ from, to string }{
		{`"replicas":3`, `"replicas":"3"`},
		{`"periodSeconds"`, `"periodSecond"`},
		{`"serviceName"`, `"serviceNames"`},
		{`"name":"state"`, `"named":"state"`},
	} {
		broken := strings.Replace(string(set.json), change.from, change.to, 1)
		require.NotEqual(t, string(set.json), broken, "%s is not in the manifest", change.from)
		require.Error(t, validate(t, document{set.file, []byte(broken)}, schema), change.to)
	}
}

func find(t *testing.T, all []manifest, kind string) manifest {
	t.Helper()
	i := slices.IndexFunc(all, func(m manifest) bool { return m.Kind == kind })
	require.GreaterOrEqual(t, i, 0, "no %s", kind)
	return all[i]
}

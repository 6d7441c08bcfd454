package deployment

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"tocsin/processor/app"
	"tocsin/processor/processortest/program"
)

// deploy is the path of something in the folder deploy.
func deploy(t *testing.T, path ...string) string {
	t.Helper()
	root, err := program.Root()
	require.NoError(t, err)
	return filepath.Join(append([]string{root, "deploy"}, path...)...)
}

// document is one YAML document, as JSON.
type document struct {
	file string
	json []byte
}

// read decodes the document into a value for which fields it does not know are no fault.
func read[T any](t *testing.T, d document) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(d.json, &v), d.file)
	return v
}

// documents reads a YAML file.
func documents(t *testing.T, file string) []document {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	parsed, err := parser.ParseBytes(text, 0)
	require.NoError(t, err, file)
	var all []document
	for _, d := range parsed.Docs {
		var v any
		require.NoError(t, yaml.NodeToValue(d.Body, &v), file)
		j, err := json.Marshal(v)
		require.NoError(t, err, file)
		all = append(all, document{file, j})
	}
	return all
}

// uncommented is a copy of a file where lines that begin with "#: " are no comments.
func uncommented(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	out := regexp.MustCompile(`(?m)^( *)#: `).ReplaceAll(text, []byte("$1"))
	require.NotEqual(t, string(text), string(out), "%s: nothing is in such a comment", file)
	path := filepath.Join(t.TempDir(), filepath.Base(file))
	require.NoError(t, os.WriteFile(path, out, 0o600))
	return path
}

// compile makes a schema of a place in a file of testdata.
func compile(t *testing.T, file, place string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(filepath.Join("testdata", file) + place)
	require.NoError(t, err)
	return s
}

// validate says what of a document its schema does not allow.
func validate(t *testing.T, d document, s *jsonschema.Schema) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.json))
	require.NoError(t, err)
	return s.Validate(v)
}

// size reads an amount of memory as Kubernetes (Mi) and Compose (m) write it.
func size(t *testing.T, text string) int64 {
	t.Helper()
	number := strings.TrimRight(text, "MmiIbB")
	n, err := strconv.ParseInt(number, 10, 64)
	require.NoError(t, err, text)
	require.Equal(t, "m", strings.TrimRight(strings.ToLower(text[len(number):]), "ib"), text)
	return n << 20
}

// settings reads a configuration as the program does in a container where the secrets given lie in /run/secrets, and
// nothing else does.
func settings(t *testing.T, file string, env map[string]string, secrets []string) *app.Loaded {
	t.Helper()
	return settingsWith(t, file, env, func(dir string) {
		for _, s := range secrets {
			path := filepath.Join(dir, strings.TrimPrefix(s, inContainer))
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			content := strings.Repeat("0123456789abcdef", 4)
			if strings.HasSuffix(path, "-url") {
				content = "postgres://tocsin:secret@postgres:5432/tocsin"
			}
			require.NoError(t, os.WriteFile(path, []byte(content+"\n"), 0o600))
		}
	})
}

const inContainer = "/run/secrets"

// settingsWith is settings, where fill puts the secrets into the folder that stands for /run/secrets.
func settingsWith(t *testing.T, file string, env map[string]string, fill func(dir string)) *app.Loaded {
	t.Helper()
	dir := t.TempDir()
	fill(dir)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	text = bytes.ReplaceAll(text, []byte(inContainer), []byte(dir))
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	in := app.LoadInput{File: path}
	for name, value := range env {
		in.Env = append(in.Env, name+"="+strings.ReplaceAll(value, inContainer, dir))
	}
	l, err := app.Load(in)
	require.NoError(t, err, file)
	return l
}

// memory is what a process needs by its configuration: Go's limit, and the caches of the state beside it.
func memory(c *app.Loaded) int64 {
	return int64(c.Processor.MemoryLimit + c.State.CacheBytes + 4*c.State.MemTableBytes)
}

package app

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"tocsin/processor/app/settings"
)

func configSchemaOf(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(ConfigSchema()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("schema.json", doc))
	s, err := c.Compile("schema.json")
	require.NoError(t, err)
	return s
}

// validateYAML validates a file as an editor does.
func validateYAML(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	var v any
	require.NoError(t, yaml.Unmarshal([]byte(text), &v))
	b, err := json.Marshal(v)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	require.NoError(t, err)
	return s.Validate(doc)
}

// TestConfigSchemaIsTheExamplesAndTheCodes: nobody forgot `make generate`.
func TestConfigSchemaIsTheExamplesAndTheCodes(t *testing.T) {
	b, err := MakeConfigSchema(exampleFile(t))
	require.NoError(t, err)
	require.Equal(t, string(b), ConfigSchema(), "run make generate")
}

func TestExampleFitsTheSchema(t *testing.T) {
	s := configSchemaOf(t)
	require.NoError(t, validateYAML(t, s, exampleFile(t)))
	require.NoError(t, validateYAML(t, s, withExamples(t)))
	require.NoError(t, validateYAML(t, s, "kafka:\n  # brokers: [a:1]\nlog:\n"), "sections of comments")
	for _, wrong := range []string{
		"kafka: {brokrs: []}", "log: {level: loud}", "kafka: {session_timeout: soon}", "processor: {workers: many}",
		"rules: {failed-auth: {limit: 5}}", "rules: {failed-auth-burst: {severity: high}}", "input: {max_bytes: 1MB}",
		"organizations: {a: {rules: {x: {limit: 5}}}}", "organizations: {a: {require: all}}", "verify: {sources: {a: b}}",
		"detection: {hours: {days: [monday]}}", "input: {ticks: 1}", "http: [a]", "nonsense: 1",
	} {
		require.Error(t, validateYAML(t, s, wrong), wrong)
		_, err := loadText(t, wrong, LoadInput{})
		require.Error(t, err, wrong)
	}
}

// TestWhatLoadsFitsTheSchema: a file of the scripts that the loader takes is right for an editor, too.
func TestWhatLoadsFitsTheSchema(t *testing.T) {
	s := configSchemaOf(t)
	n := 0
	datadriven.RunTest(t, filepath.Join("testdata", "config.txt"), func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		// The parser splits host:9092 between brackets; the loader puts it together.
		text := regexp.MustCompile(`([a-z0-9.-]+:\d+)`).ReplaceAllString(d.Input, `"$1"`)
		if strings.HasPrefix(d.Expected, "ok") {
			n++
			require.NoError(t, validateYAML(t, s, text), d.Input)
		}
		return d.Expected
	})
	require.Positive(t, n)
}

// TestEverySettingIsExplained: in the example, and so in the schema.
func TestEverySettingIsExplained(t *testing.T) {
	var schema map[string]any
	require.NoError(t, json.Unmarshal([]byte(ConfigSchema()), &schema))
	var walk func(s map[string]any, path string, leaf int) int
	walk = func(s map[string]any, path string, leaf int) int {
		properties, _ := s["properties"].(map[string]any)
		if more, ok := s["additionalProperties"].(map[string]any); ok && s["default"] == nil {
			properties = maps.Clone(properties)
			if properties == nil {
				properties = map[string]any{}
			}
			properties[settings.AnyName] = more
		}
		if len(properties) == 0 {
			require.NotEmpty(t, s["description"], "%s is not explained in deploy/config.example.yaml", path)
			return leaf + 1
		}
		for name, p := range properties {
			leaf = walk(p.(map[string]any), path+"."+name, leaf)
		}
		return leaf
	}
	require.Greater(t, walk(schema, "", 0), 150)
}

// TestChoicesAreThoseOfTheCheck: what the schema offers is what the check takes, and the other way round.
func TestChoicesAreThoseOfTheCheck(t *testing.T) {
	var lists []string
	for path, words := range choices() {
		if strings.HasPrefix(path, "rules.") || strings.HasSuffix(path, ".sources") || strings.HasSuffix(path, ".days") ||
			strings.HasSuffix(path, ".copies") {
			continue // looked at by the parts
		}
		section, name := path[:strings.LastIndex(path, ".")], path[strings.LastIndex(path, ".")+1:]
		_, err := loadText(t, "", LoadInput{Flags: []settings.Flag{{Name: "--set", Path: path, Value: "nonsense"}}})
		require.ErrorContains(t, err, path+`: "nonsense" is none of: `+strings.Join(words, ", "), "%s of %s", name, section)
		lists = append(lists, path)
	}
	// And no other setting is checked against a list.
	var unlisted []string
	for _, path := range SettingKeys() {
		_, err := loadText(t, "", LoadInput{Flags: []settings.Flag{{Name: "--set", Path: path, Value: "nonsense"}}})
		if err != nil && strings.Contains(err.Error(), path+`: "nonsense" is none of: `) && !slices.Contains(lists, path) {
			unlisted = append(unlisted, path)
		}
	}
	require.Empty(t, unlisted)
	for _, day := range choices()["detection.hours.days"] {
		_, err := loadText(t, "detection: {hours: {days: ["+day+"]}}", LoadInput{})
		require.NoError(t, err)
	}
	for _, name := range []string{"severity", "type"} {
		for _, word := range choices()["rules."+explainedRule+"."+name] {
			_, err := loadText(t, "rules: {"+explainedRule+": {"+name+": "+word+"}}", LoadInput{})
			require.NoError(t, err)
		}
	}
}

// withExamples is the example with its examples in the place of the defaults.
func withExamples(t *testing.T) string {
	t.Helper()
	text := strings.Replace(exampleFile(t), "\norganizations: {}\n", "\n", 1)
	text = strings.Replace(text, "\n  sources: {}\n", "\n", 1)
	return regexp.MustCompile(`(?m)^( *)#: `).ReplaceAllString(text, "$1")
}

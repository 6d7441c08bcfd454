package topics_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

// compileSchema reads a JSON Schema, formats included.
func compileSchema(t *testing.T, text string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("schema.json", doc))
	s, err := c.Compile("schema.json")
	require.NoError(t, err)
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	return s.Validate(v)
}

// TestAlertSchemaNamesEveryMember: the schema and the struct have the same members, and the same ones are optional.
func TestAlertSchemaNamesEveryMember(t *testing.T) {
	t.Parallel()
	var schema map[string]any
	require.NoError(t, json.Unmarshal([]byte(topics.AlertJSONSchema()), &schema))
	sameMembers(t, reflect.TypeFor[topics.Alert](), schema)
}

func sameMembers(t *testing.T, typ reflect.Type, schema map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	var names, required []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
		if options != "omitempty" {
			required = append(required, name)
		}
		member, _ := properties[name].(map[string]any)
		require.NotNil(t, member, "%s has no %s in the schema", typ, name)
		switch f.Type.Kind() {
		case reflect.Struct:
			sameMembers(t, f.Type, member)
		case reflect.Slice:
			if f.Type.Elem().Kind() == reflect.Struct {
				sameMembers(t, f.Type.Elem(), member["items"].(map[string]any))
			}
		}
	}
	require.ElementsMatch(t, names, slices.Collect(maps.Keys(properties)), typ)
	require.ElementsMatch(t, required, schema["required"], typ)
}

// TestAlertSchema: the engine's own alerts pass, and what is no alert does not.
func TestAlertSchema(t *testing.T) {
	t.Parallel()
	s := compileSchema(t, topics.AlertJSONSchema())
	b, err := os.ReadFile(filepath.Join("..", "processor", "engine", "testdata", "alert.json"))
	require.NoError(t, err)
	var good string
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var one json.RawMessage
		require.NoError(t, d.Decode(&one))
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, one))
		require.NoError(t, validate(t, s, compact.String()))
		if good == "" {
			good = compact.String()
		}
	}
	for from, to := range map[string]string{
		`"schema":1`:           `"schema":2`,
		`"state":"open"`:       `"state":"merged"`, // into nothing
		`"revision":1`:         `"revision":0`,
		`"severity":"HIGH"`:    `"severity":"high"`,
		`"mode":"live"`:        `"mode":"dry"`,
		`"role":"crossing"`:    `"role":"other"`,
		`"outcome":"unsigned"`: `"outcome":"fine"`,
		`"trace_id":"`:         `"trace_id":"x`,
		`Z"`:                   `"`,
		`"count":`:             `"counts":`,
	} {
		bad := strings.Replace(good, from, to, 1)
		require.NotEqual(t, good, bad, "%s is not in the alert", from)
		require.Error(t, validate(t, s, bad), "%s", to)
	}
}

package app

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"tocsin/processor/app/settings"
	"tocsin/processor/detect"
)

// exampleFile is deploy/config.example.yaml.
func exampleFile(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "deploy", "config.example.yaml"))
	require.NoError(t, err)
	return string(b)
}

func loadText(t *testing.T, text string, in LoadInput) (*Loaded, error) {
	t.Helper()
	in.File = filepath.Join(t.TempDir(), "tocsin.yaml")
	require.NoError(t, os.WriteFile(in.File, []byte(text), 0o600))
	return Load(in)
}

// TestExampleHoldsEverySettingAtItsDefault keeps the example complete and true.
func TestExampleHoldsEverySettingAtItsDefault(t *testing.T) {
	l, err := loadText(t, exampleFile(t), LoadInput{})
	require.NoError(t, err)
	for _, s := range l.List() {
		require.False(t, s.Source.IsDefault(), "%s is missing in the example", s.Path)
	}
	def := Default()
	plain, err := settings.Load(&def, settings.Input{})
	require.NoError(t, err)
	want := map[string]string{}
	for _, s := range plain.List() {
		want[s.Path] = s.Value
	}
	for _, s := range l.List() {
		require.Equal(t, want[s.Path], s.Value, s.Path)
	}
	require.Len(t, want, len(l.List()))
}

// TestExamplesInTheExample loads the lines that are no defaults, among them every setting of an organisation.
func TestExamplesInTheExample(t *testing.T) {
	l, err := loadText(t, withExamples(t), LoadInput{})
	require.NoError(t, err)
	have := map[string]bool{}
	for _, s := range l.List() {
		if path, ok := strings.CutPrefix(s.Path, "organizations.clinic-north."); ok {
			require.False(t, s.Source.IsDefault(), s.Path)
			require.NotEmpty(t, s.Value, s.Path)
			have[path] = true
		}
	}
	require.Len(t, have, 5+10+3, "%v", have)
	d := l.Detect()
	require.Equal(t, "Europe/Berlin", d.Organizations["clinic-north"].Hours.Zone)
	require.Equal(t, "signature", l.Verify.Sources["patient-portal"])
}

// TestConfigFaults runs the scripts: a file as input, env and flag as arguments; the output is the faults, or ok and
// the notes.
func TestConfigFaults(t *testing.T) {
	datadriven.RunTest(t, filepath.Join("testdata", "config.txt"), func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		var in LoadInput
		for _, a := range d.CmdArgs {
			for _, v := range a.Vals {
				switch a.Key {
				case "env":
					in.Env = append(in.Env, v)
				case "flag":
					p, value, _ := strings.Cut(v, "=")
					in.Flags = append(in.Flags, settings.Flag{Name: "--set", Path: p, Value: value})
				}
			}
		}
		l, err := loadText(t, d.Input, in)
		if err != nil {
			return regexp.MustCompile(`\S*/tocsin\.yaml`).ReplaceAllString(err.Error(), "tocsin.yaml") + "\n"
		}
		out := "ok\n"
		for _, n := range l.Notes {
			out += fmt.Sprintf("note: %s\n", n)
		}
		return out
	})
}

// TestDefaultRulesAreTheBuiltInOnes: writing the defaults out changes no rule and no alert id.
func TestDefaultRulesAreTheBuiltInOnes(t *testing.T) {
	c := Default()
	ours, err := detect.Compile(c.Detect())
	require.NoError(t, err)
	theirs, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	require.Equal(t, theirs.Hash(), ours.Hash())
}

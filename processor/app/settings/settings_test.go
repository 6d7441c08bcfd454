package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type sample struct {
	Kafka struct {
		Brokers []string `yaml:"brokers"`
		Secure  bool     `yaml:"secure"`
	} `yaml:"kafka"`
	Limits struct {
		Bytes Size     `yaml:"bytes"`
		Wait  Duration `yaml:"wait"`
		Count int      `yaml:"count"`
		Ratio float64  `yaml:"ratio"`
	} `yaml:"limits"`
	Verify struct {
		Secret     Secret            `yaml:"secret"`
		SecretFile string            `yaml:"secret_file"`
		Sources    map[string]string `yaml:"sources"`
	} `yaml:"verify"`
	Database URL             `yaml:"database"`
	Rules    map[string]rule `yaml:"rules"`
}

type rule struct {
	Threshold *int64    `yaml:"threshold"`
	Window    *Duration `yaml:"window"`
	Except    []string  `yaml:"except"`
}

func defaults() *sample {
	s := new(sample)
	five := int64(5)
	s.Limits.Bytes, s.Limits.Wait = 1<<20, Duration(15*time.Minute)
	s.Rules = map[string]rule{"failed-auth": {Threshold: &five}}
	return s
}

// TestLoad runs the scripts: a YAML file as input, env and flag as arguments; the output is every value with its
// source, or the faults.
func TestLoad(t *testing.T) {
	secrets := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "secret"), []byte("from file\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "empty"), []byte(" \n"), 0o600))
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		t.Helper()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			t.Helper()
			in := Input{Name: "test.yaml", Prefix: "TOCSIN_", Aliases: map[string]string{"OLD_SECRET": "verify.secret"}}
			if d.Input != "" {
				in.Data = []byte(strings.ReplaceAll(d.Input, "$DIR", secrets))
			}
			for _, a := range d.CmdArgs {
				for _, v := range a.Vals {
					v = strings.ReplaceAll(v, "$DIR", secrets)
					switch a.Key {
					case "env":
						in.Env = append(in.Env, v)
					case "flag":
						p, value, _ := strings.Cut(v, "=")
						in.Flags = append(in.Flags, Flag{Name: "--set", Path: p, Value: value})
					}
				}
			}
			target := defaults()
			s, err := Load(target, in)
			var out strings.Builder
			if err != nil {
				out.WriteString(err.Error() + "\n")
			} else {
				for _, x := range s.List() {
					fmt.Fprintf(&out, "%s = %s  [%s]\n", x.Path, x.Value, x.Source)
				}
				if d.HasArg("reveal") {
					fmt.Fprintf(&out, "secret is %q\n", target.Verify.Secret.Reveal())
				}
			}
			return strings.ReplaceAll(out.String(), secrets, "$DIR")
		})
	})
}

func TestSecretsAreNotShown(t *testing.T) {
	s := NewSecret("hunter2")
	u := NewURL("postgres://user:hunter2@host/db?sslpassword=hunter2&sslmode=require")
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s),
		fmt.Sprintf("%v %+v %#v %s %q", u, u, u, u, u),
		fmt.Sprintf("%+v %#v", struct{ S Secret }{s}, struct{ S URL }{u}),
		NewURL("host=h password=hunter2 sslpassword='hunter2 hunter2' dbname=d").String(),
		NewURL("postgres://user:hunter2%zz@host/db").String(),
	} {
		require.NotContains(t, text, "hunter2")
	}
	require.Equal(t, "postgres://user:****@host/db?sslmode=require&sslpassword=****", u.String())
	require.Equal(t, "host=h password=**** sslpassword=**** dbname=d",
		NewURL("host=h password=hunter2 sslpassword='hunter2 hunter2' dbname=d").String())
}

func TestDurationAndSizeReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Range(-1e18, 1e18).Draw(t, "ns"))
		if rapid.Bool().Draw(t, "whole") {
			d = d / Duration(time.Hour) * Duration(time.Hour)
		}
		var back Duration
		require.NoError(t, back.UnmarshalText([]byte(d.String())), d.String())
		require.Equal(t, d, back)
		s := Size(rapid.Int64Range(0, 1<<50).Draw(t, "bytes"))
		if rapid.Bool().Draw(t, "round") {
			s = s >> 20 << 20
		}
		var sb Size
		require.NoError(t, sb.UnmarshalText([]byte(s.String())))
		require.Equal(t, s, sb)
	})
	for text, want := range map[string]time.Duration{
		"7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "-1d1h": -25 * time.Hour, "90s": 90 * time.Second, "0": 0,
	} {
		var d Duration
		require.NoError(t, d.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, time.Duration(d), text)
	}
	for d, want := range map[time.Duration]string{15 * time.Minute: "15m", 8 * time.Hour: "8h", 24 * time.Hour: "1d",
		90 * time.Minute: "1h30m", 100 * time.Millisecond: "100ms", 0: "0s", 10 * time.Second: "10s"} {
		require.Equal(t, want, Duration(d).String())
	}
}

func TestEnvName(t *testing.T) {
	name, err := EnvName("TOCSIN_", "rules.failed-auth.threshold")
	require.NoError(t, err)
	require.Equal(t, "TOCSIN_RULES__FAILED_AUTH__THRESHOLD", name)
}

// shownAs lists what somebody has set, as it is shown, by path. Secrets are not shown, and left out.
func shownAs(s *Settings) map[string]string {
	list := map[string]string{}
	for _, x := range s.List() {
		if !x.Source.IsDefault() && !strings.HasPrefix(x.Path, "verify.secret") && x.Path != "database" {
			list[x.Path] = x.Value
		}
	}
	return list
}

// loadShown loads what is shown, each value under the path that it is shown with.
func loadShown(t *testing.T, list map[string]string) map[string]string {
	t.Helper()
	var flags []Flag
	for path, value := range list {
		flags = append(flags, Flag{Name: "--set", Path: path, Value: value})
	}
	s, err := Load(defaults(), Input{Flags: flags})
	require.NoError(t, err, "%q", list)
	return shownAs(s)
}

// FuzzLoad: no file makes the loader panic, and what has been loaded loads again from what is shown of it, path by path
// and value by value, and is the same. Of lists, which are shown with commas between their items, that holds once they
// have been read back.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("kafka:\n  brokers: [a, b]\n  secure: true\nrules:\n  x: {threshold: 3}\n"))
	f.Add([]byte("a: &x\n  b: *x\n"))
	f.Add([]byte("kafka: {brokers: [host:9092, ::1, x:*, 'q':1, h:~]}\nverify: {sources: {a:b: c, d:}}\n"))
	f.Add([]byte("? [a]\n: b\n---\n!!binary x"))
	f.Add([]byte("limits: {bytes: 3MiB, wait: 1d12h, count: -7, ratio: 1e-9}\nverify: {sources: {\"a.b\": c, '': d}}\n"))
	f.Add([]byte("limits: {wait: 2540400h}\n"))   // more days than a hundred years have
	f.Add([]byte("limits: {wait: 106751d24h}\n")) // more than there can be
	f.Add([]byte("rules: {x: {window: 90s, except: ['a,b', ' c']}, 'd.\"e': {threshold: 1}, '\"f': {threshold: 2}}\n"))
	f.Add([]byte("rules: {\"a.\\nb\": {threshold: 1}, \"a.\\xff\": {threshold: 2}, '\\.': {threshold: 3}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		s, err := Load(defaults(), Input{Name: "f", Data: data})
		if err != nil {
			return
		}
		list := shownAs(s)
		once := loadShown(t, list)
		for path, value := range list {
			if path != "kafka.brokers" && path != "verify.sources" && !strings.HasSuffix(path, ".except") {
				require.Equal(t, value, once[path], path)
			}
		}
		require.Len(t, once, len(list))
		require.Equal(t, once, loadShown(t, once))
	})
}

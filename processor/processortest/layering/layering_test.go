package layering

import (
	_ "embed"
	"go/ast"
	"go/parser"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed layers.txt
var layers string

const root = "../../.."

func table(t *testing.T) Table {
	t.Helper()
	parsed, err := ParseTable(layers)
	require.NoError(t, err)
	return parsed
}

// fail reports each finding in the form that editors jump to.
func fail(t *testing.T, found []Finding) {
	t.Helper()
	for _, f := range found {
		t.Error(f)
	}
}

func TestImports(t *testing.T) {
	found, err := CheckImports(root, table(t))
	require.NoError(t, err)
	fail(t, found)
}

func TestPurePackages(t *testing.T) {
	found, err := CheckPurePackages(t.Context(), root, table(t))
	require.NoError(t, err)
	fail(t, found)
}

func TestTableErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a":                                    "want: path",
		"a : none":                             "want: path",
		"a [fast] : none | none":               "unknown mark [fast]",
		"a : | none":                           "written as none",
		"a : none | none\na : none | none":     "line 2: a occurs twice",
		"a : b | none\nb : none | none":        "a may import b, which has no line above it",
		"a : none | none\nb [pure] : a | none": "b is pure and may not import a, which is not",
	} {
		_, err := ParseTable(text)
		require.ErrorContains(t, err, want, text)
	}
}

// A small module with one break of each kind, so that the check is seen to fail.
func TestImportsFound(t *testing.T) {
	small, err := ParseTable(`
		low [pure]  : none | none
		mid         : low | example.com/good
		mid/...     : low | none
		top         : any | any
	`)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(file string, imports ...string) {
		path := filepath.Join(dir, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		text := "package p\n"
		for _, i := range imports {
			text += "import _ \"" + i + "\"\n"
		}
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	write("low/low.go", "strings", "os", "tocsin/mid", "example.com/good")
	write("low/low_windows.go", "net")
	write("low/low_test.go", "os", "tocsin/top")
	write("mid/mid.go", "os", "tocsin/low", "example.com/good", "example.com/good/sub", "example.com/goodness", "tocsin/top")
	write("mid/deep/deep.go", "tocsin/low", "tocsin/mid")
	write("top/top.go", "tocsin/mid/deep", "example.com/bad")
	write("new/new.go", "os")
	write("top/testdata/skip.go", "tocsin/none")
	write(".cache/skip.go", "tocsin/none")

	found, err := CheckImports(dir, small)
	require.NoError(t, err)
	var got []string
	for _, f := range found {
		got = append(got, f.Text)
	}
	require.Equal(t, []string{
		"low may not import os", "low may not import tocsin/mid", "low may not import example.com/good",
		"low may not import net",
		"mid/deep may not import tocsin/mid",
		"mid may not import example.com/goodness", "mid may not import tocsin/top",
		"this package has no line in layers.txt",
	}, got)
}

// Each snippet is the body of a file of a pure package; want is part of the one finding, or nothing.
func TestPureSnippets(t *testing.T) {
	l, err := newLoader(t.Context(), root, "bytes", "errors", "fmt", "maps", "slices", "strings", "time")
	require.NoError(t, err)
	for _, c := range []struct{ name, source, want string }{
		{"clock", `import "time"; func f() time.Time { return time.Now() }`, "time.Now reads the clock"},
		{"clock under another name", `import t "time"; func f() t.Time { return t.Now() }`, "time.Now reads the clock"},
		{"clock as a value", `import "time"; func f() func() time.Time { return time.Now }`, "time.Now reads the clock"},
		{"the machine's zone", `import "time"; func f(t time.Time) time.Time { return t.Local() }`, "depends on the machine"},
		{"zone files", `import "time"; func f() { time.LoadLocation("Europe/Paris") }`, "reads files"},
		{"durations are fine", `import "time"; func f(t time.Time) time.Time { return t.Add(time.Hour).UTC() }`, ""},
		{"own names are fine", `type c struct{}; func (c) Now() int { return 1 }; func f(time c) int { return time.Now() }`, ""},
		{"print", `import "fmt"; func f() { fmt.Println() }`, "writes to standard output"},
		{"builtin print", `func f() { println() }`, "writes to standard error"},
		{"format is fine", `import "fmt"; func f() string { return fmt.Sprint(1) }`, ""},
		{"goroutine", `func f() { go f() }`, "no goroutine"},
		{"channel", `var _ = func(c chan int) {}`, "no channels"},
		{"select", `func f() { select {} }`, "no channels"},
		{"init", `func init() {}`, "no init function"},
		{"linkname", "import _ \"unsafe\"\n//go:linkname now time.now\nfunc now()", "linkname"},
		{"map", `func f(m map[int]int) { for range m {} }`, "order of a map"},
		{"named map", `type M map[int]int; func f(m M) { for k := range m { _ = k } }`, "order of a map"},
		{"generic map", `func f[M ~map[int]int](m M) { for range m {} }`, "order of a map"},
		{"slice is fine", `func f(s []int) { for range s {} }`, ""},
		{"marked", "func f(m map[int]int) {\n//maporder:ok summed\nfor range m {}\n}", ""},
		{"marked behind", "func f(m map[int]int) {\nfor range m { //maporder:ok summed\n}\n}", ""},
		{"mark without a reason", "func f(m map[int]int) {\n//maporder:ok \nfor range m {}\n}", "order of a map"},
		{"keys", `import "maps"; func f(m map[int]int) { for range maps.Keys(m) {} }`, "maps.Keys has no order"},
		{"sorted keys are fine", `import ("maps"; "slices"); func f(m map[int]int) []int { return slices.Sorted(maps.Keys(m)) }`, ""},
		{"assigned", `var n int; func f() { n = 1 }`, "n must never change: it is assigned to"},
		{"counted", `var n int; func f() { n++ }`, "n must never change"},
		{"element", `var s = []int{1}; func f() { s[0] = 2 }`, "s must never change"},
		{"field", `var s struct{ a [2]int }; func f() { s.a[1] = 2 }`, "s must never change"},
		{"loop variable", `var n int; func f() { for n = range 3 {} }`, "n must never change"},
		{"deleted", `var m map[int]int; func f() { delete(m, 1) }`, "content is changed"},
		{"address", `var n int; func f() *int { return &n }`, "address is taken"},
		{"pointer method", `import "bytes"; var b bytes.Buffer; func f() { b.Reset() }`, "a method may change it"},
		{"exported", `var Limit = 3`, "changed from outside"},
		{"table is fine", `var codes = [...]string{"a"}; func f(i int) string { return codes[i] }`, ""},
		{"error is fine", `import "errors"; var ErrX = errors.New("x")`, ""},
		{"shadow is fine", `var n = 1; func f() { n := n; n++ }`, ""},
		{"method of a value is fine", `import "strings"; var r = strings.NewReplacer("a", "b"); func f() { r.Replace("") }`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := parser.ParseFile(l.fset, c.name+".go", "package p\n"+c.source, parser.ParseComments)
			require.NoError(t, err)
			info, err := l.check("p", []*ast.File{f})
			if err != nil && !strings.Contains(err.Error(), "missing function body") {
				require.NoError(t, err)
			}
			found := CheckPure(l.fset, []*ast.File{f}, info)
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[0].Text, c.want)
		})
	}
}

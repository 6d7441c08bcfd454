package layering

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// loader type-checks packages from source, with what they import taken from the build cache, where `go test` has
// put it: that is ten times faster than to check the standard library, too.
type loader struct {
	root    string
	fset    *token.FileSet
	exports map[string]string // import path → file
}

// newLoader makes the imports of packages (patterns of the go command) available.
func newLoader(ctx context.Context, root string, patterns ...string) (*loader, error) {
	args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, patterns...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	l := &loader{root: root, fset: token.NewFileSet(), exports: map[string]string{}}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct{ ImportPath, Export string }
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return l, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		l.exports[p.ImportPath] = p.Export
	}
}

// check type-checks files as one package.
func (l *loader) check(path string, files []*ast.File) (*types.Info, error) {
	lookup := func(path string) (io.ReadCloser, error) {
		file := l.exports[path]
		if file == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(file)
	}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	conf := types.Config{Importer: importer.ForCompiler(l.fset, "gc", lookup)}
	if _, err := conf.Check(path, l.fset, files, info); err != nil {
		return nil, fmt.Errorf("type-check %s: %w", path, err)
	}
	return info, nil
}

// checkFolder checks one pure package of the module, as it is built without tags: files for tests alone are left out.
func (l *loader) checkFolder(pkg string) ([]Finding, error) {
	names, err := filepath.Glob(filepath.Join(l.root, filepath.FromSlash(pkg), "*.go"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", pkg, err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		built, err := build.Default.MatchFile(filepath.Split(name))
		if err != nil {
			return nil, fmt.Errorf("build constraints: %w", err)
		}
		if !built {
			continue
		}
		f, err := parser.ParseFile(l.fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("parse: %w", err)
		}
		files = append(files, f)
	}
	info, err := l.check(Module+"/"+pkg, files)
	if err != nil {
		return nil, err
	}
	return CheckPure(l.fset, files, info), nil
}

// CheckPurePackages checks every pure package of the table that has source below root. It needs the go command.
func CheckPurePackages(ctx context.Context, root string, table Table) ([]Finding, error) {
	packages, err := Packages(root)
	if err != nil {
		return nil, err
	}
	var pure, patterns []string
	for _, pkg := range packages {
		if layer := table.Layer(pkg); layer != nil && layer.Pure {
			pure = append(pure, pkg)
			patterns = append(patterns, "./"+pkg)
		}
	}
	if len(pure) == 0 {
		return nil, errors.New("no pure package has any source: is this the module's folder?")
	}
	l, err := newLoader(ctx, root, patterns...)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, pkg := range pure {
		f, err := l.checkFolder(pkg)
		if err != nil {
			return nil, err
		}
		found = append(found, f...)
	}
	return found, nil
}

package layering

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// CheckImports compares the imports of every package below root, the folder of go.mod, with the table. Files for other
// systems count too; test files do not.
func CheckImports(root string, table Table) ([]Finding, error) {
	var found []Finding
	unlisted := map[string]bool{}
	err := walkSource(root, func(pkg, file string) error {
		layer := table.Layer(pkg)
		if layer == nil {
			if !unlisted[pkg] {
				unlisted[pkg] = true
				found = append(found, Finding{pkg, "this package has no line in layers.txt"})
			}
			return nil
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, file, nil, parser.ImportsOnly)
		if err != nil {
			return fmt.Errorf("parse: %w", err)
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return fmt.Errorf("parse import: %w", err)
			}
			if !layer.Allows(imported) {
				found = append(found, Finding{fset.Position(spec.Pos()).String(), pkg + " may not import " + imported})
			}
		}
		return nil
	})
	return found, err
}

// Packages lists the packages below root that have source files other than tests.
func Packages(root string) ([]string, error) {
	var all []string
	err := walkSource(root, func(pkg, _ string) error {
		if len(all) == 0 || all[len(all)-1] != pkg {
			all = append(all, pkg)
		}
		return nil
	})
	return all, err
}

// walkSource visits every Go source file below root that is no test, folder by folder.
func walkSource(root string, visit func(pkg, file string) error) error {
	return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file != root && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		return visit(path.Dir(filepath.ToSlash(rel)), file)
	})
}

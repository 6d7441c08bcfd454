package layering

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// orderMark on the line of a loop over a map, or on the one above, says why its order does not matter.
const orderMark = "//maporder:ok "

// CheckPure looks through the type-checked files of a pure package for what could make it answer differently twice:
// names that reach outside, goroutines and channels, loops over maps, init functions and package-level variables
// that change.
func CheckPure(fset *token.FileSet, files []*ast.File, info *types.Info) []Finding {
	c := &checker{fset: fset, info: info}
	for _, f := range files {
		c.marked = markedLines(fset, f)
		c.sorted = map[ast.Expr]bool{}
		for _, group := range f.Comments {
			for _, comment := range group.List {
				if strings.HasPrefix(comment.Text, "//go:linkname") {
					c.report(comment, "go:linkname reaches into other packages")
				}
			}
		}
		ast.Inspect(f, c.visit)
	}
	return c.found
}

type checker struct {
	fset   *token.FileSet
	info   *types.Info
	marked map[int]bool      // lines that carry or follow orderMark
	sorted map[ast.Expr]bool // calls whose result is sorted at once
	found  []Finding
}

func (c *checker) report(at ast.Node, format string, args ...any) {
	c.found = append(c.found, Finding{c.fset.Position(at.Pos()).String(), fmt.Sprintf(format, args...)})
}

func (c *checker) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		c.report(n, "a pure package starts no goroutine")
	case *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
		c.report(n, "a pure package has no channels")
	case *ast.UnaryExpr:
		switch n.Op {
		case token.ARROW:
			c.report(n, "a pure package has no channels")
		case token.AND:
			c.changed(n.X, "its address is taken")
		}
	case *ast.RangeStmt:
		c.rangeStmt(n)
	case *ast.FuncDecl:
		if n.Recv == nil && n.Name.Name == "init" {
			c.report(n, "a pure package has no init function")
		}
	case *ast.AssignStmt:
		for _, left := range n.Lhs {
			c.changed(left, "it is assigned to")
		}
	case *ast.IncDecStmt:
		c.changed(n.X, "it is assigned to")
	case *ast.CallExpr:
		c.call(n)
	case *ast.SelectorExpr:
		c.selector(n)
	case *ast.GenDecl:
		c.exported(n)
	}
	return true
}

func (c *checker) rangeStmt(n *ast.RangeStmt) {
	if n.Key != nil {
		c.changed(n.Key, "it is assigned to")
	}
	if n.Value != nil {
		c.changed(n.Value, "it is assigned to")
	}
	if _, isMap := under(c.info.TypeOf(n.X)).(*types.Map); isMap && !c.marked[c.line(n)] {
		c.report(n, "the order of a map is random: sort the keys, or say why it does not matter with %q", orderMark+"reason")
	}
}

func (c *checker) call(n *ast.CallExpr) {
	switch name := c.name(n.Fun); name {
	case "print", "println":
		c.report(n, "%s writes to standard error", name)
	case "delete", "clear", "copy":
		c.changed(n.Args[0], "its content is changed")
	case "slices.Sorted", "slices.SortedFunc", "slices.SortedStableFunc":
		if inner, ok := n.Args[0].(*ast.CallExpr); ok {
			c.sorted[inner.Fun] = true
		}
	}
}

func (c *checker) selector(n *ast.SelectorExpr) {
	name := c.name(n)
	if why, banned := impure[name]; banned && !c.sorted[n] && !c.marked[c.line(n)] {
		c.report(n, "%s %s", name, why)
	}
	// v.Method() with a pointer receiver takes the address of v.
	if s := c.info.Selections[n]; s != nil && s.Kind() == types.MethodVal && !s.Indirect() {
		if sig, ok := s.Obj().Type().(*types.Signature); ok {
			_, toPointer := sig.Recv().Type().(*types.Pointer)
			_, fromPointer := s.Recv().(*types.Pointer)
			if toPointer && !fromPointer {
				c.changed(n.X, "a method may change it")
			}
		}
	}
}

// exported finds package-level variables that other packages could assign to. Errors are left alone: everybody does
// it so, and nobody assigns to them.
func (c *checker) exported(n *ast.GenDecl) {
	if n.Tok != token.VAR {
		return
	}
	for _, spec := range n.Specs {
		for _, id := range spec.(*ast.ValueSpec).Names {
			v, ok := c.info.Defs[id].(*types.Var)
			if ok && global(v) && v.Exported() && !types.Identical(v.Type(), types.Universe.Lookup("error").Type()) {
				c.report(id, "%s can be changed from outside: make it a function or a constant", id.Name)
			}
		}
	}
}

// changed reports an expression whose root is a package-level variable.
func (c *checker) changed(e ast.Expr, how string) {
	for {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SelectorExpr:
			if c.info.Selections[x] == nil { // a name of another package
				e = x.Sel
			} else {
				e = x.X
			}
		case *ast.Ident:
			if v, ok := c.info.Uses[x].(*types.Var); ok && global(v) {
				c.report(x, "the package-level variable %s must never change: %s", x.Name, how)
			}
			return
		default:
			return
		}
	}
}

// name is package.Name or package.Type.Method of what an expression refers to, or the name of a builtin; "" for others.
func (c *checker) name(e ast.Expr) string {
	var id *ast.Ident
	switch x := e.(type) {
	case *ast.Ident:
		id = x
	case *ast.SelectorExpr:
		id = x.Sel
	case *ast.IndexExpr: // an instantiated generic function
		return c.name(x.X)
	default:
		return ""
	}
	obj := c.info.Uses[id]
	switch {
	case obj == nil:
		return ""
	case obj.Pkg() == nil:
		return obj.Name()
	}
	if f, ok := obj.(*types.Func); ok {
		if recv := f.Signature().Recv(); recv != nil {
			t := recv.Type()
			if p, ok := t.(*types.Pointer); ok {
				t = p.Elem()
			}
			if named, ok := t.(*types.Named); ok {
				return obj.Pkg().Path() + "." + named.Obj().Name() + "." + obj.Name()
			}
			return ""
		}
	}
	return obj.Pkg().Path() + "." + obj.Name()
}

func (c *checker) line(n ast.Node) int { return c.fset.Position(n.Pos()).Line }

// under is the type below names and type parameters; nil for the type of nothing.
func under(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	if p, ok := t.(*types.TypeParam); ok {
		if core := coreOf(p); core != nil {
			return core
		}
	}
	return t.Underlying()
}

// coreOf is the underlying type that all types of a constraint share, if there is just one term.
func coreOf(p *types.TypeParam) types.Type {
	constraint, ok := p.Constraint().Underlying().(*types.Interface)
	if !ok || constraint.NumEmbeddeds() != 1 {
		return nil
	}
	switch e := constraint.EmbeddedType(0).(type) {
	case *types.Union:
		if e.Len() == 1 {
			return e.Term(0).Type().Underlying()
		}
	default:
		if _, isInterface := e.Underlying().(*types.Interface); !isInterface {
			return e.Underlying()
		}
	}
	return nil
}

func global(v *types.Var) bool {
	return !v.IsField() && v.Pkg() != nil && v.Parent() == v.Pkg().Scope()
}

func markedLines(fset *token.FileSet, f *ast.File) map[int]bool {
	marked := map[int]bool{}
	for _, group := range f.Comments {
		for _, comment := range group.List {
			if reason, ok := strings.CutPrefix(comment.Text, orderMark); ok && strings.TrimSpace(reason) != "" {
				line := fset.Position(comment.Pos()).Line
				marked[line], marked[line+1] = true, true
			}
		}
	}
	return marked
}

package settings

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// loadFile reads a YAML file of one document. It walks the syntax tree itself rather than have it decoded, for every
// value's line is to be known.
func (s *Settings) loadFile(name string, data []byte) []error {
	if len(data) > MaxFile {
		return []error{fmt.Errorf("%s has %d bytes, at most %d are read", name, len(data), MaxFile)}
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return []error{syntaxError(name, err)}
	}
	l := yamlLoader{s: s, name: name}
	docs := 0
	for _, doc := range file.Docs {
		if doc.Body == nil || isComment(doc.Body) {
			continue
		}
		if docs++; docs > 1 {
			l.fail(doc.Body, "", "a second document begins here: a file holds one")
			break
		}
		l.section(s.root, "", doc.Body)
	}
	return l.errs
}

func isComment(n ast.Node) bool { return n.Type() == ast.CommentType }

// syntaxError gives the parser's complaint with file and line. The parser's own text shows the lines around the fault,
// among which may be a secret.
func syntaxError(name string, err error) error {
	var y yaml.Error
	if errors.As(err, &y) {
		if tok := y.GetToken(); tok != nil && tok.Position != nil {
			message, line := y.GetMessage(), tok.Position.Line
			for ; tok != nil && tok.Position.Line == line; tok = tok.Prev {
				if tightColon(tok) {
					message += "; a value with a colon in it belongs in quotes here"
					break
				}
			}
			return &Error{Where: fmt.Sprintf("%s:%d", name, line), Message: message}
		}
		return &Error{Where: name, Message: y.GetMessage()}
	}
	return &Error{Where: name, Message: "not YAML"}
}

type yamlLoader struct {
	s    *Settings
	name string
	errs []error
}

func (l *yamlLoader) where(n ast.Node) string {
	if tok := n.GetToken(); tok != nil && tok.Position != nil {
		return fmt.Sprintf("%s:%d", l.name, tok.Position.Line)
	}
	return l.name
}

func (l *yamlLoader) fail(n ast.Node, path, format string, args ...any) {
	l.errs = append(l.errs, &Error{Where: l.where(n), Path: path, Message: fmt.Sprintf(format, args...)})
}

// pairs lists the entries of a mapping; ok is false for another node.
func pairs(n ast.Node) (entries []*ast.MappingValueNode, ok bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func (l *yamlLoader) section(v reflect.Value, path string, n ast.Node) {
	entries, ok := pairs(n)
	if !ok {
		if n.Type() == ast.NullType {
			return // a section whose lines are all comments
		}
		l.fail(n, path, "a section is expected here: lines of key: value, indented")
		return
	}
	have, member := section(v)
	for _, e := range entries {
		name, ok := scalar(e.Key)
		if !ok {
			l.fail(e.Key, path, "this kind of key is not supported: write a plain name")
			continue
		}
		if tight(e) {
			l.fail(e.Key, path, "%s", noSpace(name))
			continue
		}
		if !isOpen(v) && exact(have, name) == "" {
			l.fail(e.Key, joinPath(path, name), "%s", unknown(name, have, false))
			continue
		}
		m, put := member(name)
		p := joinPath(path, name)
		if isSection(m) {
			l.section(m, p, e.Value)
		} else {
			l.leaf(m, p, e.Value)
		}
		put()
	}
}

func (l *yamlLoader) leaf(v reflect.Value, path string, n ast.Node) {
	if err := l.setLeaf(v, n); err != nil {
		l.fail(n, path, "%s", err.Error())
		return
	}
	l.s.sources[path] = Source{layerFile, l.where(n)}
}

func (l *yamlLoader) setLeaf(v reflect.Value, n ast.Node) error {
	kind := v.Type()
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch n := n.(type) {
	case *ast.NullNode:
		return errors.New(`has no value: leave the line out for the default, or write "" for nothing`)
	case *ast.SequenceNode:
		if kind.Kind() != reflect.Slice {
			return errors.New("one value is expected here, not a list")
		}
		items := []string{}
		for _, item := range n.Values {
			text, ok := scalar(item)
			if entry, one := onlyPair(item); one && !ok {
				text, ok = joined(entry)
			}
			if !ok {
				return errors.New("every item of the list must be a plain value; one with a colon and a space goes in quotes")
			}
			items = append(items, text)
		}
		return setList(v, items)
	}
	if entries, ok := pairs(n); ok {
		if kind.Kind() != reflect.Map {
			return errors.New("one value is expected here, not a section")
		}
		m := map[string]string{}
		for _, e := range entries {
			name, ok1 := scalar(e.Key)
			value, ok2 := scalar(e.Value)
			if !ok1 || !ok2 {
				return errors.New("every entry must be a plain name and a plain value")
			}
			if tight(e) {
				return errors.New(noSpace(name))
			}
			m[name] = value
		}
		v.Set(reflect.ValueOf(m))
		return nil
	}
	if kind.Kind() == reflect.Map {
		return errors.New("a section is expected here: lines of name: value, indented")
	}
	value, ok := scalar(n)
	if !ok {
		return errors.New("this kind of value is not supported: write it out plainly")
	}
	if kind.Kind() == reflect.Slice {
		return setList(v, []string{value})
	}
	if err := setText(v, value); err != nil {
		return fmt.Errorf("%s%w", shown(v, value), err)
	}
	return nil
}

// onlyPair gives the entry of a list's item that the parser took for a mapping without braces.
func onlyPair(item ast.Node) (*ast.MappingValueNode, bool) {
	if m, ok := item.(*ast.MappingNode); ok && len(m.Values) == 1 && m.Start.Type != token.MappingStartType {
		return m.Values[0], true
	}
	entry, ok := item.(*ast.MappingValueNode)
	return entry, ok
}

// tight says whether the colon of an entry has no space behind it, as in host:9092. In YAML it then separates nothing
// unless the name is quoted (YAML 1.2.2, 7.3.3 and 7.4.2); the parser splits there wherever braces are open.
func tight(e *ast.MappingValueNode) bool {
	return e.Value != nil && tightColon(e.Start)
}

func tightColon(colon *token.Token) bool {
	name, value := colon.Prev, colon.Next
	if colon.Type != token.MappingValueType || name == nil || value == nil ||
		name.Indicator == token.QuotedScalarIndicator ||
		value.Type == token.MappingStartType || value.Type == token.SequenceStartType {
		return false
	}
	return value.Position.Line == colon.Position.Line && value.Position.Column == colon.Position.Column+1
}

// joined puts together a plain value that the parser has split.
func joined(e *ast.MappingValueNode) (text string, ok bool) {
	before, ok := scalar(e.Key)
	if !ok || !tight(e) {
		return "", false
	}
	after, ok := scalar(e.Value)
	if e.Value.Type() == ast.NullType {
		after, ok = strings.TrimSpace(e.Value.GetToken().Value), true // null or ~ is but text here
	}
	if !ok || e.Value.GetToken().Indicator == token.QuotedScalarIndicator || strings.Contains(after, ": ") {
		return "", false
	}
	return before + ":" + after, true
}

// noSpace is the complaint about a colon without a space where there must be a name and a value. It shows only the
// name: the value may be a secret.
func noSpace(name string) string {
	return fmt.Sprintf("there is no space after %q: write one, or quotes around a name that has a colon in it", name+":")
}

// scalar gives the text of a plain value: numbers and booleans as they are written.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return strings.TrimSpace(n.GetToken().Value), true
	}
	return "", false
}

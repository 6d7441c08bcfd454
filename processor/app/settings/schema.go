package settings

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// Hint is what is known of a setting beside its type.
type Hint struct {
	Description string
	OneOf       []string // the words it may be; of a map, its values
	Names       []string // of a map of sections: names to offer, beside any other
}

// AnyName stands in a path for a name that users choose.
const AnyName = "*"

// Schema is the JSON Schema (draft 2020-12) of a file that [Load] reads into target, a pointer to a struct that holds
// the defaults. It holds types, defaults, and what hint says of a path: editors need no more. What Load's caller
// checks besides (ranges, settings that exclude each other) is not in it, so a file that is right by the schema can be
// wrong.
func Schema(target any, hint func(path string) Hint) map[string]any {
	s := sectionSchema(reflect.ValueOf(target).Elem(), "", hint)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	return s
}

// sectionSchema of a section with its members. A section whose lines are all comments is null.
func sectionSchema(v reflect.Value, path string, hint func(string) Hint) map[string]any {
	s := map[string]any{"type": []string{"object", "null"}}
	describe(s, hint(path))
	properties := map[string]any{}
	names, member := section(v)
	if v.Kind() == reflect.Map {
		names = hint(path).Names
	}
	for _, name := range names {
		m, _ := member(name)
		properties[name] = memberSchema(m, joinPath(path, name), hint)
	}
	if len(properties) > 0 {
		s["properties"] = properties
	}
	s["additionalProperties"] = false
	if v.Kind() == reflect.Map {
		s["additionalProperties"] = memberSchema(reflect.New(v.Type().Elem()).Elem(), joinPath(path, AnyName), hint)
	}
	return s
}

func memberSchema(v reflect.Value, path string, hint func(string) Hint) map[string]any {
	if isSection(v) {
		return sectionSchema(v, path, hint)
	}
	h := hint(path)
	s := leafSchema(v.Type(), h)
	describe(s, h)
	if text, set := text(v); set && !isSecret(v.Type()) {
		s["default"] = defaultOf(v, text)
	}
	return s
}

func describe(s map[string]any, h Hint) {
	if h.Description != "" {
		s["description"] = h.Description
	}
}

// Forms of values that are written as text.
const (
	durationForm = `^-?[0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d)([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))*$|^0$`
	sizeForm     = `^[0-9]+ *(KiB|MiB|GiB)?$`
)

func leafSchema(t reflect.Type, h Hint) map[string]any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	word := map[string]any{"type": "string"}
	if h.OneOf != nil {
		word = map[string]any{"enum": h.OneOf}
	}
	switch {
	case t == reflect.TypeFor[Duration]():
		return map[string]any{"anyOf": []any{
			map[string]any{"type": "string", "pattern": durationForm}, map[string]any{"const": 0},
		}}
	case t == reflect.TypeFor[Size]():
		return map[string]any{"anyOf": []any{map[string]any{"type": "string", "pattern": sizeForm},
			map[string]any{"type": "integer", "minimum": 0}}}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64, t.Kind() == reflect.Int32:
		return map[string]any{"type": "integer"}
	case t.Kind() == reflect.Float64:
		return map[string]any{"type": "number"}
	case t.Kind() == reflect.Slice:
		item := word
		if h.OneOf == nil {
			item = map[string]any{"type": []string{"string", "number", "boolean"}}
		}
		return map[string]any{"anyOf": []any{map[string]any{"type": "array", "items": item}, item}}
	case t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": word}
	case h.OneOf != nil:
		return word
	}
	return map[string]any{"type": []string{"string", "number", "boolean"}} // a plain value, however it looks
}

// defaultOf is the value as it would be written in the file.
func defaultOf(v reflect.Value, text string) any {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if _, ok := v.Interface().(encoding.TextMarshaler); ok {
		return text
	}
	switch v.Kind() {
	case reflect.Slice:
		if v.Len() == 0 {
			return []string{}
		}
	case reflect.Map:
		if v.Len() == 0 {
			return map[string]string{}
		}
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return text
	}
	return json.RawMessage(b)
}

// Comments gives, by path, the comments of a YAML file in block form: of each key the lines of comment right above it,
// put together to a text. Keys of one section that follow each other without a comment of their own share the one above
// the first of them. Lines that begin with "#:" are examples and no comments.
func Comments(file string) map[string]string {
	type level struct {
		indent int
		path   string
	}
	var (
		out     = map[string]string{}
		open    []level
		comment []string
		shared  = map[string]string{} // by section: the comment that the next key without one has, too
	)
	for line := range strings.Lines(file) {
		line = strings.TrimRight(line, "\n")
		text := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case text == "":
			comment = nil
			continue
		case strings.HasPrefix(text, "#:"):
			continue
		case strings.HasPrefix(text, "#"):
			comment = append(comment, strings.TrimSpace(strings.TrimPrefix(text, "#")))
			continue
		}
		name, rest, ok := strings.Cut(text, ":")
		if !ok || strings.ContainsAny(name, " ,[]{}\"'") || rest != "" && rest[0] != ' ' {
			continue // the next line of a list
		}
		for len(open) > 0 && open[len(open)-1].indent >= indent {
			open = open[:len(open)-1]
		}
		parent := ""
		if len(open) > 0 {
			parent = open[len(open)-1].path
		}
		path := joinPath(parent, name)
		if len(comment) > 0 {
			shared[parent] = strings.Join(comment, " ")
		}
		comment = nil
		if shared[parent] != "" {
			out[path] = shared[parent]
		}
		if strings.TrimSpace(rest) == "" {
			delete(shared, parent) // a section's comment is not that of the one behind it
			open = append(open, level{indent, path})
		}
	}
	return out
}

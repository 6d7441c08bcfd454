package settings

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// section lists the members of a section by name: the fields of a struct, or what a map of structs holds.
func section(v reflect.Value) (names []string, member func(name string) (reflect.Value, func())) {
	if v.Kind() == reflect.Map {
		for _, k := range v.MapKeys() {
			names = append(names, k.String())
		}
		slices.Sort(names)
		return names, func(name string) (reflect.Value, func()) {
			// Members of a map cannot be changed in place: a copy is, and put back.
			m := reflect.New(v.Type().Elem()).Elem()
			if old := v.MapIndex(reflect.ValueOf(name)); old.IsValid() {
				m.Set(old)
			}
			return m, func() {
				if v.IsNil() {
					v.Set(reflect.MakeMap(v.Type()))
				}
				v.SetMapIndex(reflect.ValueOf(name), m)
			}
		}
	}
	fields := map[string]int{}
	t := v.Type()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		names = append(names, name)
		fields[name] = i
	}
	return names, func(name string) (reflect.Value, func()) {
		i, ok := fields[name]
		if !ok {
			return reflect.Value{}, nil
		}
		return v.Field(i), func() {}
	}
}

// isSection says whether v has members rather than a value.
func isSection(v reflect.Value) bool {
	if v.Kind() == reflect.Map {
		return v.Type().Elem().Kind() == reflect.Struct && !isText(v.Type().Elem())
	}
	return v.Kind() == reflect.Struct && !isText(v.Type())
}

// isOpen says whether a section takes any name.
func isOpen(v reflect.Value) bool { return v.Kind() == reflect.Map }

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textUnmarshaler) }

// setText gives a leaf the value of a text. Lists are separated by commas, maps are name=value separated by commas.
func setText(v reflect.Value, text string) error {
	switch {
	case v.Kind() == reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := setText(p.Elem(), text); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case isText(v.Type()):
		fresh := reflect.New(v.Type())
		if err := fresh.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
			return err
		}
		v.Set(fresh.Elem())
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch text {
		case "true":
			v.SetBool(true)
		case "false":
			v.SetBool(false)
		default:
			return fmt.Errorf("write true or false")
		}
	case reflect.Int, reflect.Int64, reflect.Int32:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("write a whole number")
		}
		v.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("write a number")
		}
		v.SetFloat(n)
	case reflect.Slice:
		return setList(v, splitList(text))
	case reflect.Map:
		m := map[string]string{}
		for _, pair := range splitList(text) {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				return fmt.Errorf("write name=value, separated by commas")
			}
			m[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		v.Set(reflect.ValueOf(m))
	default:
		return fmt.Errorf("settings of type %s are not supported", v.Type())
	}
	return nil
}

func setList(v reflect.Value, items []string) error {
	if v.Type().Elem().Kind() != reflect.String {
		return fmt.Errorf("lists of %s are not supported", v.Type().Elem())
	}
	v.Set(reflect.ValueOf(items))
	return nil
}

func splitList(text string) []string {
	items := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// text gives the value of a leaf as it would be written, secrets masked; set is false for a nil pointer.
func text(v reflect.Value) (s string, set bool) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "", false
		}
		return text(v.Elem())
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		if err != nil {
			return "", false
		}
		return string(b), true
	}
	switch v.Kind() {
	case reflect.Slice:
		return strings.Join(v.Interface().([]string), ","), true
	case reflect.Map:
		m := v.Interface().(map[string]string)
		names := make([]string, 0, len(m))
		for name := range m {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			names[i] = name + "=" + m[name]
		}
		return strings.Join(names, ","), true
	}
	return fmt.Sprint(v.Interface()), true
}

func isSecret(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t == reflect.TypeFor[Secret]() || t == reflect.TypeFor[URL]()
}

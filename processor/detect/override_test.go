package detect

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every field that is set comes from above, every other from below: also one that is added later.
func TestOverlaysAreComplete(t *testing.T) {
	base, above := Settings{}, Settings{}
	fill(t, reflect.ValueOf(&base).Elem(), "below")
	fill(t, reflect.ValueOf(&above).Elem(), "above")
	checkOverlay(t, base, above, Settings.over)
	baseHours, aboveHours := Hours{}, Hours{}
	fill(t, reflect.ValueOf(&baseHours).Elem(), "below")
	fill(t, reflect.ValueOf(&aboveHours).Elem(), "above")
	checkOverlay(t, baseHours, aboveHours, Hours.over)
	require.Equal(t, []string{}, Hours{Days: []string{}}.over(baseHours).Days, "an empty list is set")
}

// fill sets every field.
func fill(t *testing.T, v reflect.Value, text string) {
	t.Helper()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.String:
			f.SetString(text)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{text}))
		default:
			t.Fatalf("field %s of kind %s", v.Type().Field(i).Name, f.Kind())
		}
	}
}

func checkOverlay[T any](t *testing.T, base, above T, over func(above, base T) T) {
	t.Helper()
	for i := range reflect.TypeFor[T]().NumField() {
		var one T
		reflect.ValueOf(&one).Elem().Field(i).Set(reflect.ValueOf(above).Field(i))
		want := base
		reflect.ValueOf(&want).Elem().Field(i).Set(reflect.ValueOf(above).Field(i))
		same(t, want, over(one, base))
	}
	same(t, above, over(above, base))
	var none T
	same(t, base, over(none, base))
}

// same compares pointers by identity: those of either layer point to equal values.
func same[T any](t *testing.T, want, got T) {
	t.Helper()
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	for i := range w.NumField() {
		name := w.Type().Field(i).Name
		if w.Field(i).Kind() == reflect.Pointer {
			require.Equal(t, w.Field(i).Pointer(), g.Field(i).Pointer(), name)
			continue
		}
		require.Equal(t, w.Field(i).Interface(), g.Field(i).Interface(), name)
	}
}

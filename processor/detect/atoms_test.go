package detect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/detect"
	"tocsin/topics"
)

// TestMemoChangesNothing: what is remembered of an action is what is found in it, however many there are and whichever
// rule set is asked.
func TestMemoChangesNothing(t *testing.T) {
	c := detect.Default()
	one, err := detect.Compile(c)
	require.NoError(t, err)
	off := false
	c.Rules = map[string]detect.Settings{"data-velocity": {Enabled: &off}}
	other, err := detect.Compile(c)
	require.NoError(t, err)
	actions := []string{"data.read", "fhir.search", "auth.login.failure", "data.export", "bulk", "auth.data.read", "x"}
	for i := range 5000 {
		actions = append(actions, fmt.Sprintf("data.read.%d", i), strings.Repeat("long ", 30)+fmt.Sprint(i%7))
	}
	var memo detect.Memo
	seen := map[uint64]bool{}
	for range 2 {
		for i, action := range actions {
			e := &topics.Event{Action: []byte(action), Status: topics.StatusSuccess, PrincipalID: []byte("p")}
			rules := one.For(nil)
			if i%3 == 0 {
				rules = other.For(nil)
			}
			want, _ := rules.Match(e, new(detect.Memo))
			got, _ := rules.Match(e, &memo)
			require.Equal(t, want, got, action)
			seen[got] = true
		}
	}
	require.Greater(t, len(seen), 2)
}

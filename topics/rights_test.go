package topics

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// TestRights holds what each duty needs, right by right: a new one is a decision, and must be seen.
func TestRights(t *testing.T) {
	datadriven.RunTest(t, filepath.Join("testdata", "rights.txt"), func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		var duties []Duty
		for name := range strings.FieldsSeq(d.Input) {
			duties = append(duties, Duty(name))
		}
		var b strings.Builder
		for _, r := range Rights(RightsConfig{App: "app", SinkGroup: "app-sink", CountersGroup: "app-counters", Names: DefaultNames()}, duties...) {
			fmt.Fprintf(&b, "%s: %s\n", r, r.Why)
		}
		return b.String()
	})
}

// Together, duties need what they need apart, and no right twice or beside one that allows it.
func TestRightsTogether(t *testing.T) {
	c := RightsConfig{App: "app", SinkGroup: "app-sink", CountersGroup: "app-counters", Names: DefaultNames()}
	all := Rights(c, Duties()...)
	allowed := func(r Right) (n int) {
		for _, a := range all {
			if a.Operation.Allows(r.Operation) && a.sameResource(&r) {
				n++
			}
		}
		return n
	}
	for _, d := range Duties() {
		own := Rights(c, d)
		require.NotEmpty(t, own, d)
		for _, r := range own {
			require.Positive(t, allowed(r), "%s: %s", d, r)
			require.Equal(t, []Duty{d}, r.For)
		}
	}
	for _, r := range all {
		require.Equal(t, 1, allowed(r), r)
		require.NotEmpty(t, r.Why)
	}
}

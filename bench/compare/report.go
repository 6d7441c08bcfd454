package compare

import (
	"fmt"
	"strings"
)

// shown is the number of differences written out.
const shown = 20

// Report is what a comparison found.
type Report struct {
	Alerts      int      // expected
	Revisions   int      // expected
	AboveCap    int      // of the alerts, those of keys above the cap
	Total       int      // number of differences
	Differences []string // the first of them
}

func (r *Report) differ(format string, args ...any) {
	r.Total++
	if len(r.Differences) < shown {
		r.Differences = append(r.Differences, fmt.Sprintf(format, args...))
	}
}

// Err is nil when nothing differs.
func (r *Report) Err() error {
	if r.Total == 0 {
		return nil
	}
	return fmt.Errorf("%d differences, the first %d:\n%s", r.Total, len(r.Differences), strings.Join(r.Differences, "\n"))
}

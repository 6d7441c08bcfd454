package live

import (
	_ "embed" // the scripts
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Each script does all of its work or none of it, with nobody in between.
var (
	//go:embed scripts/claim.lua
	claimText string
	//go:embed scripts/count.lua
	countText string
	//go:embed scripts/report.lua
	reportText string
)

// scripts are sent to a server in full only when it does not know them yet.
type scripts struct{ claim, count, report *redis.Script }

func newScripts() scripts {
	return scripts{redis.NewScript(claimText), redis.NewScript(countText), redis.NewScript(reportText)}
}

// Bounds of what is kept in Redis.
const (
	// maxFields are the kinds in one bucket. Organisations are claimed by events: whoever can write events could make
	// any number of them.
	maxFields = 10_000
	// maxSeen are the alerts that are recognised when they are written a second time; some 100 bytes each.
	maxSeen = 200_000
)

func isNil(err error) bool { return err == redis.Nil } //nolint:errorlint // it is never wrapped

// wrap says what was being done.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

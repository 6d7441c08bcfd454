package run

import (
	"bytes"
	"context"
	"os/exec"
)

// Checkout says which commit the working folder's checkout is at, and whether files in it differ or were added since,
// but for results and what git ignores. Outside a checkout, or without git, the commit is empty.
func Checkout(ctx context.Context) (commit string, dirty bool) {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--verify", "HEAD").Output()
	if err != nil {
		return "", false
	}
	status, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--",
		":(top)", ":(top,exclude)bench/results").Output()
	return string(bytes.TrimSpace(head)), err != nil || len(status) > 0
}

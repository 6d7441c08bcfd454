package program

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tocsin/processor/embedded/child"
)

// NextFormat is the build tag of a program that reads and can write one more format of the state than releases do.
const NextFormat = "tocsin_next_format"

// Build builds the program, with build tags or without, into a folder and returns its path.
func Build(ctx context.Context, dir string, tags ...string) (string, error) {
	path := filepath.Join(dir, strings.Join(append([]string{"tocsin"}, tags...), "-"))
	_, err := child.Run(ctx, child.Config{
		Path: "go", Env: os.Environ(),
		Args: []string{"build", "-tags", strings.Join(tags, ","), "-o", path, "tocsin/processor/cmd/tocsin"},
	})
	if err != nil {
		return "", fmt.Errorf("build the program: %w", err)
	}
	return path, nil
}

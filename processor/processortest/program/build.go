package program

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"tocsin/processor/embedded/child"
)

// Build builds the program into a folder and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "tocsin")
	_, err := child.Run(ctx, child.Config{
		Path: "go", Args: []string{"build", "-o", path, "tocsin/processor/cmd/tocsin"}, Env: os.Environ(),
	})
	if err != nil {
		return "", fmt.Errorf("build the program: %w", err)
	}
	return path, nil
}

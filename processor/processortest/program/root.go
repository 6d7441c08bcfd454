package program

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Root is the folder of the checkout, that of go.mod, looked for from the working folder upwards.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working folder: go to a checkout")
		}
		dir = parent
	}
}

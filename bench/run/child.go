package run

import (
	"encoding/json"
	"fmt"
	"os"
)

// ChildSettings reads what a process that is to be measured has to do from a variable of its environment, as JSON. It
// says false where the variable is not set: this process is not the one.
func ChildSettings(variable string, to any) (bool, error) {
	text := os.Getenv(variable)
	if text == "" {
		return false, nil
	}
	if err := json.Unmarshal([]byte(text), to); err != nil {
		return true, fmt.Errorf("settings: %w", err)
	}
	// What tells a program what it is, is no setting of the processor.
	return true, os.Unsetenv(variable)
}

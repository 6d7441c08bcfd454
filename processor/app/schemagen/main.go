// Command schemagen writes the JSON Schema of the configuration file, from the example that explains every setting and
// the defaults: schemagen EXAMPLE SCHEMA.
package main

import (
	"fmt"
	"os"

	"tocsin/processor/app"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("name the example and the schema")
	}
	example, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	schema, err := app.MakeConfigSchema(string(example))
	if err != nil {
		return err
	}
	return os.WriteFile(args[1], schema, 0o644) //nolint:gosec // everybody may read it
}

// Package layering holds the table of which package may import which (layers.txt) and checks the module's source
// against it, and the source of pure packages for whatever could make them answer differently twice.
//
// It is used by its own test alone; it is no part of the program.
package layering

import "fmt"

// Finding is one break of the rules.
type Finding struct {
	Pos  string // file:line:column, or the package's path
	Text string
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s", f.Pos, f.Text) }

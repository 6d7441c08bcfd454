// Package narrate tells people what Tocsin has found: an alert with what is proven of it and what is not, a dead letter
// with how to mend it, a process that is not well.
//
// It guarantees that nothing is claimed that the thing at hand does not say: every sentence comes from a field of it,
// and what a field leaves open is told as open. It asks nobody and reads no clock: the same input gives the same text.
//
// The caller gives the width of the page, whether it may be coloured, and how the reader calls the program, so that the
// commands for the next steps work when pasted.
package narrate

import (
	"strings"

	"tocsin/processor/app/terminal"
)

// Options say for whom the text is.
type Options struct {
	Width   int  // characters of a line; 0: terminal.DefaultWidth
	Colour  bool // whether the terminal shows colour
	All     bool // all events of an alert, and all of a record, where otherwise a part is shown
	Program string
	// Flags are those that every command is to be given, as they were: --config FILE, --set …
	Flags []string
	// Organization is whom the reader asks as; empty for an operator, who sees all.
	Organization string
}

// page begins a page.
func (o Options) page() *terminal.Page { return terminal.NewPage(o.Width, o.Colour) }

// Command writes a command line that a POSIX shell reads back.
func (o Options) Command(args ...string) string {
	program := o.Program
	if program == "" {
		program = "tocsin"
	}
	words := []string{terminal.Quote(program)}
	for _, a := range append(append([]string{}, o.Flags...), args...) {
		words = append(words, terminal.Quote(a))
	}
	return strings.Join(words, " ")
}

// Package terminal is how the program writes for people: text broken to a width, headings, lists, and nothing in it
// that could move the cursor.
//
// It guarantees that what comes from outside (events, names, errors) reaches the terminal only with its control
// characters written as escapes, and that no line of prose is wider than the page. Commands and addresses are never
// broken: they must work when pasted.
//
// The caller says how wide the terminal is and whether it shows colour.
package terminal

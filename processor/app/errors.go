package app

import (
	"errors"
	"fmt"
)

// UsageError is a mistake of whoever called: wrong arguments, or a configuration that cannot do what was asked. The
// program then ends with code 2.
type UsageError struct{ err error }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Usage marks an error as a mistake of whoever called.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return &UsageError{err}
}

// Error implements error.
func (e *UsageError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.err }

// ErrFindings means that a command did its work and found something wrong, which its output says. The program ends with
// code 1 and prints nothing more.
var ErrFindings = errors.New("something was found")

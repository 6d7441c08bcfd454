// Command bench works with the results of measurements.
//
//	go run ./bench compare A.json B.json     what changed from A to B beyond noise
//	go run ./bench show FILE.json …          results as text
//
// It ends with 0, whatever has changed; with 1 where a result cannot be read or two cannot be compared; with 2 where it
// is called wrongly.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"tocsin/bench/report"
)

const usage = `usage:
  bench compare A.json B.json     what changed from A to B beyond noise
  bench show FILE.json …          results as text`

var errUsage = errors.New(usage)

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2) //nolint:forbidigo // this is main
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run(args []string, out io.Writer) error {
	switch {
	case len(args) == 3 && args[0] == "compare":
		return compare(args[1], args[2], out)
	case len(args) >= 2 && args[0] == "show":
		return show(args[1:], out)
	}
	return errUsage
}

func compare(pathA, pathB string, out io.Writer) error {
	a, err := report.Load(pathA)
	if err != nil {
		return err
	}
	b, err := report.Load(pathB)
	if err != nil {
		return err
	}
	c, err := report.Compare(a, b)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, c.Text())
	return err
}

func show(paths []string, out io.Writer) error {
	for i, path := range paths {
		r, err := report.Load(path)
		if err != nil {
			return err
		}
		text := report.Text(r)
		if i > 0 {
			text = "\n" + text
		}
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
	return nil
}

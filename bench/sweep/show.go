package main

import (
	"fmt"
	"os"

	"tocsin/bench/report"
)

func machine() report.Machine { return report.ReadMachine(os.DirFS("/proc")) }

// show prints the result and, where asked for, writes it.
func (o *options) show(r *report.Result) error {
	if _, err := os.Stdout.WriteString(report.Text(r)); err != nil || o.report == "" {
		return err
	}
	paths, err := report.Save(o.report, r)
	for _, path := range paths {
		fmt.Fprintln(os.Stderr, "wrote", path)
	}
	return err
}

// finish shows what was measured: whole, or, should something have failed, what there is of it, on the terminal alone.
func (o *options) finish(r *report.Result, err error) error {
	if err == nil {
		return o.show(r)
	}
	if len(r.Samples) > 0 {
		fmt.Fprint(os.Stderr, "measured so far, not written:\n", report.Text(r))
	}
	return err
}

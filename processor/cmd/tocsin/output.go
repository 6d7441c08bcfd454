package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"tocsin/processor/app/terminal"
)

// listing writes rows: as a table on a terminal, one JSON object per line otherwise.
type listing struct {
	w       io.Writer
	columns []string
	table   *tabwriter.Writer // nil: JSON
	err     error
}

// list begins a listing. Columns are the names in JSON, and in capitals the heads of the table.
func (e *environment) list(columns ...string) *listing {
	l := &listing{w: e.stdout, columns: columns}
	if e.tables() {
		l.table = tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
		heads := make([]string, len(columns))
		for i, c := range columns {
			heads[i] = strings.ToUpper(strings.ReplaceAll(c, "_", " "))
		}
		l.line(heads)
	}
	return l
}

// tables says whether people read the output.
func (e *environment) tables() bool {
	return e.global.Output == "table" || e.global.Output != "json" && e.stdoutTerminal
}

// row writes one row: a value for each column. In a table, text is escaped and long text is left whole.
func (l *listing) row(values ...any) {
	if l.table == nil {
		l.object(values)
		return
	}
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = escape(fmt.Sprint(v), false)
		if cells[i] == "" {
			cells[i] = "-"
		}
	}
	l.line(cells)
}

func (l *listing) line(cells []string) {
	if _, err := io.WriteString(l.table, strings.Join(cells, "\t")+"\n"); err != nil {
		l.err = errors.Join(l.err, err)
	}
}

func (l *listing) object(values []any) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(l.columns[i]) + ":")
		if err := writeJSON(&b, v); err != nil {
			l.err = errors.Join(l.err, err)
			return
		}
	}
	b.WriteString("}\n")
	if _, err := l.w.Write(b.Bytes()); err != nil {
		l.err = errors.Join(l.err, err)
	}
}

// writeJSON writes v on one line, without escaping for HTML.
func writeJSON(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line feed
	return nil
}

// end writes what is left and returns the first failure.
func (l *listing) end() error {
	if l.table != nil {
		l.err = errors.Join(l.err, l.table.Flush())
	}
	if l.err != nil {
		return fmt.Errorf("write output: %w", l.err)
	}
	return nil
}

// escape makes text from outside safe for a terminal.
func escape(s string, lines bool) string { return terminal.Escape(s, lines) }

// say writes a line to standard error. Nobody is left to tell when that fails.
func (e *environment) say(format string, args ...any) {
	_, _ = fmt.Fprintf(e.stderr, format+"\n", args...)
}

// text writes lines that are neither a table nor objects: commands and statements for other programs.
func (e *environment) text(lines []string) error {
	return e.print(strings.Join(lines, "\n") + "\n")
}

// print writes text to standard output.
func (e *environment) print(text string) error {
	if _, err := io.WriteString(e.stdout, text); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// fields writes one thing: a line per field on a terminal, one JSON object otherwise.
func (e *environment) fields(pairs ...any) error {
	if !e.tables() {
		l := &listing{w: e.stdout}
		var values []any
		for i := 0; i < len(pairs); i += 2 {
			l.columns = append(l.columns, pairs[i].(string))
			values = append(values, pairs[i+1])
		}
		l.object(values)
		return l.end()
	}
	l := &listing{w: e.stdout, table: tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)}
	for i := 0; i < len(pairs); i += 2 {
		l.row(strings.ReplaceAll(pairs[i].(string), "_", " "), pairs[i+1])
	}
	return l.end()
}

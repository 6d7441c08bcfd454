package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"tocsin/processor/app/terminal"
)

// look is how output for people is shown.
type look struct {
	width  int  // columns of the terminal
	colour bool // escape sequences for colours may be written
	boxes  bool // box-drawing and other characters beyond ASCII may be written
}

// look asks the terminal and the environment: COLUMNS where the terminal does not say how wide it is; no colours with
// NO_COLOR (https://no-color.org), on a dumb terminal or on none; box-drawing characters where the locale is UTF-8.
func (e *environment) look() look {
	env := map[string]string{}
	for _, pair := range e.environ {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	l := look{width: e.columns}
	if n, err := strconv.Atoi(env["COLUMNS"]); err == nil && l.width <= 0 {
		l.width = n
	}
	if l.width <= 0 {
		l.width = terminal.DefaultWidth
	}
	l.width = max(l.width, terminal.MinWidth)
	l.colour = e.stdoutTerminal && env["NO_COLOR"] == "" && env["TERM"] != "dumb"
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set decides (POSIX)
		if v := strings.ToLower(env[name]); v != "" {
			l.boxes = strings.HasSuffix(v, "utf-8") || strings.HasSuffix(v, "utf8")
			break
		}
	}
	return l
}

// terminalWidth is the number of columns of a terminal; 0 when it does not say, or is none.
func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// paint writes text in a style, where colours may be written.
func (l look) paint(s terminal.Style, text string) string {
	if !l.colour {
		return text
	}
	return s.Paint(text)
}

// or gives the first text where characters beyond ASCII may be written, else the second.
func (l look) or(text, ascii string) string {
	if l.boxes {
		return text
	}
	return ascii
}

// column of a grid.
type column struct {
	title string
	width int
	right bool // numbers: aligned to the right
}

// line is text of a cell with its style.
type line struct {
	text  string
	style terminal.Style
}

func cell(text string) []line { return styled(text, terminal.Plain) }

func styled(text string, style terminal.Style) []line { return []line{{text, style}} }

// grid writes a table row by row, as rows become known: its widths are fixed, and text that is too long is wrapped.
type grid struct {
	w       io.Writer
	look    look
	columns []column
	err     error
}

// rest is the width that is left for one more column beside these in a grid of the look's width.
func (l look) rest(columns ...column) int {
	left := l.width - len("| ") - len(" |")
	for _, c := range columns {
		left -= c.width + len(" | ")
	}
	return left
}

// head writes the head of the table.
func (g *grid) head() {
	g.rule("┌┬┐")
	cells := make([][]line, len(g.columns))
	for i, c := range g.columns {
		cells[i] = []line{{c.title, terminal.Bold}}
	}
	g.row(cells...)
	g.rule("├┼┤")
}

// end writes the foot and returns the first failure to write.
func (g *grid) end() error {
	g.rule("└┴┘")
	return g.err
}

// row writes one row: the lines of each cell, one below the other. Control characters of the text are escaped.
func (g *grid) row(cells ...[]line) {
	wrapped := make([][]line, len(cells))
	height := 0
	for i, cell := range cells {
		for _, l := range cell {
			for _, text := range terminal.Wrap(escape(l.text, false), g.columns[i].width, false) {
				wrapped[i] = append(wrapped[i], line{text, l.style})
			}
		}
		height = max(height, len(wrapped[i]))
	}
	bar := g.look.paint(terminal.Faint, g.look.or("│", "|"))
	for n := range height {
		var b strings.Builder
		for i, c := range g.columns {
			var l line
			if n < len(wrapped[i]) {
				l = wrapped[i][n]
			}
			pad := strings.Repeat(" ", max(0, c.width-utf8.RuneCountInString(l.text)))
			text := g.look.paint(l.style, l.text)
			if c.right {
				text = pad + text
			} else {
				text += pad
			}
			b.WriteString(bar + " " + text + " ")
		}
		g.write(b.String() + bar + "\n")
	}
}

// rule writes a horizontal line with the given left, middle and right corners.
func (g *grid) rule(corners string) {
	r := []rune(corners)
	dash := "─"
	if !g.look.boxes {
		r, dash = []rune("+++"), "-"
	}
	var b strings.Builder
	for i, c := range g.columns {
		b.WriteRune(r[min(i, 1)])
		b.WriteString(strings.Repeat(dash, c.width+2))
	}
	b.WriteRune(r[2])
	g.write(g.look.paint(terminal.Faint, b.String()) + "\n")
}

func (g *grid) write(s string) {
	if g.err == nil {
		_, g.err = io.WriteString(g.w, s)
	}
}
